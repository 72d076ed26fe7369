"""Paired differences between results: two models are compared on the same test samples and the same resamples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench import targets
from bench.metrics import Interval, Replicates
from bench.report.baselines import baselines_of
from bench.report.resampling import Resampled, mean_replicates
from bench.report.results import AggregatedResult
from bench.rows import RunKey


@dataclass(frozen=True)
class Comparison:
    """The mean difference a - b of a metric over the runs that both have, with its 95 % interval.

    Each run of the one is paired with that of the other of the same seed and fold, on the same test samples and
    resamples; the differences are averaged draw by draw (paired cluster bootstrap).

    Attributes
    ----------
    n_runs : int
        Pairs of runs in the mean.
    n_test, n_groups : int
        Test samples and their groups, summed over folds.
    """

    a: AggregatedResult
    b: AggregatedResult
    metric: str
    difference: Interval
    n_runs: int
    n_test: int
    n_groups: int


def pairs(entries: Collection[AggregatedResult]) -> Iterator[tuple[AggregatedResult, AggregatedResult]]:
    """Of entries of one block: each model against each baseline that applies to it, and any two models once.

    Two models are compared behind the same frontend, and one model with itself behind two: never both at once.
    """
    models = [entry for entry in entries if not entry.rows[0].baseline]
    for entry in models:
        yield from ((entry, baseline) for baseline in baselines_of(entry, entries))
    for a, b in itertools.combinations(models, 2):
        if a.key.frontend == b.key.frontend or a.key.model == b.key.model:
            yield a, b


def compare(
    wanted: Iterable[tuple[AggregatedResult, AggregatedResult]], resampled: Mapping[RunKey, Resampled]
) -> list[Comparison]:
    """The paired differences of the wanted pairs, in their order, metric by metric; all that models are compared by.

    Left out of a pair are runs that were not tested on the same samples, that lack the metric, or where it is
    undefined, and those that could not be resampled; pairs of which nothing is left are left out.
    """
    means = _Means(resampled)
    found = []
    for a, b in wanted:
        shared = list(_shared(a, b, resampled))
        for metric in targets.get(a.rows[0].kind).metrics.metrics:
            both = [(one, other) for one, other in shared if means.has(one, metric) and means.has(other, metric)]
            if both:
                own, others = (tuple(runs) for runs in zip(*both, strict=True))
                tested = {resampled[run].samples: resampled[run] for run in own}.values()
                difference = (means.of(own, metric) - means.of(others, metric)).interval()
                n_test, n_groups = sum(one.n_test for one in tested), sum(one.n_groups for one in tested)
                found.append(Comparison(a, b, metric, difference, len(both), n_test, n_groups))
    return found


class _Means:
    """Means over runs, each computed once, as the same mean is part of many differences."""

    def __init__(self, resampled: Mapping[RunKey, Resampled]) -> None:
        self._resampled = resampled
        self._found: dict[tuple[tuple[RunKey, ...], str], Replicates] = {}

    def has(self, run: RunKey, metric: str) -> bool:
        replicates = self._resampled[run].replicates.get(metric)
        return replicates is not None and not math.isnan(replicates.value)

    def of(self, runs: tuple[RunKey, ...], metric: str) -> Replicates:
        if (runs, metric) not in self._found:
            self._found[runs, metric] = mean_replicates([self._resampled[run].replicates[metric] for run in runs])
        return self._found[runs, metric]


def _shared(
    a: AggregatedResult, b: AggregatedResult, resampled: Mapping[RunKey, Resampled]
) -> Iterator[tuple[RunKey, RunKey]]:
    """The runs of both of the same seed and fold, on the same samples."""
    others = {(row.seed, row.fold): row.key for row in b.rows if row.key in resampled}
    for row in a.rows:
        other = others.get((row.seed, row.fold))
        if other is not None and row.key in resampled and resampled[row.key].samples == resampled[other].samples:
            yield row.key, other
