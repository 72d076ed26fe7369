"""Scores of how well a class score orders the samples."""

from __future__ import annotations

from collections.abc import Callable

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
    return _over_classes(one_against_rest, y_true, scores, groups)


def average_precision(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Area under the steps of precision over recall: of class 1 for two classes, else the mean over classes.

    With P_b and R_b the precision and recall of calling positive whatever scores as high as the b-th highest of the
    distinct scores or higher,

        AP = sum_b (R_b - R_(b-1)) P_b

    without interpolation (Manning et al. 2008, "Introduction to Information Retrieval", 8.4); equal scores are one
    step. This is scikit-learn's `average_precision_score(y == 1, s[:, 1])`, and its mean over the classes. A score that
    knows nothing has the share of the class, not 0.5. NaN when the test set lacks a class; a class that only a resample
    lacks is left out of that resample's mean, and the resample is undefined when no class is left.
    """
    return _over_classes(precision_of_one, y_true, scores, groups)


def _over_classes(
    of_one: Callable[..., Statistic],
    y_true: Int[np.ndarray, " sample"],
    scores: Float[np.ndarray, "sample class"],
    groups: Int[np.ndarray, " sample"],
) -> Statistic:
    """The statistic of class 1 for two classes, else the mean over one class against the rest."""
    n_classes = scores.shape[1]
    if len(np.unique(y_true)) < n_classes:
        return undefined
    columns = [1] if n_classes == 2 else range(n_classes)
    curves = [of_one(y_true == column, scores[:, column], groups) for column in columns]
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


def precision_of_one(
    positive: Bool[np.ndarray, " sample"], score: Float[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Weighted average precision of one class or label, from one sort; NaN for a resample without a positive.

    Recall steps only at scores that positives have. Every sample belongs to the step at which it is first called
    positive; those below the last step belong to none. The steps above the first negative are one: the precision is 1
    at each of them, whatever is drawn.
    """
    order = np.argsort(-score, kind="stable")
    label, ordered = positive[order], score[order]
    block = np.cumsum(np.append(False, ordered[1:] != ordered[:-1]))
    is_step = np.bincount(block, label) > 0
    above_negatives = block[np.argmin(label)] if not label.all() else len(is_step)
    is_step[: max(0, above_negatives - 1)] = False
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
