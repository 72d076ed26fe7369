"""What stands in one line of the leaderboard: all runs of a model on a task with a protocol, over seeds and folds."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bench.leaderboard.resampling import Resampled, mean_replicates
from bench.leaderboard.rows import Row, Run
from bench.metrics import Interval

Repeat = tuple[int, int]
"""Seed and fold: what tells the runs of one entry apart."""


@dataclass(frozen=True)
class Entry:
    """The runs of one task, model, frontend and protocol, whole or failed; one split and folds are two entries.

    Attributes
    ----------
    rows : tuple of Row
        Ordered by seed and fold; one at least.
    n_folds : int
        Folds of the task: the highest that any model has a row of; 0 for the one split.
    """

    rows: tuple[Row, ...]
    n_folds: int

    @property
    def key(self) -> tuple[str, str, str, str, bool]:
        """What tells this entry from every other: task, protocol, model, frontend, and whether it is of folds."""
        one = self.rows[0]
        return one.task, one.protocol, one.model, one.frontend, self.n_folds > 0

    @cached_property
    def whole(self) -> tuple[Row, ...]:
        """The rows that did not fail."""
        return tuple(row for row in self.rows if row.ok)

    @property
    def seeds(self) -> list[int]:
        return sorted({row.seed for row in self.rows})

    @property
    def n_expected(self) -> int:
        """Runs that there would be if every seed had every fold."""
        return len(self.seeds) * max(1, self.n_folds)

    def values(self, metric: str) -> dict[Repeat, float]:
        """The metric of each run that has a value."""
        return {(row.seed, row.fold): value for row in self.rows if (value := row.value(metric)) is not None}

    def mean(self, metric: str) -> float | None:
        """Mean over the runs that have a value; None if none has."""
        values = self.values(metric).values()
        return math.fsum(values) / len(values) if values else None

    def sd(self, metric: str) -> float | None:
        """Standard deviation (n - 1) over the runs that have a value; None for fewer than two."""
        values = self.values(metric).values()
        return statistics.stdev(values) if len(values) > 1 else None

    def interval(self, metric: str, resampled: Mapping[Run, Resampled]) -> Interval | None:
        """The 95 % interval of the mean by cluster bootstrap; that of its row for a single run.

        The mean of several runs is resampled draw by draw: runs on the same samples share the resamples, runs of
        different folds do not. None if a run cannot be resampled or none has a value.
        """
        runs = [row for row in self.rows if row.value(metric) is not None]
        if len(runs) == 1:
            return Interval(*(_number(runs[0].metrics[metric][name]) for name in ("value", "ci_low", "ci_high")))
        found = [resampled[row.run].replicates.get(metric) for row in runs if row.run in resampled]
        if not runs or len(found) < len(runs) or None in found:
            return None
        return mean_replicates([replicates for replicates in found if replicates is not None]).interval()


def entries_of(rows: Iterable[Row]) -> list[Entry]:
    """All entries of these rows, ordered by task, protocol, model and frontend."""

    def key(row: Row) -> tuple[str, str, str, str, bool]:
        return row.task, row.protocol, row.model, row.frontend, row.fold > 0

    rows = sorted(rows, key=lambda row: (*key(row), row.seed, row.fold))
    n_folds: dict[str, int] = {}
    for row in rows:
        n_folds[row.task] = max(row.fold, n_folds.get(row.task, 0))
    grouped = ((tuple(own), of) for of, own in itertools.groupby(rows, key=key))
    return [Entry(own, n_folds[own[0].task] if of_folds else 0) for own, (*_, of_folds) in grouped]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
