"""The files of the leaderboard, rebuilt from rows and predictions: the same bytes whenever nothing changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from bench.plots import Choice
from bench.report.audit_pages import write_audit_pages
from bench.report.csv_tables import write_csv_tables, write_restoration, write_robustness
from bench.report.figures import write_plots, write_rank_diagrams
from bench.report.markdown_leaderboard import write_markdown
from bench.report.page_file import write_page
from bench.report.report_files import ReportFiles
from bench.report.schema import write_schema
from bench.report.tables import MARGIN
from bench.results import LeaderboardData
from registry.errors import UserError

STEPS: tuple[Callable[[ReportFiles], dict[str, Path]], ...] = (
    write_csv_tables,
    write_restoration,
    write_robustness,
    write_schema,
    write_audit_pages,
    write_markdown,
    write_rank_diagrams,
    write_plots,
    write_page,
)
"""What makes the files, in the order in which they are listed.

Each step writes its files, removes those of an earlier report that it would not write now, and gives what each is, and
where.
"""


def check_margin(margin: float) -> None:
    """The margin of equivalence must be a number above 0.

    Raises
    ------
    UserError
        If it is not.
    """
    if not 0 < margin < math.inf:
        raise UserError(
            f"margin={margin} must be a number above 0: the difference from which on two models are not alike, such as "
            f"margin={MARGIN}."
        )


def write_tables(
    folder: Path,
    data: LeaderboardData,
    margin: float = MARGIN,
    option: str = "results=DIR",
    plots: Choice = "none",
) -> dict[str, Path]:
    """Write leaderboard.csv and all that comes beside it (`STEPS`); gives what each file is, and where.

    Parameters
    ----------
    folder : Path
        Where they are written: the results folder, or another.
    margin : float
        Of equivalence, above 0: `p_equivalent` is that of a difference as large or larger.
    option : str
        The setting that names the folder, for errors.
    plots : "best", "all" or "none"
        Which plots are drawn, as of `bench.plots.plots_of`; with "none" those of an earlier report are removed.

    Raises
    ------
    UserError
        If there is no row to build from, the margin is not above 0, or the folder cannot be written.
    """
    check_margin(margin)
    if not data.entries:
        raise UserError(
            f"No rows to make a leaderboard of in {folder / 'rows'}: run a benchmark first, or name another folder "
            "with results=DIR."
        )
    report = ReportFiles(folder, data, margin, option, plots)
    return {what: path for step in STEPS for what, path in step(report).items()}
