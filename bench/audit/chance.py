"""What predictions without information score, and whether one score is better than another beyond chance."""

from __future__ import annotations

import math

import numpy as np

from bench.metrics import METRIC_SETS, Replicates, degrees_of_freedom, standard_error

CHANCE = {"auroc": 0.5, "c_index": 0.5, "quadratic_kappa": 0.0, "pearson": 0.0}
"""Of balanced accuracy it is one over the number of classes."""
FALLBACK = {
    "classes": "balanced_accuracy",
    "ordinal": "quadratic_kappa",
    "regression": "pearson",
    "survival": "c_index",
    "multilabel": "auroc",
}


def scored_by(kind: str, metric: str) -> str:
    """The task's metric where its value without information does not depend on the predictions, else one of the kind.

    An accuracy is as high as the commonest class is common, so that balanced accuracy stands for it.
    """
    known = metric in CHANCE or metric == "balanced_accuracy"
    return metric if known and metric in METRIC_SETS[kind].metrics else FALLBACK[kind]


def chance(metric: str, labels: np.ndarray) -> float:
    """The expectation of a metric of `scored_by` where predictions and labels are independent."""
    if metric == "balanced_accuracy":
        return 1 / max(1, len(np.unique(labels)))
    return CHANCE[metric]


def p_of_difference(difference: Replicates) -> float:
    """One-sided p of a difference that is 0 or less; NaN where its spread is not known."""
    from scipy.special import stdtr

    error = standard_error(difference.influence)
    if math.isnan(difference.value) or math.isnan(error):
        return math.nan
    return float(stdtr(degrees_of_freedom(difference.influence, difference.n_added), -difference.value / error))
