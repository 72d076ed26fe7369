"""Every metric by name, and the three questions asked of them: how good, how much better, and on which resamples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from bench.metrics.bootstrap import Interval, Key, Replicates, Statistic, replicate
from bench.metrics.calibration import CALIBRATION
from bench.metrics.confusion import accuracy, balanced_accuracy, f1_macro
from bench.metrics.ranking import auroc

Metric = Callable[[Any, Any, Any], Statistic]
"""From y_true, scores and group indices (0..G-1, one a sample) to a statistic: weights [group, resample] -> [resample].

What does not depend on the weights (sorting, counting) is done once in the outer call; weights of one give the point
estimate. A further metric is a function of this kind and one line in `METRICS`.
"""

METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1_macro": f1_macro,
    "auroc": auroc,
}
"""Of these a higher value is better, and models are compared by them."""

SCALED = "_scaled"  # ends the name of a calibration metric after temperature scaling

LOWER_IS_BETTER = frozenset([*CALIBRATION, *(name + SCALED for name in CALIBRATION)])

_ALL = METRICS | CALIBRATION


def resample(
    y_true: np.ndarray,
    scores: Mapping[Key, np.ndarray],
    groups: Shaped[np.ndarray, " sample"],
    *,
    metrics: Iterable[str] = tuple(METRICS),
    n_boot: int = 1000,
    seed: int = 0,
) -> dict[Key, dict[str, Replicates]]:
    """Metrics of several predictions for the same samples, all on the same resamples.

    Parameters
    ----------
    y_true : int [sample]
        Class indices, 0..C-1.
    scores : mapping of any key -> float [sample, class]
    groups : [sample]
        The unit that is drawn (patient). The resamples depend on the set of groups, not on the order of the samples.
    metrics : names in `METRICS` or `CALIBRATION`

    Returns
    -------
    dict of key -> metric -> Replicates
    """
    distinct, group = np.unique(np.asarray(groups), return_inverse=True)
    if not len(group) or group.shape != np.shape(y_true)[:1]:
        raise ValueError(
            f"There are {len(group)} groups for {len(y_true)} labels; each sample needs one, and one sample at least."
        )
    statistics = {
        (name, metric): _ALL[metric](np.asarray(y_true), np.asarray(values), group)
        for name, values in scores.items()
        for metric in metrics
    }
    replicates = replicate(statistics, len(distinct), len(group), n_boot=n_boot, seed=seed)
    return {name: {metric: replicates[name, metric] for metric in metrics} for name in scores}


def score(
    y_true: np.ndarray,
    scores: Float[np.ndarray, "sample class"],
    groups: Shaped[np.ndarray, " sample"],
    *,
    metrics: Iterable[str] = tuple(METRICS),
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Each metric on all samples, with its percentile interval by cluster bootstrap over the groups.

    The bounds are NaN when there is one group only, or when the metric is undefined. Resamples that leave a metric
    undefined are left out of its interval. `level` is the coverage, 0..1; the rest is as in `resample`.
    """
    replicates = resample(y_true, {"": scores}, groups, metrics=metrics, n_boot=n_boot, seed=seed)[""]
    return {metric: of_metric.interval(level) for metric, of_metric in replicates.items()}


def paired(
    y_true: np.ndarray,
    scores_a: Float[np.ndarray, "sample class"],
    scores_b: Float[np.ndarray, "sample class"],
    groups: Shaped[np.ndarray, " sample"],
    *,
    metrics: Iterable[str] = tuple(METRICS),
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """The difference a - b of each metric, both computed on the same resamples; otherwise as `score`."""
    both = resample(y_true, {"a": scores_a, "b": scores_b}, groups, metrics=metrics, n_boot=n_boot, seed=seed)
    return {metric: (both["a"][metric] - both["b"][metric]).interval(level) for metric in both["a"]}


def score_all(
    y_true: np.ndarray,
    scores: Float[np.ndarray, "sample class"],
    scaled: Float[np.ndarray, "sample class"] | None,
    groups: Shaped[np.ndarray, " sample"],
    *,
    n_boot: int = 1000,
) -> dict[str, Interval]:
    """`METRICS` and `CALIBRATION` of class probabilities, and calibration once more after temperature scaling.

    Parameters
    ----------
    scaled : float [sample, class] or None
        The probabilities after temperature scaling, whose metrics are named ``ece_scaled`` and so on.
    """
    found = score(y_true, scores, groups, metrics=_ALL, n_boot=n_boot)
    if scaled is not None:
        after = score(y_true, scaled, groups, metrics=CALIBRATION, n_boot=n_boot)
        found |= {name + SCALED: interval for name, interval in after.items()}
    return found
