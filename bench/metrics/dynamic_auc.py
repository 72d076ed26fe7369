"""How well risks tell who has had an event by a time from who has not: the time-dependent AUC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from bench.metrics.bootstrap import Statistic, Weights, mean_of_defined, undefined
from bench.metrics.survival_curves import censoring_curve

QUANTILES = (0.25, 0.5, 0.75)
"""Of the times of the training events: at these times the AUC is computed."""


def auc_times(train: Float[np.ndarray, "sample 2"]) -> Float[np.ndarray, " time"]:
    """The distinct quantiles of the times of the training events; empty without an event.

    Of events and not of all times: many samples that are censored at the end of a study would put a quantile there,
    where nobody is left to be compared.
    """
    times = train[train[:, 1] == 1, 0]
    return np.unique(np.quantile(times, QUANTILES)) if len(times) else np.empty(0)


def dynamic_auc(
    train: Float[np.ndarray, "sample 2"],
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], Statistic]:
    """The mean over `auc_times` of the cumulative/dynamic AUC, with weights for the censoring, 0..1; 0.5 for chance.

    At time t, the cases are the samples with an event up to t and the controls those that are observed beyond t; with w
    how often a sample's group was drawn, r the risk and G the share that is not censored up to a time,

        AUC(t) = sum_i sum_j (w_i / G(t_i)) w_j ([r_i > r_j] + [r_i = r_j] / 2) / (sum_i (w_i / G(t_i))  sum_j w_j),

    i over the cases, j over the controls (Uno et al. 2007, J. Am. Stat. Assoc. 102, 527; Hung & Chiang 2010, Can. J.
    Statist. 38, 8). G is the Kaplan-Meier curve of the censorings of the training samples, so that the weights are the
    same in all resamples; where patients are censored for reasons that the risk knows, the weights do not mend it. This
    is scikit-survival's `cumulative_dynamic_auc(train, test, risk, times, tied_tol=0)`; of its values the plain mean is
    taken, not the one weighted by the test samples' own survival.

    NaN where one of the times has no case or no control on the whole test set, or where no training event makes a time
    or all that are left are censored by then. A time that only a resample leaves without is left out of its mean.

    Parameters
    ----------
    train : times above 0 and events (1) or censorings (0) of the training samples
    """
    train = np.asarray(train, np.float64)
    times = auc_times(train)
    uncensored = censoring_curve(*train.T)

    def compute(
        y_true: Float[np.ndarray, "sample 2"], scores: Float[np.ndarray, "sample 1"], groups: Int[np.ndarray, " sample"]
    ) -> Statistic:
        curves = [_auc_at(time, uncensored.at, y_true, scores[:, 0], groups) for time in times]
        if not curves or undefined in curves:
            return undefined
        return lambda weights: mean_of_defined(np.stack([curve(weights) for curve in curves]))

    return compute


def _auc_at(
    time: float,
    uncensored: Callable[[np.ndarray], np.ndarray],
    y_true: Float[np.ndarray, "sample 2"],
    risk: Float[np.ndarray, " sample"],
    groups: Int[np.ndarray, " sample"],
) -> Statistic:
    case = np.flatnonzero((y_true[:, 1] == 1) & (y_true[:, 0] <= time))
    control = np.flatnonzero(y_true[:, 0] > time)
    left = uncensored(y_true[case, 0])
    if not len(case) or not len(control) or not (left > 0).all():
        return undefined
    control = control[np.argsort(risk[control], kind="stable")]
    lower, not_higher = (np.searchsorted(risk[control], risk[case], side) for side in ("left", "right"))
    of_case, of_control, weight = groups[case], groups[control], (1 / left)[:, None]

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        cases = weights[of_case] * weight
        below = np.concatenate([np.zeros((1, weights.shape[1])), np.cumsum(weights[of_control], axis=0)])
        wins = np.einsum("cr,cr->r", cases, below[lower] + below[not_higher]) / 2
        pairs = cases.sum(axis=0) * below[-1]
        return np.divide(wins, pairs, out=np.full_like(wins, np.nan), where=pairs > 0)

    return statistic
