"""What a model is tried on: datasets described in ``conf/task/*.yaml``, read into a checked `Manifest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.tasks.config import SampleLevel, Split, TaskConfig, configured, register
from bench.tasks.split import assign_split

if TYPE_CHECKING:
    from bench.tasks.manifest import Manifest

__all__ = [
    "Manifest",
    "SampleLevel",
    "Split",
    "TaskConfig",
    "assign_split",
    "configured",
    "read",
    "register",
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


def __getattr__(name: str) -> object:
    if name == "Manifest":
        from bench.tasks.manifest import Manifest

        return Manifest
    raise AttributeError(name)
