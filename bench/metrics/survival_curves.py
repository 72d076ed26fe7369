"""Survival curves without a model, and whether those of two groups of risk differ.

With d_j the events and n_j the samples at risk at the distinct times t_j,

    S(t) = product over t_j <= t of (1 - d_j / n_j)                 (Kaplan & Meier 1958, J. Am. Stat. Assoc. 53, 457)

and the log-rank test sets the events of a group against those that its share of the samples at risk would have

    chi2 = (sum_j d_1j - n_1j d_j / n_j)^2 / sum_j n_1j n_0j d_j (n_j - d_j) / (n_j^2 (n_j - 1))

(Mantel 1966, Cancer Chemother. Rep. 50, 163; Peto & Peto 1972, J. R. Statist. Soc. A 135, 185), of one degree of
freedom. Neither assumes anything about hazards; the test has most power where they are proportional, and little where
the curves cross.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


@dataclass(frozen=True)
class KaplanMeier:
    """A survival curve: constant between its times, and 1 before the first.

    Attributes
    ----------
    time : float [step]
        The distinct times of events and censorings, ascending.
    survival : float [step]
        Share that survives the time, 0..1.
    at_risk, events : int [step]
        Samples whose own time is this or a later one, and events at this time.
    """

    time: Float[np.ndarray, " step"]
    survival: Float[np.ndarray, " step"]
    at_risk: Int[np.ndarray, " step"]
    events: Int[np.ndarray, " step"]

    def at(self, time: Float[np.ndarray, " query"]) -> Float[np.ndarray, " query"]:
        """Survival at any times; NaN after the last one, unless the curve has reached 0 there."""
        value = np.append(1.0, self.survival)[np.searchsorted(self.time, time, side="right")]
        return np.asarray(np.where((time > self.time[-1]) & (value > 0), np.nan, value))

    @property
    def median(self) -> float:
        """The first time at which half of the samples or fewer survive; NaN where the curve stays above half."""
        below = np.flatnonzero(self.survival <= 0.5)
        return float(self.time[below[0]]) if len(below) else np.nan


class LogRank(NamedTuple):
    """Statistic and two-sided p-value of the log-rank test; NaN where they are undefined."""

    chi2: float
    p: float


def kaplan_meier(time: Float[np.ndarray, " sample"], event: Shaped[np.ndarray, " sample"]) -> KaplanMeier:
    """The survival curve of samples with a time and an event (1) or censoring (0); at equal times events come first."""
    distinct, at_risk, events = _counts(time, event)
    return KaplanMeier(distinct, np.cumprod(1 - events / at_risk), at_risk, events)


def censoring_curve(time: Float[np.ndarray, " sample"], event: Shaped[np.ndarray, " sample"]) -> KaplanMeier:
    """The share that is not censored up to a time: the curve of the censorings, with events before them at equal times.

    Its `events` are the censorings, and its `at_risk` is without the events at the same time.
    """
    distinct, at_risk, events = _counts(time, event)
    censored = at_risk - np.append(at_risk[1:], 0) - events
    left = at_risk - events
    hazard = np.divide(censored, left, out=np.zeros(len(left)), where=censored > 0)
    return KaplanMeier(distinct, np.cumprod(1 - hazard), left, censored)


def log_rank(
    time: Float[np.ndarray, " sample"],
    event: Shaped[np.ndarray, " sample"],
    second: Bool[np.ndarray, " sample"],
) -> LogRank:
    """Whether the samples of the second group survive as the others; NaN without two groups, or without an event that
    finds both of them at risk.
    """
    from scipy.stats import chi2

    distinct, at_risk, events = _counts(time, event)
    step = np.searchsorted(distinct, time)
    own = np.bincount(step[second], minlength=len(distinct))[::-1].cumsum()[::-1]
    own_events = np.bincount(step[second & (event == 1)], minlength=len(distinct))
    excess = (own_events - own * events / at_risk).sum()
    several = at_risk > 1
    spread = own * (at_risk - own) * events * (at_risk - events)
    variance = (spread[several] / (at_risk[several] ** 2 * (at_risk[several] - 1.0))).sum()
    if not variance > 0:
        return LogRank(np.nan, np.nan)
    statistic = float(excess**2 / variance)
    return LogRank(statistic, float(chi2.sf(statistic, 1)))


def risk_groups(
    y_true: Float[np.ndarray, "sample 2"], risk: Float[np.ndarray, " sample"], groups: Shaped[np.ndarray, " sample"]
) -> dict[str, Any]:
    """The test samples in two halves, above the median of their own risks and not above it, and the log-rank test.

    The cut is that of the test samples: a risk has no scale that another fit or fold shares. It says whether the order
    of the risks separates the curves, and is no cut for a patient to come.

    Parameters
    ----------
    y_true : times and events (1) or censorings (0)
    groups : the patient of each sample
        The test takes samples for independent, so its p-value is undefined where a patient has several.

    Returns
    -------
    dict
        JSON values: ``cut``, which says where the halves part, ``log_rank_chi2`` and ``log_rank_p`` (None where
        undefined), and for ``high`` and ``low`` the samples, events and the median survival (None where the curve stays
        above half).
    """
    time, event = y_true.T
    high = risk > np.median(risk)
    independent = len(np.unique(groups)) == len(risk)
    test = log_rank(time, event, high) if independent else LogRank(np.nan, np.nan)
    found: dict[str, Any] = {
        "cut": "the median risk of the test samples",
        "log_rank_chi2": _or_none(test.chi2),
        "log_rank_p": _or_none(test.p),
    }
    for name, half in (("high", high), ("low", ~high)):
        median = kaplan_meier(time[half], event[half]).median if half.any() else np.nan
        events = int(event[half].sum())
        found[name] = {"samples": int(half.sum()), "events": events, "median_survival": _or_none(median)}
    return found


def _counts(
    time: Float[np.ndarray, " sample"], event: Shaped[np.ndarray, " sample"]
) -> tuple[Float[np.ndarray, " step"], Int[np.ndarray, " step"], Int[np.ndarray, " step"]]:
    """The distinct times, and at each the samples at risk and the events."""
    distinct, step = np.unique(np.asarray(time, np.float64), return_inverse=True)
    samples = np.bincount(step, minlength=len(distinct))
    return distinct, samples[::-1].cumsum()[::-1], np.bincount(step[np.asarray(event) == 1], minlength=len(distinct))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
