"""What a table of tiles or slides must be: each check raises one sentence that names what is wrong."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pandas as pd

from bench.hdf5 import own_arrays
from bench.tasks.config import SampleLevel, TaskConfig
from bench.tasks.readers import HDF5_SUFFIXES, IMAGE_SUFFIXES
from registry.errors import UserError, first_few

MOST_ROWS = 2**53  # from which numbers of tables are no longer exact


def columns(frame: pd.DataFrame, task: TaskConfig, origin: str) -> None:
    """The file and the columns of the answer, without which there is no task."""
    for name in ("path", *task.targets):
        if name not in frame:
            raise UserError(
                f"{origin} has no column {name}: its columns are {', '.join(map(str, frame.columns))}"
                + (f"; tasks.{task.name}.targets names those of a {task.kind} task." if name != "path" else ".")
            )


def rows(index: pd.Series, origin: str) -> pd.Series:
    """The column ``index`` as integers of at least -1; an empty cell is -1."""
    numbers = pd.to_numeric(index.replace("", -1), errors="coerce")
    wrong = index[numbers.isna() | (numbers % 1 != 0) | (numbers < -1) | (numbers >= MOST_ROWS)]
    if len(wrong):
        raise UserError(
            f"The column index of {origin} must hold rows of HDF5 files, 0 or more, or nothing for an image: "
            f"{first_few(wrong)}."
        )
    return numbers.astype(np.int64)


def cells(frame: pd.DataFrame, task: TaskConfig, origin: str) -> None:
    """No empty cell, no id twice, no tile or slide twice."""
    unit = "tile" if task.unit is SampleLevel.tile else "slide"
    for name in ("id", "path", *task.targets, "group"):
        empty = frame.index[frame[name] == ""]
        if len(empty):
            raise UserError(
                f"{origin} has {len(empty)} {unit}s with an empty {name}, the first in row {empty[0] + 1}: fill it in "
                "or remove the row."
            )
    twice = frame["id"][frame["id"].duplicated()].unique()
    if len(twice):
        raise UserError(f"{origin} has ids that occur more than once: {first_few(twice)}; every {unit} needs its own.")
    same = frame[frame.duplicated(["path", "index"])]
    if len(same):
        raise UserError(
            f"{origin} lists {unit}s more than once under different ids: {first_few(same['path'])}; keep one row of "
            "each."
        )


def has_train_and_test(frame: pd.DataFrame, task: TaskConfig, origin: str) -> None:
    """Samples to learn from and samples to test on."""
    found = frame["split"].value_counts()
    for part in ("train", "test"):
        if part not in found:
            named = ", ".join(f"{name} {n}" for name, n in found.items())
            raise UserError(
                f"{origin} names its split but has no {part} {task.unit.value}s ({named}): add them, or leave the "
                "split away to have one drawn."
            )


def groups_not_split(frame: pd.DataFrame, column: str, task: TaskConfig, origin: str) -> None:
    """No group with two split labels, or in two folds."""
    pairs = frame[["group", column]].drop_duplicates()
    both = pairs[pairs["group"].duplicated(keep=False)]
    if len(both):
        patient, *others = both["group"].unique()
        first = " and ".join(sorted(both[column][both["group"] == patient]))
        where = f"the folds {first}" if column == "fold" else first
        more = f", as are {len(others)} more patients" if others else ""
        raise UserError(
            f"The patient {patient} of {origin} is in {where}{more}: give all {task.unit.value}s of a patient the "
            f"same {column}, or leave the {column} away to have one drawn by patient."
        )


def files(frame: pd.DataFrame, origin: str) -> None:
    """Every file is there and of a kind that is read; looks at each folder once, so 500,000 tiles take seconds."""
    paths = frame["path"].drop_duplicates()
    suffix = pd.Series([os.path.splitext(path)[1].lower() for path in paths.tolist()], index=paths.index)
    strange = paths[~suffix.isin(IMAGE_SUFFIXES | HDF5_SUFFIXES)]
    if len(strange):
        raise UserError(
            f"{origin} names {len(strange)} files of a kind that is not read: {first_few(strange)}; the kinds are "
            f"{', '.join(sorted(IMAGE_SUFFIXES | HDF5_SUFFIXES))}."
        )
    missing = _missing(paths.tolist())
    if missing:
        raise UserError(
            f"{len(missing)} of {len(paths)} files of {origin} are not there or cannot be read: {first_few(missing)}; "
            "mend the paths, or remove the rows."
        )
    in_array = frame["path"].isin(set(paths[suffix.isin(HDF5_SUFFIXES)]))
    if (in_array != (frame["index"] >= 0)).any():
        wrong = frame["path"][in_array != (frame["index"] >= 0)]
        raise UserError(
            f"{origin} must give the row in the column index for HDF5 files, and for those only: {first_few(wrong)}."
        )
    for path, last in frame[in_array].groupby("path")["index"].max().items():
        _holds(str(path), int(last), origin)


def _missing(paths: list[str]) -> list[str]:
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path[: path.rfind("/") + 1], []).append(path)
    missing = []
    for folder, members in folders.items():
        try:
            with os.scandir(folder.rstrip("/") or folder or ".") as entries:
                there = {folder + entry.name for entry in entries if entry.is_file()}
        except OSError:
            there = set()
        missing += [path for path in members if path not in there]
    return missing


def _holds(path: str, last: int, origin: str) -> None:
    try:
        with h5py.File(path, "r") as opened:
            lengths = [len(array) for array in own_arrays(opened) if array.ndim == 4]
    except ValueError as error:
        raise UserError(f"The file {path} of {origin} cannot be read ({error}): copy the data into it.") from error
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(f"The file {path} of {origin} is no HDF5 file, or is damaged: mend or remove it.") from error
    if len(lengths) != 1:
        raise UserError(f"The file {path} of {origin} must hold one array of images, uint8 [N, H, W, 3].")
    if last >= lengths[0]:
        raise UserError(f"{origin} names row {last} of {path}, which holds {lengths[0]} tiles (rows from 0).")
