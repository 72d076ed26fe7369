"""What stands in one line of the leaderboard: all runs of a model on a task with a protocol, over seeds and folds."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from bench.leaderboard.resampling import Resampled, mean_replicates
from bench.leaderboard.rows import Row, Run
from bench.metrics import Interval

Repeat = tuple[int, int]
"""Seed and fold: what tells the runs of one entry apart."""


class Key(NamedTuple):
    """What tells an entry from every other; `asked` and `settings` as in `Row`."""

    task: str
    asked: str
    protocol: str
    settings: str
    model: str
    frontend: str

    @property
    def block(self) -> tuple[str, str, str, str]:
        """What models must share to be compared."""
        return self[:4]


@dataclass(frozen=True)
class Entry:
    """The runs of one task, model, frontend and protocol, whole or failed, on the same samples at the same settings.

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
    def key(self) -> Key:
        return _key(self.rows[0])

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
    """All entries of these rows, ordered by their keys."""
    rows = sorted(rows, key=lambda row: (_key(row), row.seed, row.fold))
    n_folds: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        n_folds[row.task, row.asked] = max(row.fold, n_folds[row.task, row.asked])
    return [Entry(tuple(own), n_folds[key.task, key.asked]) for key, own in itertools.groupby(rows, key=_key)]


def task_names(entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """What (task, asked) is called: the task, with the digest in brackets where there are several of one task."""
    return _told_apart({(entry.key.task, entry.key.asked) for entry in entries})


def protocol_names(entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """What (protocol, settings) is called, likewise."""
    return _told_apart({(entry.key.protocol, entry.key.settings) for entry in entries})


def _told_apart(pairs: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    names = [name for name, _ in pairs]
    return {(name, digest): f"{name} [{digest}]" if names.count(name) > 1 else name for name, digest in pairs}


def _key(row: Row) -> Key:
    return Key(row.task, row.asked, row.protocol, row.settings, row.model, row.frontend)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
