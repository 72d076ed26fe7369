"""``python -m bench report [results=DIR[,DIR...]] [out=DIR] [margin=M] [all=true]``: rebuild the tables, print them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.jobs import lost_rows
from bench.report.places import files_text
from bench.report.show import table_text
from bench.report.tables import MARGIN
from bench.report.write import check_margin, write_tables
from bench.results import read_leaderboard
from bench.rows import merged_rows, rows_of, warn_once
from registry.errors import UserError

MERGED = "results-merged"
USAGE = f"""Usage: python -m bench report [results=DIR[,DIR...]] [out=DIR] [margin=M] [all=true]

Rebuilds the tables in DIR (results) from its rows and predictions, and prints the answer and compact tables. Nothing
is run. all=true prints every column, model, note and failure, as wide as they are.
Rows that a killed job of a sweep was to make get the status lost, unless the tables go elsewhere than to the rows.

results=a,b or results=[a,b] makes one table of the rows of several folders, which stay as they are: the tables go to
out=DIR ({MERGED}), which must be a folder without rows. A run that several folders have is one row. Where its run
hash or values differ that is said, and the row of the folder named first is used. docs/RESULTS.md has the rules.

  leaderboard.csv         a line a run and metric
  leaderboard_mean.csv    means over seeds and folds
  leaderboard_wide.csv    model by task
  leaderboard_paired.csv  the difference of every two models; margin=M is that of p_equivalent ({MARGIN})
  leaderboard_ranks.csv   ranks on each task
  leaderboard_suites.csv  mean ranks over the tasks of each head, two or more
  robustness.csv          encoders by corruption, severity and restorer; robustness_summary.csv their means over cases
  plots/                  severity curves, recovery matrices, robustness against accuracy
  critical_difference-PROTOCOL[-HEAD].svg  the diagram of these, for five tasks or more

The exit code is 2, after all tables are made, where a folder that is named has no rows."""


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 with one sentence on stderr."""
    if {"--help", "-h"} & set(arguments):
        print(USAGE)
        return 0
    settings = {"results": "results", "out": "", "margin": str(MARGIN), "all": "false"}
    try:
        for argument in arguments:
            name, _, value = argument.partition("=")
            if name not in settings or not value:
                raise UserError(
                    f"{argument!r} is not an option here: those are results=DIR, out=DIR, margin=M and all=true."
                )
            settings[name] = value
        margin = _number(settings["margin"])
        if settings["all"].lower() not in ("true", "false"):
            raise UserError(f"all={settings['all']} must be true or false.")
        return _report(_folders(settings["results"]), settings["out"], margin, settings["all"].lower() == "true")
    except UserError as error:
        print(f"pfmbench: {error}", file=sys.stderr)
        return 2


def _report(folders: Sequence[Path], out: str, margin: float, everything: bool) -> int:
    """Make and print the tables; the exit code is 2 where one of several folders has no rows."""
    several = len(folders) > 1
    place = Path(out or (MERGED if several else folders[0])).expanduser()
    if out or several:
        _check_place(place, folders)
    else:
        lost_rows(folders[0])
    saved = merged_rows(folders) if several else rows_of(folders[0])
    for sentence in saved.unusable:
        warn_once(sentence)
    data = read_leaderboard(saved)
    if not data.entries:
        raise UserError(
            f"No rows to make a leaderboard of in {', '.join(str(folder / 'rows') for folder in folders)}: run a "
            "benchmark first, or name another folder with results=DIR."
        )
    written = write_tables(place, data, margin, "out=DIR" if out or several else "results=DIR")
    print(table_text(data, everything=everything), end="\n\n")
    print(files_text(place, written, folders))
    return 2 if saved.unusable else 0


def _folders(value: str) -> list[Path]:
    """The folders of ``a,b`` or ``[a,b]``; a folder that has such a name is one.

    Raises
    ------
    UserError
        If a name is empty.
    """
    folder = Path(value).expanduser()
    bracketed = value.startswith("[") and value.endswith("]")
    names = [name.strip() for name in (value[1:-1] if bracketed else value).split(",")]
    if os.path.isdir(folder) or (len(names) == 1 and not bracketed):
        return [folder]
    if not all(names):
        raise UserError(f"results={value} has an empty name: results=DIR is one folder, results=[DIR,DIR] are several.")
    return [Path(name).expanduser() for name in names]


def _check_place(place: Path, folders: Sequence[Path]) -> None:
    """Tables of other folders must not replace those of a results folder's own rows."""
    if not os.path.isdir(place / "rows"):
        return
    own = len(folders) == 1 and os.path.isdir(folders[0]) and os.path.samefile(place, folders[0])
    if not own:
        raise UserError(
            f"The folder {place} has rows of its own, whose tables these would replace: name another with out=DIR."
        )


def _number(margin: str) -> float:
    try:
        found = float(margin)
    except ValueError:
        raise UserError(f"margin={margin} must be a number above 0, such as margin={MARGIN}.") from None
    check_margin(found)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
