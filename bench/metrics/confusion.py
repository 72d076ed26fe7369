"""Scores of the predicted class (the highest score, the first one of equals), from resampled confusion counts.

With t_k the samples of class k, p_k those predicted as k and h_k those that are both:

    accuracy            sum_k h_k / sum_k t_k
    balanced accuracy   mean of h_k / t_k over the classes with t_k > 0
    macro F1            mean of 2 h_k / (t_k + p_k) over the classes with t_k + p_k > 0

These are scikit-learn's `accuracy_score`, `balanced_accuracy_score` and `f1_score(average="macro")`. A class that a
resample happens to lack is left out of that resample's mean by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from bench.metrics.bootstrap import Statistic, Weights, WeightSums

Counts = Float[np.ndarray, "class resample"]


def accuracy(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Share of samples whose predicted class is the true one."""
    counts = _class_counts(y_true, scores, groups)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        true, _, hit = counts(weights)
        return hit.sum(axis=0) / true.sum(axis=0)

    return statistic


def balanced_accuracy(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Mean recall over the classes that occur."""
    counts = _class_counts(y_true, scores, groups)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        true, _, hit = counts(weights)
        return _mean_ratio(hit, true)

    return statistic


def f1_macro(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Mean F1 over the classes that occur or are predicted."""
    counts = _class_counts(y_true, scores, groups)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        true, predicted, hit = counts(weights)
        return _mean_ratio(2 * hit, true + predicted)

    return statistic


def _class_counts(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Callable[[Weights], tuple[Counts, Counts, Counts]]:
    """From weights to the counts (t, p, h) of each class; only the confusion cells that occur are ever held."""
    n_classes = scores.shape[1]
    cells = WeightSums(y_true.astype(np.int64) * n_classes + scores.argmax(axis=1), groups)
    true_class, predicted_class = np.divmod(cells.keys, n_classes)
    on_diagonal = true_class == predicted_class
    by_predicted = np.argsort(predicted_class, kind="stable")
    true_ones, true_starts = np.unique(true_class, return_index=True)  # the cells are ordered by their true class
    predicted_ones, predicted_starts = np.unique(predicted_class[by_predicted], return_index=True)

    def counts(weights: Weights) -> tuple[Counts, Counts, Counts]:
        confusion = cells(weights)
        true, predicted, hit = (np.zeros((n_classes, weights.shape[1])) for _ in range(3))
        true[true_ones] = np.add.reduceat(confusion, true_starts)
        predicted[predicted_ones] = np.add.reduceat(confusion[by_predicted], predicted_starts)
        hit[true_class[on_diagonal]] = confusion[on_diagonal]
        return true, predicted, hit

    return counts


def _mean_ratio(numerator: Counts, denominator: Counts) -> Float[np.ndarray, " resample"]:
    """Mean over classes of the ratio, leaving out the classes whose denominator is zero."""
    defined = denominator > 0
    ratio = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=defined)
    return ratio.sum(axis=0) / defined.sum(axis=0)
