"""Every metric by name, and for each form of target its metrics and the check of its labels and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from bench.metrics import calibration, multilabel, smoothing, top_label_calibration
from bench.metrics.bootstrap import Statistic, undefined
from bench.metrics.checks import check_classes, check_labels, check_survival, check_values
from bench.metrics.confusion import accuracy, balanced_accuracy, f1_macro, mcc
from bench.metrics.dynamic_auc import dynamic_auc
from bench.metrics.intervals import UNBOUNDED, Scale
from bench.metrics.operating_points import sensitivity_at, specificity_at
from bench.metrics.ordinal import quadratic_kappa
from bench.metrics.ranking import auroc, average_precision
from bench.metrics.regression import mae, pearson, r2
from bench.metrics.survival import c_index


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    Attributes
    ----------
    compute : function
        From y_true, scores and group indices (0..G-1, one a sample) to a statistic: weights [group, resample] ->
        [resample]. What does not depend on the weights (sorting, counting) is done once in the outer call, on labels
        and scores that were checked before; weights of one give the point estimate.
    lower_is_better : bool
    scale : Scale or None
        The values that it can take; None where an interval over patients would not cover the value of a perfect model.
    smoothed : bool
        Whether it is a rate of right answers, whose interval is that of smoothed counts (`MetricSet.added`).
    of_order : bool
        Whether it depends on the order of the samples by each column of the scores and on nothing else of these.
    pooled : bool
        Whether folds are scored together. False where the scores of different heads are then compared with each other,
        as in a ranking; such a metric is averaged over folds.
    """

    compute: Callable[[Any, Any, Any], Statistic]
    lower_is_better: bool = False
    scale: Scale | None = UNBOUNDED
    smoothed: bool = False
    of_order: bool = False
    pooled: bool = True

    def __call__(self, y_true: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> Statistic:
        return self.compute(y_true, scores, groups)


@dataclass(frozen=True)
class FittedMetric:
    """A score that needs more than labels and scores of the test samples: what was found on other samples.

    Attributes
    ----------
    fit : function
        From that (the labels of the training samples, or a threshold) to `Metric.compute`.
    smoothed : bool
        As of `Metric`; its values are from 0 to 1, and higher is better.
    """

    fit: Callable[[Any], Callable[[Any, Any, Any], Statistic]]
    smoothed: bool = False


@dataclass(frozen=True)
class MetricSet:
    """What predictions of one form of target are scored by.

    Attributes
    ----------
    name : str
        The name of the form of target, as in messages.
    metrics : dict of name -> Metric
        The metrics that models are compared by. One name may stand for different functions in two sets.
    primary : str
        The metric of a task that names none.
    check : function
        Raises ValueError unless y_true and scores, of one sample at least, are of this form.
    probabilities : bool
        Whether labels are class indices and scores the probabilities of the classes, which are then calibrated.
    added : function or None
        From y_true and scores to labels and scores of the samples that smooth intervals (`bench.metrics.smoothing`).
    reported : dict of name -> Metric
        Further metrics of the rows and the CSV tables: no task is ranked by them, models are not compared pair by pair,
        and the printed table leaves them out.
    on_request : dict of name -> Metric
        Likewise, and in a row only where the settings of its run name them.
    of_training : dict of name -> FittedMetric
        Likewise, from the labels of the training samples.
    of_threshold : dict of name -> FittedMetric
        Likewise, from a threshold that a head found on samples outside its fit.
    lower_of_heads : set of str
        Of the metrics that heads compute themselves (`bench.protocols.Predictions.metrics`), those whose lower value is
        the better one.
    """

    name: str
    metrics: Mapping[str, Metric]
    primary: str
    check: Callable[[Any, Any], None]
    probabilities: bool = False
    added: Callable[[Any, Any], smoothing.Added] | None = None
    reported: Mapping[str, Metric] = field(default_factory=dict)
    on_request: Mapping[str, Metric] = field(default_factory=dict)
    of_training: Mapping[str, FittedMetric] = field(default_factory=dict)
    of_threshold: Mapping[str, FittedMetric] = field(default_factory=dict)
    lower_of_heads: frozenset[str] = frozenset()

    @property
    def every(self) -> dict[str, Metric]:
        """All metrics that the predictions of a row tell, in their order, those of the calibration among them."""
        calibrated = CALIBRATED | SCALED if self.probabilities else {}
        return {**self.metrics, **calibrated, **self.reported, **self.on_request}

    def lower_is_better(self, name: str) -> bool:
        """Whether the lower value of this metric is the better one; False for a metric that is not of this set."""
        return name in self.lower_of_heads or (name in self.every and self.every[name].lower_is_better)

    def fitted(self, train: np.ndarray | None, thresholds: Mapping[str, float | None]) -> MetricSet:
        """This set with those of `of_training` and `of_threshold` that can be computed, after all others of a row.

        Parameters
        ----------
        train : labels of the training samples, or None where they are not known
        thresholds : dict of name in `of_threshold` -> threshold
            None leaves the metric undefined.
        """
        found = {}
        for name, metric in self.of_threshold.items():
            if name in thresholds:
                threshold = thresholds[name]
                compute = _undefined if threshold is None else metric.fit(threshold)
                found[name] = Metric(compute, scale=SHARE, smoothed=metric.smoothed)
        if train is not None:
            found |= {name: Metric(of.fit(train), scale=SHARE) for name, of in self.of_training.items()}
        return replace(self, reported={**self.reported, **found}) if found else self


def _undefined(y_true: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> Statistic:
    return undefined


SHARE, CORRELATION, POSITIVE = Scale(0.0, 1.0), Scale(-1.0, 1.0), Scale(low=0.0)

CALIBRATED = {
    # A calibration error is never 0 on samples, not even of a calibrated model, and its resamples lie higher still.
    "ece": Metric(calibration.ece, lower_is_better=True, scale=None),
    "ece_mass": Metric(calibration.ece_mass, lower_is_better=True, scale=None),
    "brier": Metric(calibration.brier, lower_is_better=True, scale=Scale(0.0, 2.0)),
    "nll": Metric(calibration.nll, lower_is_better=True, scale=POSITIVE),
}
SCALED = {f"{name}_scaled": metric for name, metric in CALIBRATED.items()}
"""The calibration metrics of the probabilities after temperature scaling."""

_OF_CLASSES = {
    "accuracy": Metric(accuracy, scale=SHARE, smoothed=True),
    "balanced_accuracy": Metric(balanced_accuracy, scale=SHARE, smoothed=True),
    "f1_macro": Metric(f1_macro, scale=SHARE, smoothed=True),
    "auroc": Metric(auroc, scale=SHARE, smoothed=True, of_order=True, pooled=False),
}
_REPORTED_OF_CLASSES = {
    "average_precision": Metric(average_precision, scale=SHARE, smoothed=True, of_order=True, pooled=False),
    "mcc": Metric(mcc, scale=CORRELATION, smoothed=True),
}
_ON_REQUEST_OF_CLASSES = {
    "ece_5bins": Metric(partial(calibration.ece, bins=5), lower_is_better=True, scale=None),  # THUNDER's, all of them
    "mce_5bins": Metric(top_label_calibration.mce, lower_is_better=True, scale=None),
    "sce_5bins": Metric(top_label_calibration.sce, lower_is_better=True, scale=None),
    "ace_5bins": Metric(top_label_calibration.ace, lower_is_better=True, scale=None),
    "tace_5bins": Metric(top_label_calibration.tace, lower_is_better=True, scale=None),
}
_AT_THRESHOLDS = {
    "sensitivity_at_95_specificity": FittedMetric(sensitivity_at, smoothed=True),
    "specificity_at_95_sensitivity": FittedMetric(specificity_at, smoothed=True),
}
_OF_LABELS = {
    "auroc": Metric(multilabel.auroc, scale=SHARE, smoothed=True, of_order=True, pooled=False),
    "average_precision": Metric(multilabel.average_precision, scale=SHARE, smoothed=True, of_order=True, pooled=False),
    "f1_macro": Metric(multilabel.f1_macro, scale=SHARE, smoothed=True),
}
_OF_VALUES = {
    "pearson": Metric(pearson, scale=CORRELATION, pooled=False),
    "r2": Metric(r2, scale=Scale(high=1.0), pooled=False),
    "mae": Metric(mae, lower_is_better=True, scale=POSITIVE),
}
_OF_GRADES = {"quadratic_kappa": Metric(quadratic_kappa, scale=CORRELATION, smoothed=True)} | _OF_CLASSES

METRIC_SETS = {
    of.name: of
    for of in (
        MetricSet(
            "classes",
            _OF_CLASSES,
            "balanced_accuracy",
            check_classes,
            probabilities=True,
            added=smoothing.of_classes,
            reported=_REPORTED_OF_CLASSES,
            on_request=_ON_REQUEST_OF_CLASSES,
            of_threshold=_AT_THRESHOLDS,
        ),
        MetricSet(
            "ordinal",
            _OF_GRADES,
            "quadratic_kappa",
            check_classes,
            probabilities=True,
            added=smoothing.of_classes,
            reported=_REPORTED_OF_CLASSES,
            on_request=_ON_REQUEST_OF_CLASSES,
            of_threshold=_AT_THRESHOLDS,
        ),
        MetricSet("regression", _OF_VALUES, "pearson", check_values),
        MetricSet(
            "survival",
            {"c_index": Metric(c_index, scale=SHARE, of_order=True, pooled=False)},
            "c_index",
            check_survival,
            of_training={"auc_dynamic": FittedMetric(dynamic_auc)},
            lower_of_heads=frozenset({"integrated_brier"}),
        ),
        MetricSet("multilabel", _OF_LABELS, "auroc", check_labels, added=smoothing.of_labels),
    )
}
"""A further metric is one function in this package and one entry in the dictionaries above."""

METRICS: dict[str, Mapping[str, Metric]] = {name: of.metrics for name, of in METRIC_SETS.items()}
PRIMARY: dict[str, str] = {name: of.primary for name, of in METRIC_SETS.items()}
CLASSIFIED = tuple(name for name, of in METRIC_SETS.items() if of.probabilities)
"""The forms whose labels are class indices, and whose scores are probabilities of the classes."""

LOWER_IS_BETTER = frozenset(m for of in METRIC_SETS.values() for m in of.every if of.lower_is_better(m))


def metric_set(of: str | MetricSet) -> MetricSet:
    """The set of this name, or the set itself.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if isinstance(of, MetricSet):
        return of
    if of not in METRIC_SETS:
        raise ValueError(f"There is no kind of target {of!r}; there are {', '.join(METRIC_SETS)}.")
    return METRIC_SETS[of]
