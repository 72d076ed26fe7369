"""The rows of an unpacked pack with their predictions, and what of it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import rows
from bench.packs.layout import PackRecord
from bench.packs.parquet_limits import too_much
from bench.packs.pseudonyms import in_order_of_groups
from bench.rows import Row, SavedPredictions
from registry.errors import UserError


@dataclass(frozen=True)
class Finding:
    """Something in a pack that is not as it says.

    Attributes
    ----------
    kind : str
        Such as "forged value".
    sentence : str
        What is wrong, and in which row.
    """

    kind: str
    sentence: str

    @property
    def text(self) -> str:
        """The line that is printed."""
        return rows.printable_text(f"{self.kind}: {self.sentence}")


@dataclass(frozen=True)
class PackedRun:
    """A row with its predictions.

    Attributes
    ----------
    row : Row
    predictions : SavedPredictions
        Ids and groups as the pack has them.
    groups : str [sample]
        Names of the groups that sort as those of the row's own predictions did, on which intervals rest.
    """

    row: Row
    predictions: SavedPredictions
    groups: np.ndarray

    @property
    def name(self) -> str:
        """What sentences call it by: its path below ``rows/``."""
        return self.row.key.name("", "json").removesuffix(".json").lstrip("/")

    @property
    def side(self) -> tuple[str, str, int, str]:
        """What rows on one test side share: task, cohort, fold and kind of target."""
        return self.row.task, self.row.cohort_hash, self.row.fold, self.row.kind


def read_content(folder: Path, record: PackRecord) -> tuple[list[PackedRun], int, list[Finding]]:
    """The runs with scores, the number of all rows, and what cannot be used or is not of its row.

    Raises
    ------
    UserError
        If rows are of a newer schema.
    """
    files = rows.read_row_files(folder)
    if files.other_schema:
        path, reason = files.other_schema[0]
        raise UserError(
            f"{len(files.other_schema)} rows of the pack are of another schema, such as {path.name} ({reason}): verify "
            f"the pack with pfmbench {rows.printable_text(record.version)[:40]}."
        )
    findings = [Finding("damaged row", f"{path.relative_to(folder)} ({reason}).") for path, reason in files.faulty]
    if len(files.rows) != record.rows and not findings:
        findings.append(Finding("missing row", f"the pack says to have {record.rows} rows and has {len(files.rows)}."))
    named = {row.predictions for row in files.rows}
    files_of_predictions = [path.relative_to(folder).as_posix() for path in (folder / "predictions").rglob("*.parquet")]
    findings += [
        Finding("predictions without a row", f"{name} is of no row.")
        for name in sorted(files_of_predictions)
        if name not in named
    ]
    found = []
    for row in files.rows:
        if row.ok or row.predictions:
            run, faults = _run(folder, row, record)
            findings += faults
            found += [run] if run else []
    return found, len(files.rows), findings


def _run(folder: Path, row: Row, record: PackRecord) -> tuple[PackedRun | None, list[Finding]]:
    name = row.key.name("", "json").lstrip("/")
    path = folder / row.predictions
    if not row.predictions or not path.is_file():
        return None, [Finding("missing predictions", f"the row {name} has no predictions to compute its scores from.")]
    try:
        if why := _undecodable(path):
            return None, [Finding("damaged predictions", f"the file of {name} {why}: it is not read.")]
        saved = rows.read_predictions(path)
    except UserError as error:
        reason = str(error).split(" (", 1)[-1].split(")", 1)[0] if " (" in str(error) else "it is not complete"
        return None, [Finding("damaged predictions", f"the file of {name} cannot be used ({reason}).")]
    wrong = rows.mismatch(row, saved, rows.samples_digest(saved, saved.classes))
    if wrong:
        return None, [Finding("predictions of other samples", f"the file of {name} {wrong}.")]
    return PackedRun(row, saved, in_order_of_groups(saved.groups) if record.is_hashed else saved.groups), []


def _undecodable(path: Path) -> str:
    import pyarrow as pa

    try:
        return too_much(path)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        return f"is no file of predictions ({type(error).__name__})"


def by_side(runs: list[PackedRun]) -> Iterator[list[PackedRun]]:
    """The runs of each test side, in order."""
    sides: dict[tuple[str, str, int, str], list[PackedRun]] = {}
    for run in runs:
        sides.setdefault(run.side, []).append(run)
    yield from (sides[side] for side in sorted(sides))
