"""The user's own tiles: a folder tree, or a table that lists them.

A folder that holds a ``manifest.csv`` is read by it.
"""

from __future__ import annotations

from pathlib import Path

from bench.tasks.config import TaskConfig
from bench.tasks.locate import data_root
from bench.tasks.readers import Table, folder, table

OPTIONS = tuple(dict.fromkeys((*folder.OPTIONS, *table.OPTIONS)))


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    named = data_root(task, root)
    if named.is_file() or (named / table.DEFAULT).is_file():
        return table.read(task, named, cache)
    return folder.read(task, named, cache)
