"""Paired differences between results: two models are compared on the same test samples, group by group."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench import targets
from bench.metrics import Metric, Replicates, degrees_of_freedom, standard_error, swapped_differences
from bench.results.aggregated_result import AggregatedResult, ResultKey
from bench.results.baselines import baselines_of, track_of
from bench.results.chains import starts_with
from bench.results.estimates import averaged, definition, of_repeats, on_same_samples
from bench.results.resampling import Number, Pass, Passes
from bench.statistics import (
    Studentised,
    corrected_error,
    difference_inflation,
    p_better,
    p_of_swaps,
    swaps,
    training_influence,
)

MOST_SWAPPED = 200
"""Groups up to which p is by swaps; for more, Student's t has the same level at a fraction of the cost."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference a - b of a metric over the runs that both have, on the same test samples.

    Attributes
    ----------
    difference : Studentised
        Its 95 % interval, the p of equivalence, and what could have been detected.
    p : float
        Two-sided p of no difference; NaN where it cannot be known.
    p_by : str
        "exact swap" or "swap" of the two predictions of each group, "t", or "corrected t" over folds.
    p_better : float
        Share of the resamples of the test groups in which a is better than b.
    n_runs : int
        Pairs of runs.
    n_test, n_groups : int
        Test samples and their groups.
    """

    a: AggregatedResult
    b: AggregatedResult
    metric: str
    difference: Studentised
    p: float
    p_by: str
    p_better: float
    n_runs: int
    n_test: int
    n_groups: int

    @property
    def key(self) -> tuple[ResultKey, ResultKey, str]:
        return self.a.key, self.b.key, self.metric

    @property
    def primary(self) -> bool:
        """Whether it is of the metric that the task is ranked by."""
        return self.metric == self.a.rows[0].primary_metric

    @property
    def a_is_better(self) -> bool:
        """Whether the difference favours a."""
        sign = -1 if definition(self.a, self.metric).lower_is_better else 1
        return sign * self.difference.difference > 0

    def p_equivalent(self, margin: float) -> float:
        """P of a difference of `margin` or more; NaN for metrics without two bounds, which have no common unit."""
        scale = definition(self.a, self.metric).scale
        bounded = scale is not None and math.isfinite(scale.low) and math.isfinite(scale.high)
        return self.difference.p_equivalent(margin) if bounded else math.nan


def pairs_of_conditions(entries: Sequence[AggregatedResult]) -> Iterator[tuple[AggregatedResult, AggregatedResult]]:
    """Of entries of one block of a robustness task: models behind the same chain, and each with itself on less of it.

    A model behind a chain is compared with each baseline that applies to it and with each other model behind the same
    chain. A model or baseline is compared with itself on clean tiles, and behind a restorer with itself without it.
    """
    for entry in entries:
        if not entry.rows[0].baseline:
            of_chain = (one for one in baselines_of(entry, entries) if one.key.frontend == entry.key.frontend)
            yield from ((entry, baseline) for baseline in of_chain)
    for a, b in itertools.combinations(entries, 2):
        alike = a.key.frontend == b.key.frontend
        if a.key.model == b.key.model:
            longer, shorter = (a, b) if len(a.key.frontend) > len(b.key.frontend) else (b, a)
            if starts_with(longer.key.frontend, shorter.key.frontend):
                yield longer, shorter
        elif alike and not a.rows[0].baseline and not b.rows[0].baseline:
            yield a, b


def pairs(entries: Collection[AggregatedResult]) -> Iterator[tuple[AggregatedResult, AggregatedResult]]:
    """Of entries of one block: each model against each baseline that applies to it, and any two models once.

    Two models are compared behind the same frontend, and one model with itself behind two, where its target type does:
    never both at once. Restorers that are baselines are compared with tiles that nothing restored.
    """
    models = [entry for entry in entries if not entry.rows[0].baseline]
    for entry in models:
        yield from ((entry, baseline) for baseline in baselines_of(entry, entries))
    for a, b in itertools.combinations(models, 2):
        if a.key.frontend == b.key.frontend or (a.key.model == b.key.model and _compares_itself(a, b)):
            yield a, b
    for entry in entries:
        if entry.rows[0].baseline and track_of(entry) == targets.RESTORATION and entry.key.model != targets.UNTOUCHED:
            untouched = (other for other in baselines_of(entry, entries) if other.key.model == targets.UNTOUCHED)
            yield from ((entry, other) for other in untouched)


def _compares_itself(a: AggregatedResult, b: AggregatedResult) -> bool:
    return targets.get(a.rows[0].kind).compares_itself(a.key.frontend, b.key.frontend)


def compare(wanted: Iterable[tuple[AggregatedResult, AggregatedResult]], passes: Passes) -> list[Comparison]:
    """The paired differences of the wanted pairs, in their order, metric by metric; all that models are compared by.

    Left out of a pair are folds that one of them lacks in any seed or repeat, or that were not tested on the same
    samples; so are metrics that one lacks, and pairs of which nothing is left.
    """
    found = []
    for a, b in wanted:
        both = _shared(passes.of[a.key], passes.of[b.key])
        metrics = targets.get(a.rows[0].kind).metrics.metrics if both else ()
        found += [_compared(a, b, metric, both, passes) for metric in metrics]
    return [comparison for comparison in found if comparison]


def _shared(a: Mapping[Number, Pass], b: Mapping[Number, Pass]) -> list[tuple[Pass, Pass]]:
    """The passes that both have, each over the runs of both on the same samples, and all over the same samples.

    Where a fold of one seed is missing, it is left out of the other seeds too.
    """
    numbers = [number for number in a if number in b]
    tested = {number: a[number].runs.keys() & b[number].runs.keys() for number in numbers}
    both = {n: (a[n].only(tested[n]), b[n].only(tested[n])) for n in numbers if tested[n]}
    if both and not on_same_samples([one for one, _ in both.values()]):
        everywhere = set.intersection(*(set(tested[n]) for n in both))
        both = {n: (own.only(everywhere), other.only(everywhere)) for n, (own, other) in both.items() if everywhere}
    return list(both.values())


def _compared(
    a: AggregatedResult, b: AggregatedResult, metric: str, both: Sequence[tuple[Pass, Pass]], passes: Passes
) -> Comparison | None:
    """The comparison by one metric; None where a pass of them lacks it or leaves it undefined."""
    of = definition(a, metric)
    found = paired_difference(metric, of, both, passes)
    if found is None:
        return None
    difference, mean = found
    n_folds, first, n_groups = len(both[0][0].runs), both[0][0].predictions, both[0][0].n_groups
    p, p_by = difference.p if difference.difference else 1.0, "corrected t" if n_folds > 1 else "t"
    several = len({own.number[1] for own, _ in both}) > 1
    if n_folds == 1 and not several and metric == a.rows[0].primary_metric and 1 < n_groups <= MOST_SWAPPED:
        p, p_by = _p_of_swaps(difference.difference, of, both, n_groups)
    return Comparison(
        a=a,
        b=b,
        metric=metric,
        difference=difference,
        p=p,
        p_by=p_by,
        p_better=p_better(mean.draws + (difference.difference - mean.value), lower_is_better=of.lower_is_better),
        n_runs=n_folds * len(both),
        n_test=len(first.ids),
        n_groups=n_groups,
    )


def paired_difference(
    metric: str, of: Metric, both: Sequence[tuple[Pass, Pass]], passes: Passes
) -> tuple[Studentised, Replicates] | None:
    """The mean difference of a metric over pairs of passes on the same samples, and what it rests on.

    None where a pass lacks the metric or leaves it undefined.
    """
    own, others = [one for one, _ in both], [other for _, other in both]
    scores = [[passes.replicates(one).get(metric) for one in side] for side in (own, others)]
    if any(one is None or math.isnan(one.value) for side in scores for one in side):
        return None
    differences = [one - other for one, other in zip(*scores, strict=True) if one is not None and other is not None]
    mean = averaged(differences)
    influence, n_folds = mean.influence, len(own[0].runs)
    several = len({one.number[1] for one in own}) > 1
    if n_folds > 1:
        influence = influence * math.sqrt(difference_inflation(n_folds))
    elif several:
        influence = np.append(training_influence(of_repeats(own, differences)), influence)
    difference = Studentised(mean.value, standard_error(influence), degrees_of_freedom(influence, mean.n_added))
    if n_folds > 1 and (several or not of.pooled):  # over repeats, the spread of all folds is known better
        by_fold = _by_fold(metric, both)
        difference = Studentised(float(by_fold.mean()), corrected_error(by_fold, n_folds), len(by_fold) - 1)
    return difference, mean


def _by_fold(metric: str, both: Sequence[tuple[Pass, Pass]]) -> np.ndarray:
    """The difference of each fold in which both have a value, the mean over seeds; [fold of all repeats]."""
    found: dict[tuple[int, str], list[float]] = defaultdict(list)
    for own, others in both:
        for samples, (row, _) in own.runs.items():
            value, of_other = row.value(metric), others.runs[samples][0].value(metric)
            if value is not None and of_other is not None:
                found[own.number[1], samples].append(value - of_other)
    return np.array([float(np.mean(values)) for values in found.values()] or [math.nan])


def _p_of_swaps(value: float, metric: Metric, both: Sequence[tuple[Pass, Pass]], n_groups: int) -> tuple[float, str]:
    """P by exchanging the predictions of groups, the same in each seed."""
    chosen, exact = swaps(n_groups, seed=0)
    swapped = [
        swapped_differences(
            metric,
            own.predictions.y_true,
            own.predictions.scores,
            others.predictions.scores,
            own.group,
            chosen,
        )
        for own, others in both
    ]
    p = p_of_swaps(value, np.mean(swapped, axis=0), exact=exact)
    return p, "exact swap" if exact else "swap"
