"""A slide manifest: a CSV with a slide a row, as `bench.slides.read_cohort` reads it.

Options
-------
root : str
    Folder that the paths in the column ``slide`` start from; the manifest's own by default.
table : str
    Name of the file where ``data`` is a folder; ``slides.csv`` by default.
check_files : bool
    False where the slides' files need not exist, because precomputed features are used.
"""

from __future__ import annotations

from pathlib import Path

from bench.slides import read_cohort
from bench.tasks.config import TaskConfig
from bench.tasks.locate import data_root
from bench.tasks.readers import Table
from registry.errors import UserError

OPTIONS = ("root", "table", "check_files")
DEFAULT = "slides.csv"


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    named = data_root(task, root)
    if named.is_dir():
        named = named / (task.options.get("table") or DEFAULT)
        if not named.is_file():
            raise UserError(
                f"The folder {named.parent} holds no {named.name}: set data=FILE.csv; expected is {task.layout}."
            )
    base = task.options.get("root")
    check_files = task.options.get("check_files", True)
    frame = read_cohort(named, Path(base) if base else None, targets=task.targets, check_files=check_files)
    return Table(frame, str(named))
