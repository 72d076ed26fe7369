"""The boards that the figures are of: data files that say which of our runs give a board's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from registry.errors import UserError, near_match

FIELDS = {"title", "url", "tolerance", "tolerance_from", "runs", "absent"}
RUN_FIELDS = {"datasets", "task", "settings", "protocol", "protocol_settings", "seeds"}


@dataclass(frozen=True)
class BoardRun:
    """A run that gives some of a board's figures.

    Attributes
    ----------
    datasets : tuple of str
        As the figures name them.
    task, protocol : str
        Names of `conf/task` and `conf/protocol`.
    settings, protocol_settings : mapping
        Fields of the two that are set otherwise than in their files.
    seeds : int
        How many seeds the authors ran, from 0 on here.
    """

    datasets: tuple[str, ...]
    task: str
    protocol: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    protocol_settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 1


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes
    ----------
    name, title, url : str
    tolerance : float
        How far a like-for-like row may be from a figure that has no published spread, on the scale from 0 to 1.
    tolerance_from : str
        What that number rests on.
    runs : tuple of BoardRun
        Empty where no task here reads the board's data.
    absent : str
        Which of its datasets no task here reads.
    """

    name: str
    title: str
    url: str
    tolerance: float
    tolerance_from: str
    runs: tuple[BoardRun, ...]
    absent: str = ""

    def run_of(self, dataset: str, protocol: str) -> BoardRun | None:
        """The run that gives the figures of a dataset with a protocol; None where none does."""
        return next((run for run in self.runs if dataset in run.datasets and run.protocol == protocol), None)


def read_boards(folder: Path) -> dict[str, Board]:
    """The boards of a folder of YAML files by name, which is that of the file.

    Raises
    ------
    UserError
        If a file cannot be read, or has a field that is unknown, missing or of the wrong type.
    """
    return {file.stem: _board(file) for file in sorted(folder.glob("*.yaml"))}


def _board(file: Path) -> Board:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"The board {file} cannot be read: {' '.join(str(error).split()).rstrip('.')}.") from error
    own = _fields(content, FIELDS, {"title", "url", "tolerance", "tolerance_from", "runs"}, f"The board {file}")
    tolerance, runs = own["tolerance"], own["runs"]
    if not isinstance(tolerance, int | float) or isinstance(tolerance, bool) or not 0 < tolerance < 1:
        raise UserError(f"The board {file} has tolerance: {tolerance}, which must be a number between 0 and 1.")
    if not isinstance(runs, list):
        raise UserError(f"The board {file} must list its runs: each with datasets, task and protocol.")
    return Board(
        name=file.stem,
        title=str(own["title"]),
        url=str(own["url"]),
        tolerance=float(tolerance),
        tolerance_from=str(own["tolerance_from"]),
        runs=tuple(_run(one, f"Run {number} of the board {file}") for number, one in enumerate(runs, 1)),
        absent=str(own.get("absent", "")),
    )


def _run(content: Any, place: str) -> BoardRun:
    own = _fields(content, RUN_FIELDS, {"datasets", "task", "protocol"}, place)
    datasets, seeds = own["datasets"], own.get("seeds", 1)
    if not isinstance(datasets, list) or not datasets:
        raise UserError(f"{place} must list its datasets, as the published figures name them.")
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise UserError(f"{place} has seeds: {seeds}, which must be how many there are, from 1 on.")
    for name in ("settings", "protocol_settings"):
        if not isinstance(own.get(name, {}), dict):
            raise UserError(f"{place} has {name} that are no mapping: give fields by name, NAME: VALUE.")
    return BoardRun(
        datasets=tuple(map(str, datasets)),
        task=str(own["task"]),
        protocol=str(own["protocol"]),
        settings=own.get("settings", {}),
        protocol_settings=own.get("protocol_settings", {}),
        seeds=seeds,
    )


def _fields(content: Any, known: set[str], needed: set[str], place: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise UserError(f"{place} is no mapping: give its fields by name, NAME: VALUE.")
    _refuse(sorted(set(map(str, content)) - known), sorted(known), place)
    missing = sorted(needed - set(content))
    if missing:
        raise UserError(f"{place} lacks {', '.join(missing)}.")
    return content


def _refuse(unknown: Sequence[str], known: Sequence[str], place: str) -> None:
    if unknown:
        raise UserError(f"{place} has no field {unknown[0]}.{near_match(unknown[0], known)}")
