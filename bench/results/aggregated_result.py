"""One line of the leaderboard: all runs of a model on a task with a protocol, over seeds and folds."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from bench.results.frozen_tasks import name_of_other_task
from bench.rows import Row

Repeat = tuple[int, int]
"""Seed and fold, in which the runs of one result differ."""


Block = tuple[str, str, str, str]
"""Task, cohort, protocol and head: what models must share to be compared."""


class ResultKey(NamedTuple):
    """The identity of an aggregated result; `cohort` and `head` as in `bench.rows.RunKey`."""

    task: str
    cohort: str
    protocol: str
    head: str
    model: str
    frontend: str

    @property
    def block(self) -> Block:
        """What models must share to be compared."""
        return self[:4]


@dataclass(frozen=True)
class AggregatedResult:
    """The runs of one task, model, frontend and protocol, failed ones too, on the same samples at the same settings.

    Attributes
    ----------
    rows : tuple of Row
        Ordered by seed and fold; one at least.
    n_folds : int
        Folds of the task: the highest that any model has a row of; 0 for the one split.
    """

    rows: tuple[Row, ...]
    n_folds: int

    @cached_property
    def key(self) -> ResultKey:
        return _key(self.rows[0])

    @cached_property
    def successful(self) -> tuple[Row, ...]:
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

    def interval_of(self, metric: str) -> str:
        """What the interval of a metric is over, one of `bench.rows.INTERVALS`; empty where no run has the metric."""
        return next((row.interval_of(metric) for row in self.successful if metric in row.metrics), "")


def aggregated(rows: Iterable[Row]) -> list[AggregatedResult]:
    """All entries of these rows, ordered by their keys."""
    rows = sorted(rows, key=lambda row: (_key(row), row.seed, row.fold))
    n_folds: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        n_folds[row.task, row.cohort_hash] = max(row.fold, n_folds[row.task, row.cohort_hash])
    return [
        AggregatedResult(tuple(own), n_folds[key.task, key.cohort]) for key, own in itertools.groupby(rows, key=_key)
    ]


def task_names(entries: Iterable[AggregatedResult]) -> dict[tuple[str, str], str]:
    """What (task, cohort) is called: the task, with a digest in brackets where there are several of one task.

    Also where one is not the published task of its name.
    """
    rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for entry in entries:
        rows[entry.key.task, entry.key.cohort] += entry.rows
    return {pair: name_of_other_task(*pair, rows[pair]) or name for pair, name in _distinct_names(set(rows)).items()}


def protocol_names(entries: Iterable[AggregatedResult]) -> dict[tuple[str, str], str]:
    """What (protocol, head) is called, likewise."""
    return _distinct_names({(entry.key.protocol, entry.key.head) for entry in entries})


def _distinct_names(pairs: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    names = [name for name, _ in pairs]
    return {(name, digest): f"{name} [{digest}]" if names.count(name) > 1 else name for name, digest in pairs}


def _key(row: Row) -> ResultKey:
    return ResultKey(row.task, row.cohort_hash, row.protocol, row.head_config_hash, row.model, row.frontend)
