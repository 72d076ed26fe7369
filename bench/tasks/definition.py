"""What defines a task: the settings that decide which samples it has, what is predicted, and what a tile is."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

from bench.files import digest
from bench.tasks.config import TaskConfig

OF_TILES = ("unit", "mpp", "tile_size", "tiling", "mpp_default")
"""Fields of which the cohort hash says nothing: the same samples, seen otherwise."""
OF_SAMPLES = ("reader", "options", "kind", "targets", "classes", "metric", "rare", "min_groups", "split", "track")
"""Fields that the samples, their labels and sides, and the metric follow from, given the data."""


def definition(task: TaskConfig) -> dict[str, Any]:
    """The fields that define a task, defaults among them, as values of JSON."""
    return {name: _plain(getattr(task, name)) for name in (*OF_TILES, *OF_SAMPLES)}


def settings_digest(task: TaskConfig) -> str:
    """Digest of the definition: of the task with its split and metric, whatever data it is run on."""
    return digest(definition(task))[:8]


def task_digest(task: TaskConfig, cohort: str) -> str:
    """Digest of a task on its samples: the cohort hash, and what a tile is."""
    found = definition(task)
    return digest([cohort, {name: found[name] for name in OF_TILES}])[:8]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
