"""``python -m bench report [results=DIR[,DIR...]] [out=DIR] ...``: rebuild the tables from rows, print them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.commands import read_arguments, run_command
from bench.jobs import lost_rows
from bench.plots import CHOICES, Choice
from bench.report.places import files_text
from bench.report.show import table_text
from bench.report.tables import MARGIN
from bench.report.write import check_margin, write_tables
from bench.results import LEAVE_OUT, check_contaminated, read_leaderboard
from bench.rows import merged_rows, rows_of, warn_once
from registry.errors import UserError

MERGED = "results-merged"
OPTIONS = {
    "results": "results",
    "out": "",
    "margin": str(MARGIN),
    "contaminated": "keep",
    "plots": CHOICES[0],
    "all": "false",
}
TAKES = (
    f"those are results=DIR, out=DIR, margin=M, all=true, contaminated={'|'.join(LEAVE_OUT)} and "
    f"plots={'|'.join(CHOICES)}"
)
USAGE = f"""Usage: python -m bench report [results=DIR[,DIR...]] [out=DIR] [margin=M] [contaminated=leave_out] [plots=P]
                                [all=true]

Rebuilds the tables in DIR (results) from its rows and predictions, and prints the answer and compact tables. Nothing
is run. all=true prints every column, model, note and failure, as wide as they are.
Rows that a killed job of a sweep was to make get the status lost, unless the tables go elsewhere than to the rows.

results=a,b or results=[a,b] makes one table of the rows of several folders, which stay as they are: the tables go to
out=DIR ({MERGED}), which must be a folder without rows. A run that several folders have is one row. Where its run
hash or values differ that is said, and the row of the folder named first is used. docs/RESULTS.md has the rules.

contaminated=leave_out makes all of it without the rows of models that saw the task's cohorts in pretraining, by their
authors' statement or by inference, and says how many these are; leave_out_unknown leaves out those of which it is not
known, too; keep (the default) marks them in the tables and leaves out none.

  leaderboard.csv         a line a run and metric
  leaderboard_mean.csv    means over seeds and folds
  leaderboard_wide.csv    model by task
  leaderboard_paired.csv  the difference of every two models; margin=M is that of p_equivalent ({MARGIN})
  leaderboard_ranks.csv   ranks on each task
  leaderboard_suites.csv  mean ranks over the tasks of each head, two or more
  leaderboard.md          the same for a forge: a table a task and head
  models.csv              what each model is, costs and saw in pretraining
  leaderboard_schema.json what every column means
  robustness.csv          encoders by corruption, severity and restorer; robustness_summary.csv their means over cases
  leaderboard.html        the page: all of this in a browser, one file that needs no other and no network
  plots/                  figures as SVG and PNG; of predictions those of the best models, of all with plots=all
                          plots=none: only critical_difference-PROTOCOL.svg of mean ranks, for five tasks or more

The exit code is 2, after all tables are made, where a folder that is named has no rows."""


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 with one sentence on stderr."""
    return run_command(arguments, USAGE, _make_tables)


def _make_tables(arguments: Sequence[str]) -> int:
    settings = read_arguments(arguments, OPTIONS, TAKES).options
    margin = _number(settings["margin"])
    check_contaminated(settings["contaminated"])
    plots = _choice(settings["plots"])
    everything = _yes(settings["all"])
    folders = _folders(settings["results"])
    return _report(folders, settings["out"], margin, settings["contaminated"], plots, everything=everything)


def _report(
    folders: Sequence[Path], out: str, margin: float, contaminated: str, plots: Choice, *, everything: bool
) -> int:
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
    data = read_leaderboard(saved, contaminated=contaminated)
    if not data.entries and data.left_out.rows:
        raise UserError(f"Every row would be left out: {' '.join(data.left_out.sentences)}")
    if not data.entries:
        raise UserError(
            f"No rows to make a leaderboard of in {', '.join(str(folder / 'rows') for folder in folders)}: run a "
            "benchmark first, or name another folder with results=DIR."
        )
    written = write_tables(place, data, margin, "out=DIR" if out or several else "results=DIR", plots)
    print(table_text(data, everything=everything), end="\n\n")
    for sentence in data.left_out.sentences:
        print(sentence)
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


def _choice(plots: str) -> Choice:
    for choice in CHOICES:
        if plots == choice:
            return choice
    raise UserError(f"plots={plots} must be one of {', '.join(CHOICES)}.")


def _yes(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise UserError(f"all={value} must be true or false.")
    return value.lower() == "true"


def _number(margin: str) -> float:
    try:
        found = float(margin)
    except ValueError:
        raise UserError(f"margin={margin} must be a number above 0, such as margin={MARGIN}.") from None
    check_margin(found)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
