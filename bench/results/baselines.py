"""Which baselines an entry is measured against: what the head does without a pretrained model."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from bench import targets
from bench.results.aggregated_result import AggregatedResult, Repeat
from bench.rows import RowInfo
from registry import RANDOM


def baselines_of(entry: AggregatedResult, entries: Iterable[AggregatedResult]) -> list[AggregatedResult]:
    """The baselines of the same samples, protocol and settings that say something about this result.

    A random-init baseline counts only for the model whose architecture it has, one behind a frontend only for results
    behind the same. In a task with a track, one without a frontend counts only for results without any: it is about
    clean tiles.
    """
    before = {entry.key.frontend} if track_of(entry) else {"", entry.key.frontend}
    return [
        other
        for other in entries
        if other.rows[0].baseline
        and other.key.block == entry.key.block
        and other.key.frontend in before
        and (not other.key.model.endswith(RANDOM) or other.key.model == entry.key.model + RANDOM)
        and _alike(other, entry)
    ]


def track_of(entry: AggregatedResult) -> str:
    """The track of its task, "restoration" or "robustness"; "" for other tasks."""
    target = targets.get(entry.rows[0].kind)
    return target.track if isinstance(target, targets.Measurements) else RowInfo(entry.rows[0]).track


def _alike(baseline: AggregatedResult, entry: AggregatedResult) -> bool:
    """Whether no run of both lost other samples than its counterpart, as unreadable ones are left out of a run."""
    tested = {(row.seed, row.fold): (row.n_test, row.n_groups) for row in baseline.successful}
    own = {(row.seed, row.fold): (row.n_test, row.n_groups) for row in entry.successful}
    return all(tested[repeat] == own[repeat] for repeat in tested.keys() & own.keys())


def best_baseline(
    metric: str, baselines: Iterable[AggregatedResult], repeats: Collection[Repeat]
) -> tuple[float, AggregatedResult] | None:
    """The baseline with the best mean of the metric over these seeds and folds, the first among equals, and that mean.

    A baseline that lacks one of them is passed over: its mean would be of other runs.
    """
    means = [
        (math.fsum(values[repeat] for repeat in repeats) / len(repeats), baseline)
        for baseline in baselines
        if repeats and (values := baseline.values(metric)).keys() >= set(repeats)
    ]
    if not means:
        return None
    metrics = targets.get(means[0][1].rows[0].kind).metrics
    best = min if metrics.lower_is_better(metric) else max
    return best(means, key=lambda pair: pair[0])
