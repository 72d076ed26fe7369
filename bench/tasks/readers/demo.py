"""The built-in synthetic cohort, made in the cache folder when it is first read."""

from __future__ import annotations

from pathlib import Path

from bench.tasks.config import TaskConfig
from bench.tasks.readers import Table, table

OPTIONS = table.OPTIONS


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    from bench import demo

    return table.read(task, demo.make_tiles(cache / "demo-tiles"), cache)
