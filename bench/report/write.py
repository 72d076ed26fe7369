"""The files of the leaderboard, rebuilt from rows and predictions: the same bytes whenever nothing changed."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.files import atomic_write, unwritable
from bench.plots import Choice, Plot, plots_of, save_plots
from bench.report.rank_tables import RANKS, SUITES, rank_records, suite_diagram, suite_records
from bench.report.restoration_tables import RESTORATION, restoration_records
from bench.report.robustness_tables import (
    ROBUSTNESS,
    SUMMARY,
    robustness_records,
    robustness_summary_records,
)
from bench.report.tables import (
    LONG,
    MARGIN,
    MEAN,
    PAIRED,
    Record,
    long_records,
    mean_records,
    paired_records,
    wide_records,
)
from bench.results import LeaderboardData, SuiteRanks, suite_ranks
from bench.rows import file_name
from registry.errors import UserError

OF_TRACKS = ("restoration.csv", "robustness.csv", "robustness_summary.csv")
"""Tables that are written only where there are rows for them."""


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
    """Write leaderboard.csv, its companions and the diagrams of ranks; gives what each is, and where.

    The companions are ``_mean``, ``_wide``, ``_paired``, ``_ranks`` and ``_suites``. Where restorers were measured
    there is ``restoration.csv``, where encoders were measured behind corruptions ``robustness.csv``,
    ``robustness_summary.csv`` and the plots. There is a diagram ``critical_difference-PROTOCOL.svg`` for each head that
    was fitted on enough tasks, its name with ``-HEAD`` where the protocol has several settings; an earlier one of a
    head that has none now is removed, and so are tables of restoration and robustness without rows.

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
    entries = data.entries
    if not entries:
        raise UserError(
            f"No rows to make a leaderboard of in {folder / 'rows'}: run a benchmark first, or name another folder "
            "with results=DIR."
        )
    wide = wide_records(data)
    ranked = [block for block in data.ranked if not block.measured]
    suites = [suite for suite in suite_ranks(ranked) if len(suite.tasks) + len(suite.left_out) > 1]
    tables: dict[str, tuple[Path, Sequence[str], Iterable[Record]]] = {
        "leaderboard": (folder / "leaderboard.csv", LONG, long_records(entries)),
        "means over seeds and folds": (folder / "leaderboard_mean.csv", MEAN, mean_records(data)),
        "model by task": (folder / "leaderboard_wide.csv", list(wide[0]), wide),
        "paired differences": (folder / "leaderboard_paired.csv", PAIRED, paired_records(data, margin)),
        "ranks on each task": (folder / "leaderboard_ranks.csv", RANKS, rank_records(data.ranked)),
        "mean ranks over tasks": (folder / "leaderboard_suites.csv", SUITES, suite_records(suites)),
    }
    restored = restoration_records(data)
    if restored:
        tables["restorers by corruption and severity"] = (folder / "restoration.csv", RESTORATION, restored)
    degraded = robustness_records(data)
    if degraded:
        summary = robustness_summary_records(data)
        tables["encoders by corruption and restorer"] = (folder / "robustness.csv", ROBUSTNESS, degraded)
        tables["encoders over all corruptions"] = (folder / "robustness_summary.csv", SUMMARY, summary)
    for path, columns, records in tables.values():
        _write_csv(path, columns, records, option)
    written = {what: path for what, (path, _, _) in tables.items()}
    _remove({folder / name for name in OF_TRACKS} - set(written.values()), option)
    drawn = list(plots_of(data, folder, plots))
    return written | _write_diagrams(folder, suites, option) | _write_plots(folder / "plots", drawn, option)


def _write_plots(folder: Path, plots: Sequence[Plot], option: str) -> dict[str, Path]:
    """The plots; those that an earlier report drew of results that are gone are removed."""
    try:
        return {"plots": folder} if save_plots(folder, plots) else {}
    except OSError as error:
        raise unwritable(folder / "plot", error, option) from error


def _write_diagrams(results: Path, suites: Sequence[SuiteRanks], option: str) -> dict[str, Path]:
    protocols = [suite.protocol for suite in suites]
    written: dict[str, Path] = {}
    stale: set[Path] = set()
    for suite in suites:
        head = file_name(suite.head).replace("-", "+")
        alone, with_head = (_diagram_path(results, suite.protocol, *parts) for parts in ((), (head,)))
        stale |= {alone, with_head}
        svg = suite_diagram(suite)
        if svg is not None:
            several = protocols.count(suite.protocol) > 1
            path = with_head if several else alone
            _write(path, svg, option)
            written[f"ranks with {suite.protocol}" + (f" [{suite.head}]" if several else "")] = path
    _remove(stale - set(written.values()), option)
    return written


def _diagram_path(results: Path, protocol: str, *head: str) -> Path:
    return results / f"{'-'.join(['critical_difference', file_name(protocol), *head])}.svg"


def _write_csv(path: Path, columns: Sequence[str], records: Iterable[Record], option: str) -> None:
    """Write line by line: the lines of many runs together take gigabytes."""
    try:
        with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(records)
    except OSError as error:
        raise unwritable(path, error, option) from error


def _write(path: Path, content: str | bytes, option: str) -> None:
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise unwritable(path, error, option) from error


def _remove(paths: Iterable[Path], option: str) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error, option) from error
