"""``python -m bench report [results=DIR] [margin=M]``: rebuild the tables from the rows and print them."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.jobs import lost_rows
from bench.report.leaderboard_data import read_leaderboard
from bench.report.show import table_text
from bench.report.tables import MARGIN
from bench.report.write import check_margin, write_tables
from registry.errors import UserError

USAGE = f"""Usage: python -m bench report [results=DIR] [margin=M]

Rebuilds the tables in DIR (results) from its rows and predictions, and prints the table. Nothing is run.
Rows that a killed job of a sweep was to make get the status lost.

  leaderboard.csv         a line a run and metric
  leaderboard_mean.csv    means over seeds and folds
  leaderboard_wide.csv    model by task
  leaderboard_paired.csv  the difference of every two models; margin=M is that of p_equivalent ({MARGIN})
  leaderboard_ranks.csv   ranks on each task
  leaderboard_suites.csv  mean ranks over the tasks of each head, two or more
  robustness.csv          encoders by corruption, severity and restorer; robustness_summary.csv their means over cases
  plots/                  severity curves, recovery matrices, robustness against accuracy
  critical_difference-PROTOCOL[-HEAD].svg  the diagram of these, for five tasks or more"""


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 with one sentence on stderr."""
    if {"--help", "-h"} & set(arguments):
        print(USAGE)
        return 0
    results, margin = "results", MARGIN
    try:
        for argument in arguments:
            name, _, value = argument.partition("=")
            if name not in ("results", "margin") or not value:
                raise UserError(f"{argument!r} is not an option here: those are results=DIR and margin=M.")
            if name == "results":
                results = value
            else:
                margin = _number(value)
        lost_rows(Path(results))
        data = read_leaderboard(Path(results))
        written = write_tables(Path(results), data, margin)
        print(table_text(data))
        print("\n".join(f"{what}: {path}" for what, path in written.items()))
    except UserError as error:
        print(f"pfmbench: {error}", file=sys.stderr)
        return 2
    return 0


def _number(margin: str) -> float:
    try:
        found = float(margin)
    except ValueError:
        raise UserError(f"margin={margin} must be a number above 0, such as margin={MARGIN}.") from None
    check_margin(found)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
