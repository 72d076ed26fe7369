"""Rows that are taken out of a results folder, with their predictions, and put back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from bench.rows.row import Row
from bench.rows.rows import listed, predictions_path, read_row_files, row_path
from bench.rows.run_key import RunKey
from registry.errors import UserError, near_match

REMOVED = "removed"
FIELDS = (*(field.name for field in fields(RunKey)), "status")


def fields_of(row: Row) -> dict[str, str]:
    """The values that rows are selected by, as text; the names are `FIELDS`."""
    return {**{name: str(value) for name, value in asdict(row.key).items()}, "status": row.status}


def selected(rows: Sequence[Row], wanted: Mapping[str, str]) -> list[Row]:
    """The rows that have the wanted value in each field; ``a,b`` and ``[a,b]`` are two values of which either will do.

    Parameters
    ----------
    wanted : mapping of a name of `FIELDS` to str

    Raises
    ------
    UserError
        If a value is that of no row, or no row has all of them; a near value is offered.
    """
    of_rows = [fields_of(row) for row in rows]
    choices: dict[str, list[str]] = {}
    for name, text in wanted.items():
        known = {of[name] for of in of_rows}
        choices[name] = [text] if text in known else [one.strip() for one in text.strip("[]").split(",")]
        for value in choices[name]:
            if value not in known:
                there = listed([one or "(none)" for one in sorted(known)])
                raise UserError(f"No row has {name}={value}, but {there}.{near_match(value, known)}")

    def fits(of: Mapping[str, str], names: Sequence[str]) -> bool:
        return all(of[name] in choices[name] for name in names)

    found = [row for row, of in zip(rows, of_rows, strict=True) if fits(of, list(wanted))]
    if found:
        return found
    near = ""
    for name in wanted:
        others = [other for other in wanted if other != name]
        if not near and (values := sorted({of[name] for of in of_rows if fits(of, others)})):
            near = f"; rows with the rest of it have {name} {listed([value or '(none)' for value in values])}"
    every = " ".join(f"{name}={value}" for name, value in wanted.items())
    raise UserError(f"No row has all of {every}{near}.")


def files_of(results: Path, row: Row) -> list[Path]:
    """The files of a run that are there: its row, its predictions and its attention, in this order."""
    every = [
        row_path(results, row.key),
        predictions_path(results, row.key),
        row.key.path(results, "predictions", "attention.h5"),
    ]
    return [path for path in every if path.is_file()]


def take_out(results: Path, rows: Sequence[Row]) -> Path:
    """Move the files of these rows to ``results/removed/N``, a new folder, under the same paths; gives that folder.

    A row is moved before its predictions, so that whatever row stays is complete when this is interrupted.

    Raises
    ------
    OSError
        If the folder cannot be written; what was moved until then is in the new folder.
    """
    number = max(removals(results), default=0) + 1
    while True:
        folder = results / REMOVED / str(number)
        folder.parent.mkdir(exist_ok=True)
        try:
            folder.mkdir()
            break
        except FileExistsError:  # another process takes rows out too
            number += 1
    for row in rows:
        for path in files_of(results, row):
            _move(path, folder / path.relative_to(results))
    return folder


def removals(results: Path) -> list[int]:
    """The numbers of the folders of rows that were taken out."""
    return sorted(int(path.name) for path in (results / REMOVED).glob("*") if path.name.isdecimal())


def put_back(results: Path, number: int) -> tuple[list[Row], list[Path]]:
    """Move what ``results/removed/N`` holds back to its place; gives the rows, and the files that stay.

    The files of a run stay where the run was made again since.

    Raises
    ------
    UserError
        If there is no such folder.
    OSError
        If the folder cannot be written.
    """
    folder = results / REMOVED / str(number)
    if number not in removals(results):
        there = ", ".join(map(str, removals(results))) or "there are none"
        raise UserError(f"There is no {folder} to put back: number it with back=N ({there}).")
    moved = []
    for row in read_row_files(folder).rows:
        files = files_of(folder, row)
        places = [results / path.relative_to(folder) for path in files]
        if not any(place.exists() for place in places):
            for path, place in reversed(list(zip(files, places, strict=True))):  # the row last, when it is complete
                _move(path, place)
            moved.append(row)
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _remove_empty(path)
    _remove_empty(folder)
    return moved, sorted(path for path in folder.rglob("*") if path.is_file())


def _move(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    os.rename(path, place)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
