"""A CSV or TSV file with a tile a row.

Options
-------
table : str
    Name of the file in the data folder; ``manifest.csv`` by default.
images : str
    Folder of the images, from the file's folder; its own folder by default.
columns : dict
    The file's name of a column where it is not ours: ``{label: diagnosis}``. Ours are ``path`` and ``label`` (or the
    task's ``targets``), and where known ``id``, ``group`` (or ``patient``), ``split`` or ``fold``, ``index`` (row of an
    HDF5 file) and any others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.tasks.config import TaskConfig
from bench.tasks.locate import data_root, locate
from bench.tasks.readers import Table
from registry.errors import UserError

OPTIONS = ("table", "images", "columns")
DEFAULT = "manifest.csv"
OURS = ("path", "id", "group", "patient", "split", "fold", "index")


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    named, images = data_root(task, root), task.options.get("images") or ""
    if named.is_dir():
        name = task.options.get("table") or DEFAULT
        expected = [name, images] if images else [name]
        named = locate(task, named, lambda folder: [n for n in expected if not (folder / n).exists()]) / name
    parsed = _parsed(named)
    _check_names(named, task)
    frame = _renamed(parsed, task, named)
    base = named.parent / images
    frame["path"] = _joined(base, frame["path"].str.strip())
    if "id" not in frame:
        frame["id"] = _ids(frame, base)
    return Table(frame, str(named))


def _parsed(file: Path) -> pd.DataFrame:
    try:
        frame = _cells(file)
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(
            f"The table {file} cannot be read ({reason}): it must be a CSV file with a tile a row."
        ) from error
    if frame.empty:
        raise UserError(f"The table {file} has no rows: it must have a tile a row.")
    return frame.rename(columns=str.strip)


def _cells(file: Path, **more: Any) -> pd.DataFrame:
    return pd.read_csv(
        file,
        sep="\t" if file.suffix.lower() in (".tsv", ".txt") else ",",
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig",
        skipinitialspace=True,
        compression=None,
        **more,
    )


def _check_names(file: Path, task: TaskConfig) -> None:
    """No column that is read occurs twice; pandas would take the first and rename the other."""
    header = [str(name).strip() for name in _cells(file, header=None, nrows=1).iloc[0]]
    named = (task.options.get("columns") or {}).values()
    for name in (*OURS, *task.targets, *(theirs for theirs in named if theirs)):
        if header.count(name) > 1:
            raise UserError(
                f"The table {file} has {header.count(name)} columns {name}: keep one, or rename the others."
            )


def _renamed(frame: pd.DataFrame, task: TaskConfig, file: Path) -> pd.DataFrame:
    theirs = {ours: name for ours, name in (task.options.get("columns") or {}).items() if name}
    if "group" not in theirs and "group" not in frame and "patient" in frame:
        theirs["group"] = "patient"
    for ours in dict.fromkeys(["path", *task.targets, *theirs]):
        name = theirs.get(ours, ours)
        if name not in frame:
            raise UserError(
                f"The table {file} has no column {name}: its columns are {', '.join(frame.columns)}; rename one, or "
                f"name yours with tasks.{task.name}.options.columns.{ours}=NAME."
            )
    unused = [ours for ours, name in theirs.items() if name != ours and ours in frame]
    return frame.drop(columns=unused).rename(columns={name: ours for ours, name in theirs.items()})


def _joined(base: Path, paths: pd.Series) -> pd.Series:
    """Each path from `base` as `pathlib` joins them, a column at a time but for a few; "" stays ""."""
    joined = (str(base / "_")[:-1] + paths).where(paths != "", "")
    special = paths.str.contains(r"^/|//|(?:^|/)\.(?:/|$)|/$", regex=True)
    if special.any():
        joined[special] = np.array([str(base / path) for path in paths[special]], dtype=object)
    return joined


def _ids(frame: pd.DataFrame, base: Path) -> pd.Series:
    """The path within the image folder, and the row where one file holds many tiles."""
    names = frame["path"].str.removeprefix(f"{base}/")
    if "index" not in frame:
        return names
    return names.where(frame["index"].isin(("", "-1")), names + ":" + frame["index"])
