"""Scores of multi-label predictions, each the mean over the labels.

A metric is undefined for a label that no sample carries, so a test set that lacks a label leaves it NaN. A label that
only a resample lacks is left out of that resample's mean, and the resample is undefined when no label is left. For
`auroc` the same is true of a label that every sample carries.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from bench.metrics.bootstrap import Statistic, Weights, group_sums, mean_of_defined, undefined
from bench.metrics.ranking import one_against_rest, precision_of_one

THRESHOLD = 0.5

Labels = Int[np.ndarray, "sample label"]
Scores = Float[np.ndarray, "sample label"]
Groups = Int[np.ndarray, " sample"]


def auroc(y_true: Labels, scores: Scores, groups: Groups) -> Statistic:
    """Area under the ROC curve of each label: scikit-learn's `roc_auc_score(average="macro")`."""
    if (y_true.min(axis=0) == y_true.max(axis=0)).any():
        return undefined
    curves = [one_against_rest(y == 1, score, groups) for y, score in zip(y_true.T, scores.T, strict=True)]
    return lambda weights: mean_of_defined(np.stack([curve(weights) for curve in curves]))


def average_precision(y_true: Labels, scores: Scores, groups: Groups) -> Statistic:
    """Area under the steps of precision over recall: scikit-learn's `average_precision_score(average="macro")`.

    With P_b and R_b the precision and recall of calling positive whatever scores as high as the b-th highest of the
    distinct scores or higher,

        AP = sum_b (R_b - R_(b-1)) P_b

    without interpolation (Manning et al. 2008, "Introduction to Information Retrieval", 8.4); equal scores are one
    step.
    """
    if not y_true.any(axis=0).all():
        return undefined
    curves = [precision_of_one(y == 1, score, groups) for y, score in zip(y_true.T, scores.T, strict=True)]
    return lambda weights: mean_of_defined(np.stack([curve(weights) for curve in curves]))


def f1_macro(y_true: Labels, scores: Scores, groups: Groups) -> Statistic:
    """F1 of each label, predicted where its score is above .5: scikit-learn's `f1_score(average="macro")`."""
    if not y_true.any(axis=0).all():
        return undefined
    true, predicted = y_true == 1, scores > THRESHOLD
    n_true, n_predicted, n_hit = (group_sums(flags, groups) for flags in (true, predicted, true & predicted))

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        positives = n_true @ weights
        either = positives + n_predicted @ weights
        f1 = np.divide(2 * (n_hit @ weights), either, out=np.full_like(either, np.nan), where=positives > 0)
        return mean_of_defined(f1)

    return statistic
