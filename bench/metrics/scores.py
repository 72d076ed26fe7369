"""Every metric by name, and the two questions asked of them: how good, and how good on each resample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from bench.metrics import multilabel
from bench.metrics.bootstrap import Interval, Key, Replicates, Statistic, replicate
from bench.metrics.calibration import CALIBRATION
from bench.metrics.checks import check
from bench.metrics.confusion import accuracy, balanced_accuracy, f1_macro
from bench.metrics.ordinal import quadratic_kappa
from bench.metrics.ranking import auroc
from bench.metrics.regression import mae, pearson, r2
from bench.metrics.survival import c_index

Metric = Callable[[Any, Any, Any], Statistic]
"""From y_true, scores and group indices (0..G-1, one a sample) to a statistic: weights [group, resample] -> [resample].

What does not depend on the weights (sorting, counting) is done once in the outer call, on labels and scores that were
checked before; weights of one give the point estimate. A further metric is one such function and one line in `METRICS`.
"""

_OF_CLASSES: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1_macro": f1_macro,
    "auroc": auroc,
}

METRICS: dict[str, dict[str, Metric]] = {
    "classes": _OF_CLASSES,
    "ordinal": {"quadratic_kappa": quadratic_kappa} | _OF_CLASSES,
    "regression": {"pearson": pearson, "r2": r2, "mae": mae},
    "survival": {"c_index": c_index},
    "multilabel": {
        "auroc": multilabel.auroc,
        "average_precision": multilabel.average_precision,
        "f1_macro": multilabel.f1_macro,
    },
}
"""By kind of target, what models are compared by. One name may stand for different functions in two kinds."""

PRIMARY: dict[str, str] = {
    "classes": "balanced_accuracy",
    "ordinal": "quadratic_kappa",
    "regression": "pearson",
    "survival": "c_index",
    "multilabel": "auroc",
}
"""By kind of target, the metric of a task that names none."""

CLASSIFIED = ("classes", "ordinal")
"""The kinds whose labels are class indices, and whose scores are probabilities of the classes."""

_SCALED: dict[str, Metric] = {f"{name}_scaled": metric for name, metric in CALIBRATION.items()}
"""The calibration metrics of what temperature scaling makes of the probabilities."""

LOWER_IS_BETTER = frozenset(["mae", *CALIBRATION, *_SCALED])
"""Of every other metric a higher value is better."""


def names(kind: str) -> list[str]:
    """Every metric that `score_all` may give, in its order.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    return list(_known(kind))


def resample(
    y_true: np.ndarray,
    scores: Mapping[Key, np.ndarray],
    groups: Shaped[np.ndarray, " sample"],
    *,
    scaled: Mapping[Key, np.ndarray] | None = None,
    kind: str = "classes",
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
    kind : "classes", "ordinal", "regression", "survival" or "multilabel"
        What the labels are.
    metrics : some of `names` of that kind
        All of `METRICS` of that kind if None.

    Returns
    -------
    dict of key -> metric -> Replicates

    Raises
    ------
    ValueError
        Labels or scores are not what the kind asks for, or it has no such metric.
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
        check(kind, y_true, values)
    statistics = {
        (key, metric): compute(y_true, values, group)
        for metric, compute in of_kind.items()
        for key, values in (after if metric in _SCALED else before).items()
    }
    found: dict[Key, dict[str, Replicates]] = {key: {} for key in scores}
    for (key, metric), of_metric in replicate(statistics, len(distinct), len(group), n_boot=n_boot, seed=seed).items():
        found[key][metric] = of_metric
    return found


def score(
    y_true: np.ndarray,
    scores: Float[np.ndarray, "sample column"],
    groups: Shaped[np.ndarray, " sample"],
    *,
    kind: str = "classes",
    metrics: Iterable[str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Each metric on all samples, with its 95 % percentile interval by cluster bootstrap over the groups.

    The bounds are NaN when there is one group only, or when the metric is undefined. Resamples that leave a metric
    undefined are left out of its interval. The rest is as in `resample`.
    """
    replicates = resample(y_true, {"": scores}, groups, kind=kind, metrics=metrics, n_boot=n_boot, seed=seed)[""]
    return {metric: of_metric.interval() for metric, of_metric in replicates.items()}


def score_all(
    y_true: np.ndarray,
    scores: Float[np.ndarray, "sample column"],
    scaled: Float[np.ndarray, "sample class"] | None,
    groups: Shaped[np.ndarray, " sample"],
    *,
    kind: str = "classes",
    n_boot: int = 1000,
) -> dict[str, Interval]:
    """All metrics of a kind; of classes and grades also the calibration, and that once more after temperature scaling.

    Parameters
    ----------
    scaled : float [sample, class] or None
        The probabilities after temperature scaling, whose metrics are named ``ece_scaled`` and so on.
    """
    after, of_scaled = ({}, ()) if scaled is None else ({"": scaled}, _SCALED)
    found = resample(
        y_true, {"": scores}, groups, scaled=after, kind=kind, metrics=[*names(kind), *of_scaled], n_boot=n_boot
    )
    return {metric: replicates.interval() for metric, replicates in found[""].items()}


def _metrics(kind: str, wanted: Iterable[str] | None) -> dict[str, Metric]:
    known = _known(kind)
    wanted = tuple(METRICS[kind] if wanted is None else wanted)
    for name in wanted:
        if name not in known:
            raise ValueError(f"Targets of kind {kind!r} have no metric {name!r}; they have {', '.join(known)}.")
    return {name: known[name] for name in wanted}


def _known(kind: str) -> dict[str, Metric]:
    if kind not in METRICS:
        raise ValueError(f"There is no kind of target {kind!r}; there are {', '.join(METRICS)}.")
    return METRICS[kind] | (CALIBRATION | _SCALED if kind in CLASSIFIED else {})
