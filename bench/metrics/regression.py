"""Scores of predicted values, each the mean over the targets.

With y and s the true and predicted values of a target, and sums over samples that each count as often as their group
was drawn:

    Pearson r    sum (y - mean y) (s - mean s) / sqrt(sum (y - mean y)^2  sum (s - mean s)^2)    (Pearson 1895)
    R^2          1 - sum (y - s)^2 / sum (y - mean y)^2
    MAE          mean of |y - s|

They are scipy's `pearsonr`, scikit-learn's `r2_score(force_finite=False)` and `mean_absolute_error`. r is undefined
where the true or the predicted values are all equal, R^2 where the true ones are: for one target on the whole test set
the metric is NaN; a target for which only a resample does so is left out of that resample's mean, and the resample is
undefined when no target is left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.metrics.bootstrap import Statistic, Weights, group_sums, mean_of_defined, undefined, weighted_mean

Values = Float[np.ndarray, "sample target"]
Sums = Float[np.ndarray, "target resample"]

_CANCELLED = 1e-6  # share of a sum of squares below which its centring is done again sample by sample


def pearson(y_true: Values, scores: Values, groups: Int[np.ndarray, " sample"]) -> Statistic:
    """Correlation of true and predicted values, -1..1."""
    if _constant(y_true).any() or _constant(scores).any():
        return undefined
    moments = _centred_moments(y_true, scores, groups)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        true, predicted, both = moments(weights)
        scale = np.sqrt(true) * np.sqrt(predicted)
        ratio = np.divide(both, scale, out=np.full_like(both, np.nan), where=scale > 0)
        return mean_of_defined(ratio.clip(-1, 1))

    return statistic


def r2(y_true: Values, scores: Values, groups: Int[np.ndarray, " sample"]) -> Statistic:
    """Coefficient of determination: 1 at best, 0 for predicting the mean of the test set, without lower bound."""
    if _constant(y_true).any():
        return undefined
    moments = _centred_moments(y_true, y_true, groups)
    squares = group_sums(np.subtract(y_true, scores, dtype=np.float64) ** 2, groups)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        spread, *_ = moments(weights)
        unexplained = squares @ weights
        ratio = np.divide(unexplained, spread, out=np.full_like(spread, np.nan), where=spread > 0)
        return mean_of_defined(1 - ratio)

    return statistic


def mae(y_true: Values, scores: Values, groups: Int[np.ndarray, " sample"]) -> Statistic:
    """Mean absolute error, in the unit of the targets; lower is better."""
    errors = np.abs(np.subtract(y_true, scores, dtype=np.float64))
    return weighted_mean(errors.mean(axis=1), groups)


def _centred_moments(
    a: Values, b: Values, groups: Int[np.ndarray, " sample"]
) -> Callable[[Weights], tuple[Sums, Sums, Sums]]:
    """From weights to the sums of squares of a and of b and the sum of their products, each about the resample's means.

    Values are centred on all samples, summed by group, and shifted to the mean of the resample. Where the shift takes
    away all but a millionth of a sum of squares, it is taken about the mean sample by sample instead. A sum of squares
    of values that are all equal is exactly 0; of the common case, that all are the most frequent value, this is known
    without a look at the samples.
    """
    from scipy.stats import mode

    a, b = a.astype(np.float64), b.astype(np.float64)
    near_a, near_b = (values - values.mean(axis=0) for values in (a, b))
    sums = [group_sums(values, groups) for values in (near_a, near_b, near_a**2, near_b**2, near_a * near_b)]
    uncommon = [group_sums(values != mode(values, axis=0).mode, groups) for values in (a, b)]
    sizes = np.bincount(groups)

    def moments(weights: Weights) -> tuple[Sums, Sums, Sums]:
        as_float = weights.astype(np.float64)
        of_a, of_b, of_aa, of_bb, of_ab = (part @ as_float for part in sums)
        equal_a, equal_b = (part @ as_float == 0 for part in uncommon)
        samples = sizes @ as_float
        aa = np.where(equal_a, 0.0, of_aa - of_a**2 / samples)
        bb = np.where(equal_b, 0.0, of_bb - of_b**2 / samples)
        ab = of_ab - of_a * of_b / samples
        cancelled = (~equal_a & (aa <= _CANCELLED * of_aa)) | (~equal_b & (bb <= _CANCELLED * of_bb))
        for resample in np.flatnonzero(cancelled.any(axis=0)):
            again, often = np.flatnonzero(cancelled[:, resample]), weights[groups, resample]
            drawn = np.flatnonzero(often)
            own_a, own_b = (_centred(values[np.ix_(drawn, again)], often[drawn]) for values in (a, b))
            for moment, product in ((aa, own_a**2), (bb, own_b**2), (ab, own_a * own_b)):
                moment[again, resample] = often[drawn] @ product
        return aa, bb, ab

    return moments


def _centred(values: Values, often: Int[np.ndarray, " sample"]) -> Values:
    """Less their mean, each value counted so often; exactly 0 for a target whose values are all equal."""
    return np.where(_constant(values), 0.0, values - np.average(values, axis=0, weights=often))


def _constant(values: Values) -> Bool[np.ndarray, " target"]:
    return np.asarray(values.min(axis=0) == values.max(axis=0))
