"""Scores of multi-label predictions, each the mean over the labels.

A metric is undefined for a label that no sample carries, so a test set that lacks a label leaves it NaN. A label that
only a resample lacks is left out of that resample's mean, and the resample is undefined when no label is left. For
`auroc` the same is true of a label that every sample carries.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.metrics.bootstrap import Statistic, Weights, WeightSums, group_sums, mean_of_defined, undefined
from bench.metrics.ranking import one_against_rest

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
    curves = [_average_precision(y == 1, score, groups) for y, score in zip(y_true.T, scores.T, strict=True)]
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


def _average_precision(
    positive: Bool[np.ndarray, " sample"], score: Float[np.ndarray, " sample"], groups: Groups
) -> Statistic:
    """Weighted average precision of one label from one sort; NaN for a resample without a positive.

    Recall steps only at scores that positives have. Every sample belongs to the step at which it is first called
    positive; those below the last step belong to none.
    """
    order = np.argsort(-score, kind="stable")
    label, ordered = positive[order], score[order]
    block = np.cumsum(np.append(False, ordered[1:] != ordered[:-1]))
    is_step = np.bincount(block, label) > 0
    step: Int[np.ndarray, " sample"] = (np.cumsum(is_step) - is_step)[block]

    cells = WeightSums(2 * step + label, groups[order])
    of_step, is_positive = np.divmod(cells.keys, 2)
    first, positives, n_steps = np.flatnonzero(np.diff(of_step, prepend=-1)), np.flatnonzero(is_positive), is_step.sum()

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        counts = cells(weights)
        called = np.cumsum(np.add.reduceat(counts, first, axis=0), axis=0)[:n_steps]
        stepped = counts[positives]
        found = np.cumsum(stepped, axis=0)
        precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
        area = np.einsum("sr,sr->r", stepped, precision)
        return np.divide(area, found[-1], out=np.full_like(area, np.nan), where=found[-1] > 0)

    return statistic
