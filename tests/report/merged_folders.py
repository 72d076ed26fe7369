"""Results folders whose rows are shared out over several others."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.report.__main__ import main
from bench.rows import Row, predictions_path, read_rows, row_path, write


def copy_run(results: Path, row: Row, folder: Path) -> Path:
    """Copy a row and its predictions to another results folder; gives the row's file there."""
    for place in (row_path, predictions_path):
        if place(results, row.key).exists():
            place(folder, row.key).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place(results, row.key), place(folder, row.key))
    return row_path(folder, row.key)


def shared_out(results: Path, folders: Sequence[Path], in_all: int = 5) -> None:
    """Copy the runs of a results folder to these, one after another in turn, and every `in_all`-th to all of them."""
    for i, row in enumerate(read_rows(results)[0]):
        for folder in folders if i % in_all == 0 else [folders[i % len(folders)]]:
            copy_run(results, row, folder)


def tables(folder: Path) -> dict[str, bytes]:
    """The files of a report, by their paths; without the rows, the predictions and what was computed of them.

    Whether the page links rows beside it is left out, which only pages in a results folder do.
    """
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(b'"rows":true', b'"rows":false')
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in ("rows", "predictions", "computed")
    }


def report(*arguments: object, plots: str = "none") -> int:
    return main([*(str(argument) for argument in arguments), f"plots={plots}"])


def changed(folder: Path, model: str = "uni", **changes: Any) -> Row:
    """The row of a model written again with other fields; its predictions stay."""
    row = next(row for row in read_rows(folder)[0] if row.model == model)
    return write(folder, replace(row, **changes), None)


def with_value(row: Row, value: float) -> dict[str, Any]:
    return {**row.metrics, "accuracy": {**row.metrics["accuracy"], "value": value}}


def row_of(folder: Path, model: str = "uni") -> Row:
    return next(row for row in read_rows(folder)[0] if row.model == model)
