"""Measured results beside published figures: like for like or not and why, and within tolerance or not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.published.boards import Board
from bench.published.figures import Figure
from bench.published.likeness import Expected, reasons
from bench.published.tolerance import Tolerance, tolerance
from bench.results import AggregatedResult

LIKE = ("yes", "nearly", "no")
Group = tuple[str, str, str, str, str, str]
"""Board, dataset, metric, protocol, split and version: figures that differ in their model only."""
FindExpected = Callable[[Board, Figure], Expected | None]


@dataclass(frozen=True)
class Measured:
    """A result of ours by one metric.

    Attributes
    ----------
    result : AggregatedResult
    metric : str
    value, sd : float or None
        Over the runs that have a value.
    low, high : float or None
        The interval of the value over test patients; None where it is not known.
    """

    result: AggregatedResult
    metric: str
    value: float | None
    sd: float | None
    low: float | None
    high: float | None

    @property
    def runs(self) -> int:
        return len(self.result.values(self.metric))


@dataclass(frozen=True)
class Comparison:
    """A result beside a figure, or beside the range of a board that has no figure of its model.

    Attributes
    ----------
    measured : Measured
    figure : Figure
        Of the result's model; of any model of the board where `of_board` is not None.
    of_board : (float, float, int) or None
        Lowest and highest figure of the board and how many there are, where it has none of the model.
    reasons : tuple of str
        Why the two are not like for like; empty where they are, or nearly.
    tolerance : Tolerance or None
        None where they are not like for like, for which there is no verdict.
    """

    measured: Measured
    figure: Figure
    of_board: tuple[float, float, int] | None
    reasons: tuple[str, ...]
    tolerance: Tolerance | None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What differs and makes no other run of it: what is known of the source, and fewer runs than it has."""
        known = (self.figure.differs,) if self.figure.differs else ()
        runs, published = self.measured.runs, self.figure.runs
        fewer = published is not None and not self.of_board and runs < published
        return (*known, f"{runs} run{'s' * (runs != 1)} here (published: mean of {published})") if fewer else known

    @property
    def like(self) -> str:
        """One of `LIKE`: "nearly" where remarks are all that there is."""
        return "no" if self.reasons else "nearly" if self.remarks else "yes"

    @property
    def difference(self) -> float | None:
        """Ours minus the published value; None where one of them is missing."""
        if self.of_board or self.measured.value is None:
            return None
        return self.measured.value - self.figure.value

    @property
    def within(self) -> bool | None:
        """Whether the difference is within the tolerance; None where there is no verdict."""
        if self.tolerance is None or self.difference is None:
            return None
        return abs(self.difference) <= self.tolerance.value + 1e-12

    @property
    def in_interval(self) -> bool | None:
        """Whether the published value is in our interval over test patients; None where either is not known."""
        low, high = self.measured.low, self.measured.high
        if self.of_board or low is None or high is None or math.isnan(low) or math.isnan(high):
            return None
        return low <= self.figure.value <= high


def compare(
    results: Iterable[AggregatedResult],
    figures: Sequence[Figure],
    boards: Mapping[str, Board],
    expected: FindExpected,
    measure: Callable[[AggregatedResult, str], Measured],
    option: float | None = None,
) -> list[Comparison]:
    """Every result beside every figure of its task; baselines are left out.

    Parameters
    ----------
    expected : callable
        From a board and a figure to the settings of the run that gives it.
    measure : callable
        From a result and a metric to its value and interval.
    option : float or None
        A tolerance in place of the rule.
    """
    groups: dict[Group, list[Figure]] = {}
    for figure in figures:
        if figure.task:
            groups.setdefault(_group(figure), []).append(figure)
    return [
        comparison
        for result in results
        if result.successful and not result.successful[0].baseline
        for group in groups.values()
        if group[0].task == result.key.task
        for comparison in _comparisons_of(result, group, boards[group[0].board], expected, measure, option)
    ]


def of_figures(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Of the results of a model, for each figure or board, the nearest: of its protocol, then with the fewest reasons.

    Figures of validation sides are left out, as no row is of one, and so are the ranges of boards that have a figure of
    the model on another dataset of the task, or whose metric the rows lack.
    """
    every = list(comparisons)
    own_figures = {_of_board(one) for one in every if one.of_board is None}
    nearest: dict[tuple[object, ...], Comparison] = {}
    for one in every:
        if one.figure.side == "val":
            continue
        if one.of_board and (_of_board(one) in own_figures or one.measured.value is None):
            continue
        own = one.measured.result.key
        group = _group(one.figure)
        key = (own.model, own.frontend, own.task, *(group[:3] if one.of_board else (*group, one.figure.printed)))
        if key not in nearest or _distance(one) < _distance(nearest[key]):
            nearest[key] = one
    return list(nearest.values())


def _of_board(one: Comparison) -> tuple[str, str, str]:
    return one.figure.board, one.figure.task, one.measured.result.key.model


def _distance(one: Comparison) -> tuple[bool, int, bool]:
    of_protocol = any(reason.startswith("protocol: ") for reason in one.reasons)
    return of_protocol, len(one.reasons), one.measured.result.key.protocol != one.figure.protocol


def _group(figure: Figure) -> Group:
    return figure.board, figure.dataset, figure.metric, figure.protocol, figure.split, figure.version


def _comparisons_of(
    result: AggregatedResult,
    group: Sequence[Figure],
    board: Board,
    expected: FindExpected,
    measure: Callable[[AggregatedResult, str], Measured],
    option: float | None,
) -> Iterator[Comparison]:
    own = [figure for figure in group if figure.model == result.key.model]
    measured = measure(result, group[0].metric)
    for figure in own:
        why = tuple(reasons(result, figure, expected(board, figure)))
        allowed = None if why else tolerance(figure, measured.sd, board.tolerance, option)
        yield Comparison(measured, figure, None, why, allowed)
    if not own:
        values = [figure.value for figure in group]
        absent = f"model: {board.name} has no figure of {result.key.model}"
        why = (absent, *reasons(result, group[0], expected(board, group[0]), own_model=False))
        yield Comparison(measured, group[0], (min(values), max(values), len(values)), why, None)
