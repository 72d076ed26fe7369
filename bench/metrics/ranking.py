"""Scores of how well a class score orders the samples."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.metrics.bootstrap import Statistic, Weights, WeightSums, mean_of_defined, undefined


def auroc(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Area under the ROC curve: of the score of class 1 for two classes, else the mean over one class against the rest.

    For one class it is the Mann-Whitney statistic with midranks (Hanley & McNeil 1982, Radiology 143, 29-36),

        sum_i sum_j w_i w_j ([s_i > s_j] + [s_i = s_j] / 2) / (sum_i w_i  sum_j w_j),

    i over the samples of the class, j over the others, w how often the sample's group was drawn. These are
    scikit-learn's `roc_auc_score(y, s[:, 1])` and `roc_auc_score(y, s, multi_class="ovr", labels=range(C))`: NaN when
    the test set lacks a class. A class that only a resample lacks is left out of that resample's mean, and the resample
    is undefined when no class is left.
    """
    n_classes = scores.shape[1]
    if len(np.unique(y_true)) < n_classes:
        return undefined
    columns = [1] if n_classes == 2 else range(n_classes)
    curves = [one_against_rest(y_true == column, scores[:, column], groups) for column in columns]
    return lambda weights: mean_of_defined(np.stack([curve(weights) for curve in curves]))


def one_against_rest(
    positive: Bool[np.ndarray, " sample"], score: Float[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Area under the ROC curve of one class or label, from one sort.

    NaN for a resample without a positive or without a negative.

    The sorted samples fall into runs: blocks of equal scores, neighbours of one and the same label joined. Within a run
    either all labels are equal or all scores are, so the counts of both labels in each run are all that matters.
    """
    order = np.argsort(score)  # the order of equal scores makes no difference
    label, ordered = positive[order], score[order]
    block = np.cumsum(np.append(False, ordered[1:] != ordered[:-1]))
    n_positive, n_samples = np.bincount(block, label).astype(int), np.bincount(block)
    mixed = (n_positive > 0) & (n_positive < n_samples)
    run_of_block = np.cumsum(mixed | np.append(True, mixed[:-1] | np.diff(n_positive > 0)))

    cells = WeightSums(2 * run_of_block[block] + label, groups[order])
    run, is_positive = np.divmod(cells.keys, 2)
    positives, negatives = np.flatnonzero(is_positive), np.flatnonzero(is_positive == 0)
    negatives_up_to = np.searchsorted(negatives, positives) - 1
    started = negatives_up_to >= 0
    tied = np.flatnonzero(np.diff(run, prepend=-1) == 0)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        counts = cells(weights)
        below = np.cumsum(counts[negatives], axis=0)
        above = counts[positives]
        wins = np.einsum("cr,cr->r", above[started], below[negatives_up_to[started]])
        wins -= np.einsum("cr,cr->r", counts[tied], counts[tied - 1]) / 2
        pairs = above.sum(axis=0) * below[-1]
        return np.divide(wins, pairs, out=np.full_like(wins, np.nan), where=pairs > 0)

    return statistic
