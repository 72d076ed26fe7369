"""``python -m bench report [results=DIR]``: rebuild the tables from the rows and print them."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.report.leaderboard_data import read_leaderboard
from bench.report.show import table_text
from bench.report.tables import write_tables
from registry.errors import UserError

USAGE = """Usage: python -m bench report [results=DIR]

Rebuilds leaderboard.csv, leaderboard_mean.csv, leaderboard_wide.csv and leaderboard_paired.csv in DIR (results) from
its rows and predictions, and prints the table. Nothing is run."""


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 with one sentence on stderr."""
    if {"--help", "-h"} & set(arguments):
        print(USAGE)
        return 0
    results = "results"
    try:
        for argument in arguments:
            name, _, value = argument.partition("=")
            if name != "results" or not value:
                raise UserError(f"{argument!r} is not an option here: the only one is results=DIR.")
            results = value
        data = read_leaderboard(Path(results))
        written = write_tables(Path(results), data)
        print(table_text(data))
        print("\n".join(f"{what}: {path}" for what, path in written.items()))
    except UserError as error:
        print(f"pfmbench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
