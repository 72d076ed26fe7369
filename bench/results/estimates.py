"""The value of a result over its seeds, folds and repeats, and the interval that goes with it.

What the interval is over:

- One test set: other test patients; the trained heads are what they are.
- Folds: other patients, of whom all but a fold are trained on.
- One test set and repeats, whose heads are trained on parts of the training patients: other test and other training
  patients.

`bench.statistics.training` has the equations, and `python -m benchmarks.coverage` shows how far they hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench import targets
from bench.metrics import Interval, Metric, Replicates
from bench.results.aggregated_result import AggregatedResult
from bench.results.resampling import Pass, Passes
from bench.statistics import score_inflation, training_influence


def estimate(entry: AggregatedResult, metric: str, passes: Passes) -> Interval | None:
    """The value and interval of a metric over all runs of a result; that of its row for a single run.

    None if a run that has a value cannot be resampled, or none has one.
    """
    runs = [row for row in entry.rows if row.value(metric) is not None]
    if len(runs) == 1:
        return Interval(*(_number(runs[0].metrics[metric][name]) for name in ("value", "ci_low", "ci_high")))
    found = mean_replicates(entry, metric, passes)
    return None if found is None else found.interval()


def mean_replicates(entry: AggregatedResult, metric: str, passes: Passes) -> Replicates | None:
    """The mean of a metric over the passes of a result, with the spread that training adds; None as above."""
    own = list(passes.of[entry.key].values())
    valued = {row.key for row in entry.rows if row.value(metric) is not None}
    if not valued or valued != {row.key for one in own for row in one.rows} or not on_same_samples(own):
        return None
    found = [passes.replicates(one).get(metric) for one in own]
    complete = [one for one in found if one is not None and not math.isnan(one.value)]
    if len(complete) < len(own):
        return None
    mean = averaged(complete)
    n_folds = len(own[0].runs)
    if n_folds > 1:
        if not definition(entry, metric).pooled:
            mean = moved(mean, float(np.mean(list(entry.values(metric).values()))))
        return replace(mean, influence=mean.influence * math.sqrt(score_inflation(n_folds)))
    if repeated(own):
        return replace(mean, influence=np.append(training_influence(of_repeats(own, complete)), mean.influence))
    return mean


def averaged(replicates: Sequence[Replicates]) -> Replicates:
    """The mean of one metric over passes on the same samples, draw by draw and block by block."""
    if len(replicates) == 1:
        return replicates[0]
    return replace(
        replicates[0],
        value=float(np.mean([one.value for one in replicates])),
        draws=np.mean([one.draws for one in replicates], axis=0),
        centre=float(np.mean([one.centre for one in replicates])),
        influence=np.mean([one.influence for one in replicates], axis=0),
    )


def moved(replicates: Replicates, value: float) -> Replicates:
    """The same spread around another value: of a mean over folds where `replicates` are of all folds together."""
    draws = replicates.draws + (value - replicates.value)
    scale = replicates.scale
    # A mean at a bound, such as 1.0 in all folds, has no logit: the smoothed value of all folds together stands for it.
    inside = scale is None or scale.low < value < scale.high
    return replace(replicates, value=value, draws=draws, centre=value if inside else replicates.centre)


def repeated(passes: Sequence[Pass]) -> bool:
    """Whether passes over one test set differ in what their heads were trained on."""
    return len(passes[0].runs) == 1 and len({one.number[1] for one in passes}) > 1


def of_repeats(passes: Sequence[Pass], replicates: Sequence[Replicates]) -> np.ndarray:
    """The mean over the seeds of each repeat [repeat]."""
    by_repeat: dict[int, list[float]] = {}
    for one, found in zip(passes, replicates, strict=True):
        by_repeat.setdefault(one.number[1], []).append(found.value)
    return np.array([np.mean(values) for values in by_repeat.values()])


def on_same_samples(passes: Sequence[Pass]) -> bool:
    """Whether there are passes, and each tests the same samples in as many folds."""
    return len({(one.samples, len(one.runs)) for one in passes}) == 1


def definition(entry: AggregatedResult, metric: str) -> Metric:
    """What this metric is for results of this kind."""
    return targets.get(entry.rows[0].kind).metrics.every[metric]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
