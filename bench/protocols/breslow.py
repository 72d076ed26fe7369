"""Survival functions from the log risks of a Cox regression."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def breslow_survival(
    fitted: Float[np.ndarray, "sample 2"],
    fitted_risk: Float[np.ndarray, " sample"],
    risk: Float[np.ndarray, " query"],
    times: Float[np.ndarray, " time"],
) -> Float[np.ndarray, "query time"]:
    """The share of each query that survives each time, by the baseline hazard of the samples that were fitted.

    With d_j the events at the distinct times t_j and R_j the samples at risk,

        S(t | r) = exp(-exp(r) sum over t_j <= t of d_j / sum over R_j of exp(r_i))

    (Breslow 1972, in the discussion of Cox, J. R. Statist. Soc. B 34, 216-217).

    Parameters
    ----------
    fitted : times above 0 and events (1) or censorings (0), of which one at least is an event
    fitted_risk, risk : log risks of the fitted samples and of the queries
    """
    time, event = fitted.T
    order = np.argsort(-time, kind="stable")
    log_at_risk = np.logaddexp.accumulate(fitted_risk[order])[::-1]
    event_times, events = np.unique(time[event == 1], return_counts=True)
    first_at_risk = np.searchsorted(time[order][::-1], event_times)
    log_hazard = np.log(events) - log_at_risk[first_at_risk]
    log_cumulative = np.append(-np.inf, np.logaddexp.accumulate(log_hazard))
    up_to = log_cumulative[np.searchsorted(event_times, times, side="right")]
    return np.asarray(np.exp(-np.exp(np.minimum(risk[:, None] + up_to, 700.0))))
