"""Results folders whose rows are shared out over several others."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.rows import Row, predictions_path, read_rows, row_path


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
    """The files of a report, by their paths; without the rows and predictions."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in ("rows", "predictions")
    }
