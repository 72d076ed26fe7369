"""Metrics of predictions on all samples, and on each resample of the groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Shaped

from bench.metrics.bootstrap import Estimator, Key, Replicates, replicate
from bench.metrics.intervals import Interval
from bench.metrics.metric_sets import SCALED, Metric, MetricSet, metric_set


def check(
    kind: str | MetricSet, y_true: Shaped[np.ndarray, "sample ..."], scores: Float[np.ndarray, "sample column"]
) -> None:
    """Raise ValueError unless labels and scores are of this kind, as `resample` has them; of one sample at least."""
    metric_set(kind).check(y_true, scores)


def names(kind: str | MetricSet) -> list[str]:
    """Every metric that labels and scores tell, in the order of `score_all`, but for those on request.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    of = metric_set(kind)
    return [name for name in of.every if name not in of.on_request]


def resample(
    y_true: np.ndarray,
    scores: Mapping[Key, np.ndarray],
    groups: Shaped[np.ndarray, " sample"],
    *,
    scaled: Mapping[Key, np.ndarray] | None = None,
    kind: str | MetricSet = "classes",
    metrics: Iterable[str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> dict[Key, dict[str, Replicates]]:
    """Metrics of several predictions for the same samples, all on the same resamples.

    Parameters
    ----------
    y_true : [sample] or [sample, column]
        Class indices or grades, 0..C-1, int [sample]. Regression: values, float [sample, target]. Survival: time above
        0 and event (1) or censoring (0), float [sample, 2]. Multi-label: 0 or 1, int [sample, label].
    scores : mapping of any key -> float [sample, column]
        A column a class, grade, target or label; survival: one column, the risk, higher is earlier.
    groups : [sample]
        The unit that is drawn (patient). The resamples depend on the set of groups, not on the order of the samples.
    scaled : mapping of the same keys -> float [sample, class]
        Probabilities after temperature scaling. Without them a key has none of the metrics that end in ``_scaled``.
    kind : "classes", "ordinal", "regression", "survival", "multilabel", or a MetricSet
        The form of the labels.
    metrics : some of `names` of that kind
        None takes all that models of that kind are compared by.

    Returns
    -------
    dict of key -> metric -> Replicates

    Raises
    ------
    ValueError
        If labels or scores are not of the form of the kind, or it has no such metric.
    """
    of_kind = _metrics(kind, metrics)
    distinct, group = np.unique(np.asarray(groups), return_inverse=True)
    if not len(group) or group.shape != np.shape(y_true)[:1]:
        raise ValueError(
            f"There are {len(group)} groups for {len(y_true)} labels; each sample needs one, and one sample at least."
        )
    y_true = np.asarray(y_true)
    before = {key: np.asarray(values) for key, values in scores.items()}
    after = {key: np.asarray(values) for key, values in (scaled or {}).items()}
    for values in (*before.values(), *after.values()):
        metric_set(kind).check(y_true, values)
    estimators = {
        (key, metric): _estimator(metric_set(kind), of_metric, y_true, values, group)
        for metric, of_metric in of_kind.items()
        for key, values in (after if metric in SCALED else before).items()
    }
    found: dict[Key, dict[str, Replicates]] = {key: {} for key in scores}
    for (key, metric), of_key in replicate(estimators, len(distinct), len(group), n_boot=n_boot, seed=seed).items():
        found[key][metric] = of_key
    return found


def score(
    y_true: np.ndarray,
    scores: Float[np.ndarray, "sample column"],
    groups: Shaped[np.ndarray, " sample"],
    *,
    kind: str | MetricSet = "classes",
    metrics: Iterable[str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Each metric on all samples, with its 95 % interval over the groups (`bench.metrics.intervals`).

    The bounds are NaN when there is one group only, when the metric is undefined or has no sound interval, and when
    `n_boot` is 0. The rest is as in `resample`.
    """
    replicates = resample(y_true, {"": scores}, groups, kind=kind, metrics=metrics, n_boot=n_boot, seed=seed)[""]
    return {metric: of_metric.interval() for metric, of_metric in replicates.items()}


def score_all(
    y_true: np.ndarray,
    scores: Float[np.ndarray, "sample column"],
    scaled: Float[np.ndarray, "sample class"] | None,
    groups: Shaped[np.ndarray, " sample"],
    *,
    kind: str | MetricSet = "classes",
    train: np.ndarray | None = None,
    thresholds: Mapping[str, float | None] = MappingProxyType({}),
    further: Iterable[str] = (),
    n_boot: int = 1000,
) -> dict[str, Replicates]:
    """All metrics of a kind; of classes and grades also the calibration, and that once more after temperature scaling.

    Parameters
    ----------
    scaled : float [sample, class] or None
        The probabilities after temperature scaling, whose metrics are named ``ece_scaled`` and so on.
    train : labels of the training samples, in the form of `y_true`
        For the metrics that need them (`MetricSet.of_training`), which are left out without them.
    thresholds : dict of a name in `MetricSet.of_threshold` -> threshold, or None for an undefined metric
        They were found on other samples than these, and are the same in all resamples.
    further : names in `MetricSet.on_request`
        Computed too, where the kind has them.
    """
    after, of_scaled = ({}, ()) if scaled is None else ({"": scaled}, SCALED)
    of = metric_set(kind).fitted(train, thresholds)
    wanted = [*names(of), *of_scaled, *(name for name in further if name in of.on_request)]
    return resample(y_true, {"": scores}, groups, scaled=after, kind=of, metrics=wanted, n_boot=n_boot)[""]


def _estimator(of: MetricSet, metric: Metric, y_true: np.ndarray, scores: np.ndarray, group: np.ndarray) -> Estimator:
    """The metric, with the samples that smooth its interval where it is a rate."""
    if not (metric.smoothed and of.added):
        return Estimator(metric(y_true, scores, group), metric.scale)
    added = of.added(y_true, scores)
    y_true, scores = np.concatenate([y_true, added.y_true]), np.concatenate([scores, added.scores])
    groups = np.append(group, group.max() + 1 + added.groups)
    return Estimator(metric(y_true, scores, groups), metric.scale, np.full(added.groups.max() + 1, added.weight))


def _metrics(kind: str | MetricSet, wanted: Iterable[str] | None) -> dict[str, Metric]:
    of = metric_set(kind)
    wanted = tuple(of.metrics if wanted is None else wanted)
    for name in wanted:
        if name not in of.every:
            raise ValueError(f"Targets of kind {of.name!r} have no metric {name!r}; they have {', '.join(of.every)}.")
    return {name: of.every[name] for name in wanted}
