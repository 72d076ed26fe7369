"""The table of a dataset: one row a tile, checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.tasks import checks
from bench.tasks.config import Rare, TaskConfig, Unit
from bench.tasks.readers import Table
from bench.tasks.split import NAMES, assign_split
from registry.errors import UserError

SIDES = ("train", "val", "test")


@dataclass(frozen=True)
class Manifest:
    """The tiles of a task, all of them usable.

    Attributes
    ----------
    frame : DataFrame
        One row a tile: ``id``, ``path`` (absolute), ``index`` (row of an HDF5 file, -1 for an image), ``label``,
        ``group`` (patient where known, else the tile), ``split`` ("train", "val" or "test") and what else the data
        say. No group stands on two sides.
    task : TaskConfig
    classes : tuple of str
        Class names in the order of their indices.
    notes : tuple of str
        What a reader of every row must know of these data.
    """

    frame: pd.DataFrame
    task: TaskConfig
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def of(cls, table: Table, task: TaskConfig) -> Manifest:
        """Check what a reader found, draw what split is missing, leave out what the task leaves out.

        Raises
        ------
        UserError
            Naming what is wrong with the data and what to do.
        """
        frame, notes = table.frame.reset_index(drop=True), list(table.notes)
        checks.columns(frame, table.origin)
        frame = _completed(frame, table.origin)
        checks.cells(frame, table.origin)
        checks.labels(frame, task, table.origin)
        samples_as_groups = bool((frame["group"] == frame["id"]).all())
        if "split" not in frame:
            if task.rare is Rare.drop:
                frame, left_out = _without_few(frame, task)
                notes += left_out
            frame["split"] = _drawn(frame, task)
            notes.append(f"the split was drawn by {'tile' if samples_as_groups else 'group'}, seed {task.split.seed}")
        else:
            frame["split"] = _named(frame, table.origin)
            checks.sides(frame, task, table.origin)
            checks.one_side(frame, table.origin)
            if task.split.val > 0 and not (frame["split"] == "val").any():
                frame["split"] = _drawn(frame, task, frame["split"] == "test")
        if samples_as_groups:
            notes.append(f"no patient is known: every {task.unit.value} is its own group")
        frame, left_out = _without_rare(frame, task)
        if task.unit is Unit.tile:
            checks.files(frame, table.origin)
        order = ["id", "path", "index", "label", "group", "split"]
        frame = frame[[*order, *(c for c in frame.columns if c not in order)]].reset_index(drop=True)
        present = set(frame["label"])
        classes = tuple(c for c in task.classes or sorted(present) if c in present)
        return cls(frame, task, classes, (*notes, *left_out, *task.notes))


def _completed(frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """The columns that may be left away, and text without blanks around it."""
    frame = frame.copy()
    for column in ("id", "path", "label", "group", "split"):
        if column in frame:
            frame[column] = frame[column].astype(str).str.strip()
    if "index" not in frame:
        frame["index"] = -1
    frame["index"] = checks.rows(frame["index"], origin)
    if "id" not in frame:
        frame["id"] = frame["path"]
    if "group" not in frame:
        frame["group"] = frame["id"]
    return frame


def _named(frame: pd.DataFrame, origin: str) -> pd.Series:
    """The data's own split in our names."""
    names = frame["split"].str.lower().map(NAMES)
    unknown = sorted(set(frame["split"][names.isna()]))
    if unknown:
        shown = ", ".join(name or "(empty)" for name in unknown[:5])
        raise UserError(
            f"The split names {shown} of {origin} are not known ({int(names.isna().sum())} tiles): use train, val and "
            "test, or leave the column away to have a split drawn."
        )
    return names


def _drawn(frame: pd.DataFrame, task: TaskConfig, test: pd.Series | None = None) -> pd.Series:
    if test is None and task.split.test == 0:
        raise UserError(f"tasks.{task.name}.split.test is 0 and the data name no test tiles: set a share above 0.")
    sides = assign_split(
        frame["group"].to_numpy(str),
        frame["label"].to_numpy(str),
        task.split,
        min_groups=task.min_groups,
        test=None if test is None else test.to_numpy(bool),
    )
    return pd.Series(sides, index=frame.index, dtype=object)


def _without_few(frame: pd.DataFrame, task: TaskConfig) -> tuple[pd.DataFrame, list[str]]:
    """Leave out classes that no split could put on both sides, so that they do not shape the split of the others."""
    groups = frame.groupby("label")["group"].nunique()
    few = groups[groups < 2 * task.min_groups].index
    return _without(frame, {name: f"{groups[name]} groups" for name in few}, task)


def _without_rare(frame: pd.DataFrame, task: TaskConfig) -> tuple[pd.DataFrame, list[str]]:
    """Refuse or leave out classes with too few groups in train or in test."""
    groups = frame.groupby(["label", "split"])["group"].nunique().unstack(fill_value=0)
    groups = groups.reindex(columns=["train", "test"], fill_value=0)
    rare = {
        str(name): f"{row['train']} in train, {row['test']} in test"
        for name, row in groups.iterrows()
        if min(row["train"], row["test"]) < task.min_groups
    }
    if rare and task.rare is Rare.error:
        unit = "tiles" if bool((frame["group"] == frame["id"]).all()) else "groups"
        listed = "; ".join(f"{name}: {counts}" for name, counts in rare.items())
        on_both = bool((groups.loc[list(rare)] > 0).all(axis=None))
        as_they_are = f", or take them as they are with tasks.{task.name}.min_groups=1" if on_both else ""
        raise UserError(
            f"The task {task.name} has classes with fewer than {task.min_groups} {unit} in train or in test "
            f"({listed}): add {unit} of them, or leave them out with tasks.{task.name}.rare=drop{as_they_are}."
        )
    return _without(frame, rare, task)


def _without(frame: pd.DataFrame, rare: dict[str, str], task: TaskConfig) -> tuple[pd.DataFrame, list[str]]:
    if not rare:
        return frame, []
    left = frame[~frame["label"].isin(list(rare))]
    if left["label"].nunique() < 2:
        listed = ", ".join(f"{name} ({counts})" for name, counts in rare.items())
        raise UserError(
            f"The task {task.name} has fewer than two classes once those with too few groups are left out: {listed}."
        )
    listed = ", ".join(f"{name} ({counts})" for name, counts in rare.items())
    return left.copy(), [f"classes left out for too few groups: {listed}"]
