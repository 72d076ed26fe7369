"""The step report: the tables, plots and page of a results folder are written, and the answer is printed."""

from __future__ import annotations

from pathlib import Path

from bench import report
from bench.config import PlotChoice
from bench.jobs import lost_rows
from bench.results import read_leaderboard
from bench.runs.context import RunContext
from bench.runs.plan import Plan, blocks_of


def print_report(context: RunContext, plan: Plan | None) -> None:
    """Write the tables of the results folder and print those of the planned runs, or all."""
    config = context.config
    blocks = blocks_of(plan) if plan is not None else None
    print_tables(context.results, config.margin, blocks, config.plots, everything=config.all)


def print_tables(
    results: Path,
    margin: float,
    blocks: set[tuple[str, str, str, str]] | None,
    plots: PlotChoice = PlotChoice.best,
    *,
    everything: bool = False,
) -> None:
    """Write tables and plots of a results folder and print the answer and tables of some blocks, or all.

    Without rows of a run nothing is printed.

    Parameters
    ----------
    plots : PlotChoice
        Which plots are drawn.
    everything : bool
        Whether all that is in the folder is printed in full, whatever `blocks` are.
    """
    lost_rows(results)
    data = read_leaderboard(results)
    if not data.entries and blocks is not None:
        return
    written = report.write_tables(results, data, margin, plots=plots.value)
    if everything or blocks is None or blocks:
        print(report.table_text(data, None if everything else blocks, everything), end="\n\n")
    print(report.files_text(results, written))
