"""What a model is tried on: datasets described in ``conf/task/*.yaml``, read into a checked `Manifest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.tasks.checked_settings import configured
from bench.tasks.config import SampleLevel, Split, TaskConfig, register
from bench.tasks.definition import OF_TILES, definition, settings_digest, task_digest
from bench.tasks.split import assign_split
from bench.tasks.track import Track, draw_tiles

if TYPE_CHECKING:
    from bench.tasks.manifest import Manifest
    from bench.tasks.track_tiles import TrackTiles

__all__ = [
    "OF_TILES",
    "Manifest",
    "SampleLevel",
    "Split",
    "TaskConfig",
    "Track",
    "TrackTiles",
    "assign_split",
    "configured",
    "definition",
    "draw_tiles",
    "read",
    "read_track_tiles",
    "register",
    "settings_digest",
    "task_digest",
]


def read(task: TaskConfig, data_root: Path | None, cache: Path) -> Manifest:
    """Read and check a task's data.

    Parameters
    ----------
    task : TaskConfig
    data_root : path or None
        The dataset's folder or table, or a folder that holds the datasets' folders; ``task.data`` goes before it.
    cache : path
        Folder that a reader may write to: unpacked files, the built-in cohort.

    Raises
    ------
    UserError
        If the data are not there or cannot be used: what is wrong, where, and what to do.
    """
    from bench.tasks import readers
    from bench.tasks.manifest import Manifest

    return Manifest.of(readers.get(task.reader).read(task, data_root, cache), task)


def read_track_tiles(task: TaskConfig, data_root: Path | None, cache: Path) -> TrackTiles:
    """Read and check the tiles of a task whose track needs no labels; parameters and errors are those of `read`."""
    from bench.tasks import track_tiles

    return track_tiles.read_track_tiles(task, data_root, cache)


def __getattr__(name: str) -> object:
    if name == "Manifest":
        from bench.tasks.manifest import Manifest

        return Manifest
    if name == "TrackTiles":
        from bench.tasks.track_tiles import TrackTiles

        return TrackTiles
    raise AttributeError(name)
