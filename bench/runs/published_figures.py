"""``python -m bench published``: the rows of a results folder beside what others published."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Sequence
from pathlib import Path

from bench.commands import is_true, read_arguments, run_command
from bench.config import conf_folder
from bench.published import (
    Board,
    BoardRun,
    Comparison,
    Expected,
    Figure,
    Measured,
    compare,
    comparison_text,
    figures_folder,
    listing_text,
    read_boards,
    read_figures,
    write_comparisons,
)
from bench.results import AggregatedResult, LeaderboardData, read_leaderboard
from bench.rows import warn_once
from bench.runs.configuration import load_settings
from bench.runs.row_settings import plain, task_settings
from registry.errors import UserError, near_match

FILE = "published_comparison.csv"
OPTIONS = {
    "results": "results",
    "board": "",
    "model": "",
    "task": "",
    "out": "",
    "tolerance": "",
    "all": "false",
    "figures": "",
}
USAGE = f"""Usage: python -m bench published [results=DIR] [board=NAME] [model=NAME] [task=NAME] [tolerance=T]
                                 [out=FILE] [all=true] [figures=DIR]
       python -m bench published list [board=NAME]

Sets the rows of DIR (results) beside published figures: like for like or not and why (model variant, protocol, split,
metric, tile size, settings of the task), and within tolerance or not. Nothing is run, and no row is changed. `list`
says what is published, of which models, those without a gate to their weights first, and what runs here.

  board=, model=, task=  one name, or several as a,b: these alone
  tolerance=T            in place of the rule of docs/PUBLISHED.md, on the scale from 0 to 1
  out=FILE               the CSV file (DIR/{FILE}): every head, dataset and reason
  all=true               print every head of a model, not the one that is nearest to the figure
  figures=DIR            other CSV files than those of results/published

The exit code is 0, or 2 where nothing can be compared. To run a board: python -m bench reproduce board=NAME"""


def published_command(arguments: Sequence[str]) -> int:
    """The command; exit code 0, or 2 with one sentence on stderr."""
    return run_command(arguments, USAGE, _compare_published)


def _compare_published(arguments: Sequence[str]) -> int:
    listed = arguments[:1] == ["list"]
    options = read_arguments(arguments[1:] if listed else arguments, OPTIONS).options
    everything = is_true(options, "all")
    boards, figures = read_published(options["figures"])
    names = chosen(options["board"], boards, "board") or list(boards)
    if listed:
        print(listing_text(figures, {name: boards[name] for name in names}))
        return 0
    results = Path(options["results"]).expanduser()
    found = compare_rows(
        results,
        [figure for figure in figures if figure.board in names],
        boards,
        models=names_in(options["model"]),
        tasks=names_in(options["task"]),
        option=tolerance_of(options["tolerance"]),
    )
    out = Path(options["out"]).expanduser() if options["out"] else results / FILE
    show(found, boards, out, everything=everything)
    return 0


def show(found: Sequence[Comparison], boards: dict[str, Board], out: Path, *, everything: bool = False) -> None:
    """Write the CSV file and print the tables."""
    write_comparisons(out, found)
    print(comparison_text(found, boards, everything))
    print(f"\nAll comparisons: {out}")


def read_published(folder: str = "") -> tuple[dict[str, Board], list[Figure]]:
    """The boards and all figures, those of the boards alone.

    Raises
    ------
    UserError
        If a file of either cannot be used, or a figure is of a board that has no file.
    """
    boards = read_boards(conf_folder() / "board")
    figures = read_figures(Path(folder).expanduser() if folder else figures_folder())
    for figure in figures:
        if figure.board not in boards:
            known = ", ".join(boards)
            raise UserError(
                f"A published figure is of the board {figure.board!r}, of which conf/board has no file: it has {known}."
                f"{near_match(figure.board, boards)}"
            )
    return boards, figures


def compare_rows(
    results: Path,
    figures: Sequence[Figure],
    boards: dict[str, Board],
    *,
    models: Collection[str] = (),
    tasks: Collection[str] = (),
    option: float | None = None,
) -> list[Comparison]:
    """The rows of a results folder beside these figures.

    Parameters
    ----------
    models, tasks : collection of str
        Those to compare; all where there is none.
    option : float or None
        A tolerance in place of the rule.

    Raises
    ------
    UserError
        If the folder has no rows, or none that a figure is of the task of.
    """
    data = read_leaderboard(results, warn=warn_once)
    entries = [
        entry
        for entry in data.entries
        if entry.successful and (not models or entry.key.model in models) and (not tasks or entry.key.task in tasks)
    ]
    if not entries:
        named = " of these models and tasks" if models or tasks else ""
        raise UserError(
            f"There are no rows{named} in {results / 'rows'} to compare: python -m bench reproduce board=NAME "
            "model=NAME data=DIR makes them, and python -m bench published list names boards and models."
        )
    found = compare(entries, figures, boards, _ExpectedSettings(), functools.partial(_measured, data), option)
    if not found:
        measured = ", ".join(sorted({entry.key.task for entry in entries}))
        published = ", ".join(sorted({figure.task for figure in figures if figure.task}))
        raise UserError(
            f"No figure is published of the tasks of these rows ({measured}): there are some of {published or 'none'}."
        )
    return found


class _ExpectedSettings:
    """The settings of the run that gives a figure, as its row would have them; each is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Expected | None] = {}

    def __call__(self, board: Board, figure: Figure) -> Expected | None:
        """None where no run here gives the figure, or this version lacks its protocol or task."""
        key = (board.name, figure.dataset, figure.protocol)
        if key not in self._known:
            run = board.run_of(figure.dataset, figure.protocol)
            self._known[key] = None if run is None else _expected(run)
        return self._known[key]


def _expected(run: BoardRun) -> Expected | None:
    try:
        tasks = load_settings("task", {run.task: run.settings})
        protocols = load_settings("protocol", {run.protocol: run.protocol_settings})
    except UserError:
        return None
    return Expected(task_settings(tasks[run.task]), plain(protocols[run.protocol]))


def tolerance_of(text: str) -> float | None:
    """The option tolerance=; None where it is left out.

    Raises
    ------
    UserError
        If it is no number from 0 to 1.
    """
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise UserError(f"tolerance={text} must be a number from 0 to 1, such as tolerance=0.01.")
    return found


def chosen(text: str, known: Collection[str], what: str) -> list[str]:
    """The names of ``a,b`` or ``[a,b]``.

    Raises
    ------
    UserError
        If one is not known.
    """
    names = names_in(text)
    for name in names:
        if name not in known:
            raise UserError(f"There is no {what} '{name}': choose of {', '.join(known)}.{near_match(name, known)}")
    return names


def _measured(data: LeaderboardData, entry: AggregatedResult, metric: str) -> Measured:
    """The value of a result with the interval that the tables have for it."""
    interval = data.intervals.get((entry.key, metric))
    low, high = (interval.ci_low, interval.ci_high) if interval else (None, None)
    if interval is None and len(entry.values(metric)) == 1:
        one = next(row.metrics[metric] for row in entry.successful if row.value(metric) is not None)
        low, high = one.get("ci_low"), one.get("ci_high")
    return Measured(entry, metric, data.value(entry, metric), entry.sd(metric), low, high)


def names_in(text: str) -> list[str]:
    """The names of ``a,b`` or ``[a,b]``, none where the text is empty."""
    return [name.strip() for name in text.strip("[]").split(",") if name.strip()]
