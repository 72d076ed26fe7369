"""A row that a person names: by its file, or by the start of its run hash or a part of its name in a results folder."""

from __future__ import annotations

import os
from pathlib import Path

from bench.rows.merging import why_no_rows
from bench.rows.row import Row
from bench.rows.rows import listed, read_rows, row_path, row_under
from registry.errors import UserError, near_match

SHORTEST_HASH = 4  # digits of a run hash that name a row


def find_row(name: str, results: Path) -> tuple[Row, Path]:
    """The row that is meant, and the results folder that it is in.

    Parameters
    ----------
    name : str
        Path of a row's file in any results folder; the first digits of a run hash, four or more; or a part of the
        row's path below ``rows/``, such as ``uni/linear-1f2e3d4c-seed0``.
    results : Path
        Where rows are looked for that are not named by a path.

    Raises
    ------
    UserError
        If no row or more than one is meant, or the row cannot be used.
    """
    if os.path.lexists(name):
        return _at(Path(name))
    rows = read_rows(results)[0]
    if not rows:
        raise UserError(f"There is no file {name}, and no row to find by this name. {why_no_rows(results)}")
    names = [(row, row.key.name("", "json").removesuffix(".json").lstrip("/")) for row in rows]
    part = name.removeprefix(f"{results}/").removeprefix("rows/").removesuffix(".json")
    exact = [row for row, of in names if of == part]
    by_hash = [row for row, _ in names if len(part) >= SHORTEST_HASH and row.run_hash.startswith(part)]
    found = exact or by_hash or [row for row, of in names if part and part in of]
    if len(found) > 1:
        files = listed([str(row_path(results, row.key)) for row in found])
        raise UserError(f"{name} names {len(found)} rows: name one by its file ({files}).")
    if not found:
        known = sorted({text for row, of in names for text in (of, Path(of).name, row.run_hash[: len(part)])})
        raise UserError(
            f"No row in {results} has the name or run hash {name}: name the file of a row, or the first digits of the "
            f"run_hash that leaderboard.csv tells.{near_match(part, known)}"
        )
    return found[0], results


def _at(path: Path) -> tuple[Row, Path]:
    """The row of a file, which lies at ``RESULTS/rows/TASK/COHORT/MODEL/FILE``."""
    parts = path.absolute().parts
    if len(parts) < 6 or parts[-5] != "rows":
        raise UserError(
            f"{path} is not the file of a row: these are RESULTS/rows/TASK/COHORT/MODEL/PROTOCOL-HEAD-seedS.json."
        )
    results = Path(*parts[:-5])
    try:
        return row_under(results, "/".join(parts[-5:])), results
    except OSError as error:
        raise UserError(f"The row {path} cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise UserError(f"The row {path} cannot be used ({error}): run it again or name another.") from error
