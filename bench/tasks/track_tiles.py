"""The tiles of a task that needs no labels: what its data name as test, or all of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from bench.files import digest
from bench.tasks import checks, readers
from bench.tasks.config import TaskConfig
from bench.tasks.manifest import completed
from bench.tasks.split import NAMES
from bench.tasks.track import draw_tiles
from registry.errors import UserError


@dataclass(frozen=True)
class TrackTiles:
    """Tiles to measure on.

    Attributes
    ----------
    frame : DataFrame
        One row a tile: ``id``, ``path`` (absolute), ``index`` (row of an HDF5 file, -1 for an image), ``group`` and
        what else the data say.
    origin : str
        The folder or table that they are of, for messages.
    notes : list of str
        What a reader of the rows must know of them.
    """

    frame: pd.DataFrame
    origin: str
    notes: list[str]

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def cohort_hash(self) -> str:
        """Digest of the tiles and their groups: what rows must share to be compared."""
        return digest(sorted(self.frame[["id", "group"]].to_numpy(str).tolist()))[:8]


def read_track_tiles(task: TaskConfig, data_root: Path | None, cache: Path) -> TrackTiles:
    """Read and check the tiles of a task with a track; labels are used to draw tiles by, where there are any.

    Parameters
    ----------
    task, data_root, cache
        As in `bench.tasks.read`; the track says how many tiles are drawn.

    Raises
    ------
    UserError
        If the data are not there or cannot be used.
    """
    assert task.track is not None
    table = readers.get(task.reader).read(dataclasses.replace(task, targets=[]), data_root, cache)
    unlabelled = dataclasses.replace(task, targets=[])
    checks.columns(table.frame, unlabelled, table.origin)
    frame = completed(table.frame.reset_index(drop=True), unlabelled, table.origin)
    checks.cells(frame, unlabelled, table.origin)
    notes = list(table.notes)
    if "split" in frame:
        frame = _tested(frame, table.origin)
        notes.append("measured on the test tiles of the data")
    if (frame["group"] == frame["id"]).all():
        notes.append("no patient is known: every tile is its own group")
    labels = frame["label"].astype(str) if "label" in frame else pd.Series("", index=frame.index)
    columns = (frame["id"].to_numpy(str), frame["group"].to_numpy(str), labels.to_numpy(str))
    drawn = draw_tiles(*columns, task.track.tiles, task.split.seed)
    if len(drawn) < len(frame):
        notes.append(f"{len(drawn)} of {len(frame)} tiles were drawn, seed {task.split.seed}")
    frame = frame.iloc[drawn].reset_index(drop=True)
    checks.files(frame, table.origin)
    return TrackTiles(frame, table.origin, [*notes, *task.notes])


def _tested(frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """The tiles whose split the data call test."""
    tested = frame["split"].str.lower().map(lambda name: NAMES.get(name) == "test")
    if not tested.any():
        found = ", ".join(sorted(set(frame["split"]))[:5])
        raise UserError(
            f"{origin} names its split ({found}) but no test tiles, which are what restoration is measured on: add "
            "them, or leave the split away to measure on all tiles."
        )
    return frame[tested]
