"""``python -m bench remove [results=DIR] FIELD=VALUE ... [yes=true]``: take rows out of a results folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.commands import is_true, read_arguments, run_command
from bench.rows.merging import why_no_rows
from bench.rows.removal import FIELDS, REMOVED, fields_of, put_back, selected, take_out
from bench.rows.row import Row
from bench.rows.rows import listed, read_rows, row_path, warn_once
from registry.errors import UserError
from registry.text_table import aligned

OPTIONS = {"results": "results", "yes": "false", "back": ""}
COMMAND = "python -m bench remove"
USAGE = f"""Usage: {COMMAND} [results=DIR] FIELD=VALUE[,VALUE...] ... [yes=true]
       {COMMAND} [results=DIR] back=N

Lists the rows of DIR (results) that have these values. With yes=true they are moved, with their predictions and
attention, to DIR/{REMOVED}/N under the same paths. No table has them then, and the same run makes them anew. back=N
puts them back where nothing was made in their place since.

FIELD is one of {", ".join(FIELDS)}; one at least, and a row must have all that
are named. frontend= is no front-end. leaderboard.csv has the values of all rows (cohort_hash, head_config_hash)."""


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 with one sentence on stderr."""
    return run_command(arguments, USAGE, _move_rows)


def _move_rows(arguments: Sequence[str]) -> int:
    settings, wanted, really = _parsed(arguments)
    results = Path(settings["results"]).expanduser()
    try:
        if settings["back"]:
            _put_back(results, settings["back"])
        else:
            _remove(results, wanted, really=really)
    except OSError as error:
        raise UserError(
            f"Files of rows cannot be moved in {results} ({error.strerror or error}: {error.filename}); what was "
            f"moved is in {results / REMOVED}, and the same command goes on when it can be written."
        ) from error
    return 0


def _parsed(arguments: Sequence[str]) -> tuple[dict[str, str], dict[str, str], bool]:
    """The options, the values of the fields, and whether rows are to be moved."""
    takes = f"those are results=DIR, yes=true, back=N and FIELD=VALUE with {', '.join(FIELDS)}"
    found = read_arguments(arguments, OPTIONS, takes, fields=FIELDS)
    really = is_true(found.options, "yes")
    if bool(found.fields) == bool(found.options["back"]):
        raise UserError(f"Name rows by one field or more, as in {COMMAND} model=NAME status=failed, or back=N alone.")
    return found.options, found.fields, really


def _remove(results: Path, wanted: dict[str, str], *, really: bool) -> None:
    rows, sentences = read_rows(results)
    for sentence in sentences:
        warn_once(sentence)
    if not rows:
        raise UserError(why_no_rows(results))
    found = selected(rows, wanted)
    print("\n".join(_lines(results, found)))
    if not really:
        print(f"{_counted(found)}: the same command with yes=true moves them to {results / REMOVED}.")
        return
    folder = take_out(results, found)
    where = f"results={shlex.quote(str(results))}"
    print(
        f"{_counted(found)} moved to {folder}. To put them back: {COMMAND} {where} back={folder.name}\n"
        f"The tables are as before until python -m bench report {where} makes them anew."
    )


def _put_back(results: Path, back: str) -> None:
    if not back.isdecimal():
        raise UserError(f"back={back} must be the number of a folder in {results / REMOVED}.")
    moved, stayed = put_back(results, int(back))
    print("\n".join([*_lines(results, moved), f"{_counted(moved)} put back."]))
    if stayed:
        raise UserError(
            "These stay where they are, as they were made again since or are damaged: "
            f"{listed([str(path) for path in stayed])}."
        )


def _lines(results: Path, rows: Sequence[Row]) -> list[str]:
    cells = [[*fields_of(row).values(), str(row_path(results, row.key))] for row in rows]
    return list(aligned([[*FIELDS, "file"], *cells])) if rows else []


def _counted(rows: Sequence[Row]) -> str:
    return f"{len(rows)} row{'s' * (len(rows) != 1)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
