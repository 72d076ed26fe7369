"""How far predicted survival functions are from what happened: the Brier score, integrated over time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from bench.metrics.survival_curves import censoring_curve

SPAN = (0.1, 0.9)
"""Quantiles of the times of the training events from and to which the score is integrated."""
STEPS = 100


def brier_times(train: Float[np.ndarray, "sample 2"]) -> Float[np.ndarray, " time"]:
    """The times, equally spaced over `SPAN`, at which survival functions are to be given; empty without a span."""
    events = train[train[:, 1] == 1, 0]
    low, high = np.quantile(events, SPAN) if len(events) else (0.0, 0.0)
    return np.linspace(low, high, STEPS) if low < high else np.empty(0)


def integrated_brier(
    train: Float[np.ndarray, "sample 2"], y_true: Float[np.ndarray, "test 2"], survival: Float[np.ndarray, "test time"]
) -> Float[np.ndarray, " test"]:
    """The share of each test sample in the integrated Brier score, which is their mean: 0 at best, about 0.25 for 0.5.

    With S_i(t) the predicted survival and G the share that is not censored up to a time, a sample's score at t is

        S_i(t)^2 / G(t_i)        if it had an event up to t
        (1 - S_i(t))^2 / G(t)    if it is observed beyond t
        0                        if it was censored before

    (Graf et al. 1999, Statist. Med. 18, 2529-2545), integrated over `brier_times` by trapezoids and divided by their
    span. G is the Kaplan-Meier curve of the censorings of the training samples. The mean is scikit-survival's
    `integrated_brier_score(train, test, survival, times)`.

    Parameters
    ----------
    train, y_true : times above 0 and events (1) or censorings (0)
    survival : float [test sample, time]
        Of the test samples at `brier_times(train)`, 0..1.

    Returns
    -------
    float [test sample]
        NaN for all where the training events span no time, no test sample is observed beyond that span, all are
        censored by a time of it, or a survival is not finite.
    """
    from scipy.integrate import trapezoid

    times = brier_times(train)
    time, event = y_true.T
    undefined = np.full(len(y_true), np.nan)
    if not len(times) or not (time > times[-1]).any() or not np.isfinite(survival).all():
        return undefined
    uncensored = censoring_curve(*train.T)
    at_times, counted = uncensored.at(times), (event == 1) & (time <= times[-1])
    at_own = np.ones(len(time))
    at_own[counted] = uncensored.at(time[counted])
    if not (at_times > 0).all() or not (at_own > 0).all():
        return undefined
    case = counted[:, None] & (time[:, None] <= times)
    control = time[:, None] > times
    each = case * survival**2 / at_own[:, None] + control * (1 - survival) ** 2 / at_times
    return np.asarray(trapezoid(each, times, axis=1) / (times[-1] - times[0]))
