"""The user's own tiles: a folder tree, or a table that lists them.

A folder that holds a ``manifest.csv``, or the file that the option ``table`` names, is read by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.tasks.config import TaskConfig
from bench.tasks.locate import data_root
from bench.tasks.readers import Table, folder, table
from registry.errors import UserError

OPTIONS = tuple(dict.fromkeys((*folder.OPTIONS, *table.OPTIONS)))


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    named = data_root(task, root)
    by_table = named.is_file() or bool(task.options.get("table")) or (named / table.DEFAULT).is_file()
    idle = [name for name in (folder.OPTIONS if by_table else table.OPTIONS) if _is_set(task.options.get(name))]
    if idle:
        found, other = ("a table", "folder trees") if by_table else ("a folder without a table", "tables")
        raise UserError(
            f"tasks.{task.name}.options.{idle[0]} is for {other} and {named} is {found}: remove the option, or name "
            f"other data."
        )
    return (table if by_table else folder).read(task, named, cache)


def _is_set(value: Any) -> bool:
    return any(map(_is_set, value.values())) if isinstance(value, Mapping) else value not in (None, "")
