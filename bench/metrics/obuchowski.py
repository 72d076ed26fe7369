"""Areas under ROC curves of clustered samples, with standard errors and covariances in closed form.

With X_ij the scores of the M positive samples and Y_ik those of the N negative ones, i their group (patient), and
psi(x, y) = [x > y] + [x = y] / 2, a positive sample's component is its mean of psi over all negatives, a negative one's
its mean over all positives, and the area A the mean of either. With V_i and U_i the sums of these components over the
m_i positives and the n_i negatives of group i, for two models r and s,

    S_10 = I_10 / ((I_10 - 1) M)  sum_i (V_i^r - m_i A^r) (V_i^s - m_i A^s)
    S_01 = I_01 / ((I_01 - 1) N)  sum_i (U_i^r - n_i A^r) (U_i^s - n_i A^s)
    S_11 = I / (I - 1)            sum_i (V_i^r - m_i A^r) (U_i^s - n_i A^s)

    cov(A^r, A^s) = S_10 / M + S_01 / N + (S_11 + S_11 with r and s exchanged) / (M N),

I_10 and I_01 being the numbers of groups with a positive and with a negative, I of all (Obuchowski 1997, Biometrics 53,
567-578). Where every sample is its own group this is the covariance of DeLong et al. 1988 (Biometrics 44, 837-845).
The intervals are normal ones, for many groups; the bootstrap stands beside them for few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

Scores = Float[np.ndarray, "sample model"]


class ClusteredAuc(NamedTuple):
    """An area, its standard error, and its 95 % normal interval, cut at 0 and 1.

    The bounds are NaN where the standard error is 0, as for a perfect order, whose uncertainty it does not tell; all
    but the area is NaN with fewer than two groups that have a positive, or a negative; all is NaN without both.
    """

    auc: float
    se: float
    ci_low: float
    ci_high: float


class AucDifference(NamedTuple):
    """The difference a - b of two areas on the same samples, its 95 % normal interval and two-sided p-value.

    All but the difference is NaN where its standard error is 0 or undefined, as for two equal orders.
    """

    difference: float
    se: float
    ci_low: float
    ci_high: float
    p: float


def clustered_auc(
    y_true: Shaped[np.ndarray, " sample"], score: Float[np.ndarray, " sample"], groups: Shaped[np.ndarray, " sample"]
) -> ClusteredAuc:
    """The area under the ROC curve of one score, with the interval for samples that are clustered in groups.

    Parameters
    ----------
    y_true : 1 for a positive sample, 0 for a negative one
    score : any finite numbers, higher for positives
    groups : the patient of each sample

    Raises
    ------
    ValueError
        If labels are not 0 or 1, a score is not finite, or the lengths differ.
    """
    areas, covariance = clustered_auc_covariance(y_true, np.asarray(score)[:, None], groups)
    auc, se = float(areas[0]), float(np.sqrt(covariance[0, 0]))
    low, high = _normal_bounds(auc, se)
    return ClusteredAuc(auc, se, float(np.maximum(low, 0)), float(np.minimum(high, 1)))


def clustered_auc_difference(
    y_true: Shaped[np.ndarray, " sample"],
    a: Float[np.ndarray, " sample"],
    b: Float[np.ndarray, " sample"],
    groups: Shaped[np.ndarray, " sample"],
) -> AucDifference:
    """The difference of the areas of two scores of the same samples; the rest is as in `clustered_auc`."""
    from scipy.stats import norm

    areas, covariance = clustered_auc_covariance(y_true, np.stack([a, b], axis=1), groups)
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    # What is left of variances that cancel is rounding.
    cancelled = variance <= 1e-12 * (covariance[0, 0] + covariance[1, 1])
    se = np.nan if cancelled else float(np.sqrt(variance))
    return AucDifference(difference, se, *_normal_bounds(difference, se), float(2 * norm.sf(abs(difference) / se)))


def clustered_auc_covariance(
    y_true: Shaped[np.ndarray, " sample"], scores: Scores, groups: Shaped[np.ndarray, " sample"]
) -> tuple[Float[np.ndarray, " model"], Float[np.ndarray, "model model"]]:
    """The areas of several scores of the same samples, and the covariance matrix of their errors.

    Parameters
    ----------
    scores : float [sample, model]
        Any finite numbers, higher for positives.

    Returns
    -------
    areas : float [model]
        NaN without a positive or without a negative sample.
    covariance : float [model, model]
        NaN with fewer than two groups that have a positive, or a negative.
    """
    y_true, scores, groups = np.asarray(y_true), np.asarray(scores, np.float64), np.asarray(groups)
    if scores.ndim != 2 or not len(y_true) == len(scores) == len(groups):
        raise ValueError(f"There are {len(y_true)} labels, scores of shape {scores.shape} and {len(groups)} groups.")
    if not np.isin(y_true, (0, 1)).all():
        raise ValueError("The labels of a ROC curve must be 0 or 1.")
    if not np.isfinite(scores).all():
        raise ValueError("The scores of a ROC curve must be finite numbers.")
    n_models = scores.shape[1]
    positive = y_true == 1
    if positive.all() or not positive.any():
        return np.full(n_models, np.nan), np.full((n_models, n_models), np.nan)
    components = np.stack([_components(positive, score) for score in scores.T], axis=1)
    areas = components[positive].mean(axis=0)
    deviations = components - areas
    of_positives, n_positive = _of_groups(deviations, positive, groups)
    of_negatives, n_negative = _of_groups(deviations, ~positive, groups)
    i_10, i_01, i_all = (n_positive > 0).sum(), (n_negative > 0).sum(), len(n_positive)
    if i_10 < 2 or i_01 < 2:
        return areas, np.full((n_models, n_models), np.nan)
    m, n = n_positive.sum(), n_negative.sum()
    s_10 = i_10 / ((i_10 - 1) * m) * of_positives.T @ of_positives
    s_01 = i_01 / ((i_01 - 1) * n) * of_negatives.T @ of_negatives
    s_11 = i_all / (i_all - 1) * of_positives.T @ of_negatives
    covariance = s_10 / m + s_01 / n + (s_11 + s_11.T) / (m * n)
    # Groups in which positives and negatives deviate against each other can bring the estimate below 0.
    own = np.diag(covariance)
    covariance[own < 0], covariance[:, own < 0] = np.nan, np.nan
    return areas, covariance


def _components(positive: Bool[np.ndarray, " sample"], score: Float[np.ndarray, " sample"]) -> np.ndarray:
    """Of a positive the mean of psi over the negatives, of a negative that over the positives."""
    own, other = np.sort(score[positive]), np.sort(score[~positive])
    found = np.empty(len(score))
    below = np.searchsorted(other, score[positive], "left") + np.searchsorted(other, score[positive], "right")
    found[positive] = below / 2 / len(other)
    up_to = np.searchsorted(own, score[~positive], "left") + np.searchsorted(own, score[~positive], "right")
    found[~positive] = 1 - up_to / 2 / len(own)
    return found


def _of_groups(
    deviations: Scores, side: Bool[np.ndarray, " sample"], groups: Shaped[np.ndarray, " sample"]
) -> tuple[Float[np.ndarray, "group model"], np.ndarray]:
    """Sums of the deviations of one side's samples by group, and how many they are."""
    distinct, group = np.unique(groups, return_inverse=True)
    sums = np.stack([np.bincount(group[side], of[side], len(distinct)) for of in deviations.T], axis=1)
    return sums, np.bincount(group[side], minlength=len(distinct))


def _normal_bounds(value: float, se: float) -> tuple[float, float]:
    from scipy.stats import norm

    if not se > 0:
        return np.nan, np.nan
    reach = float(norm.ppf(0.975)) * se
    return value - reach, value + reach
