"""Fixtures of the tests of tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from task_helpers import composed

from bench import tasks
from bench.tasks import Manifest


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Manifest]:
    """Read `data` as the task `name`, with overrides as typed."""

    def reader(name: str, data: Path | None, *overrides: str, **settings: Any) -> Manifest:
        task = composed(name, *overrides)
        for key, value in settings.items():
            setattr(task, key, value)
        return tasks.read(task, data, tmp_path / "cache")

    return reader


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder
