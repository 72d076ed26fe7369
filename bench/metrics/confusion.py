"""Scores of the predicted class (the highest score, the first one of equals), from resampled confusion counts.

With t_k the samples of class k, p_k those predicted as k and h_k those that are both:

    accuracy            sum_k h_k / sum_k t_k
    balanced accuracy   mean of h_k / t_k over the classes with t_k > 0
    macro F1            mean of 2 h_k / (t_k + p_k) over the classes with t_k + p_k > 0
    MCC                 (n sum_k h_k - sum_k t_k p_k) / sqrt((n^2 - sum_k t_k^2) (n^2 - sum_k p_k^2)), n all samples

These are scikit-learn's `accuracy_score`, `balanced_accuracy_score`, `f1_score(average="macro")` and
`matthews_corrcoef`. A class that a resample happens to lack is left out of that resample's mean by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from bench.metrics.bootstrap import Statistic, Weights, WeightSums

Counts = Float[np.ndarray, "class resample"]
FEW_CLASSES = 16
"""Up to so many, a product with a matrix [class, cell] is faster than sums of the cells of each class."""


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


def mcc(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Matthews correlation of true and predicted classes, of any number (Gorodkin 2004, Comput. Biol. Chem. 28, 367).

    1 at best, 0 for chance. 0 as well where all predictions are one class, as the sums in the numerator then cancel;
    NaN where all samples are of one class, for which scikit-learn gives 0: nothing can be distinguished there.
    """
    counts = _class_counts(y_true, scores, groups)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        true, predicted, hit = counts(weights)
        samples = true.sum(axis=0)
        # Whole numbers, exact below 2^53, so that a spread of 0 is met exactly.
        spread_true, spread_predicted = (samples**2 - (of**2).sum(axis=0) for of in (true, predicted))
        agreement = samples * hit.sum(axis=0) - (true * predicted).sum(axis=0)
        scale = np.sqrt(spread_true) * np.sqrt(spread_predicted)
        ratio = np.divide(agreement, scale, out=np.zeros_like(agreement), where=scale > 0)
        return np.where(spread_true > 0, ratio, np.nan)

    return statistic


def _class_counts(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Callable[[Weights], tuple[Counts, Counts, Counts]]:
    """From weights to the counts (t, p, h) of each class; only the confusion cells that occur are ever held."""
    n_classes = scores.shape[1]
    cells = WeightSums(y_true.astype(np.int64) * n_classes + scores.argmax(axis=1), groups)
    true_class, predicted_class = np.divmod(cells.keys, n_classes)
    on_diagonal = true_class == predicted_class
    of_true, of_predicted = _sums_by(true_class, n_classes), _sums_by(predicted_class, n_classes)

    def counts(weights: Weights) -> tuple[Counts, Counts, Counts]:
        confusion = cells(weights)
        hit = np.zeros((n_classes, weights.shape[1]))
        hit[true_class[on_diagonal]] = confusion[on_diagonal]
        return of_true(confusion), of_predicted(confusion), hit

    return counts


def _sums_by(classes: Int[np.ndarray, " cell"], n_classes: int) -> Callable[[np.ndarray], Counts]:
    """From the counts of cells [cell, resample] to their sums over the cells of each class; counts add up exactly."""
    if n_classes <= FEW_CLASSES:
        members = (classes == np.arange(n_classes)[:, None]).astype(np.float64)
        return lambda confusion: members @ confusion
    order = np.argsort(classes, kind="stable")
    occurring, starts = np.unique(classes[order], return_index=True)

    def sums(confusion: np.ndarray) -> Counts:
        found = np.zeros((n_classes, confusion.shape[1]))
        found[occurring] = np.add.reduceat(confusion[order], starts)
        return found

    return sums


def _mean_ratio(numerator: Counts, denominator: Counts) -> Float[np.ndarray, " resample"]:
    """Mean over classes of the ratio, leaving out the classes whose denominator is zero."""
    defined = denominator > 0
    ratio = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=defined)
    return ratio.sum(axis=0) / defined.sum(axis=0)
