"""How well risks order the times to an event, some of which are censored: later than the last observation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.metrics.bootstrap import Statistic, Weights


def c_index(
    y_true: Float[np.ndarray, "sample 2"], scores: Float[np.ndarray, "sample 1"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Harrell's C: the share of comparable pairs whose earlier event has the higher risk, equal risks counting half.

    A pair is comparable if the earlier of its times is an event, or if its times are equal and exactly one of the two
    is an event, which then is the earlier (Harrell, Lee & Mark 1996, Statist. Med. 15, 361-387). Over the comparable
    pairs, i the earlier and w how often a sample's group was drawn,

        C = sum w_i w_j ([r_i > r_j] + [r_i = r_j] / 2) / sum w_i w_j.

    This is scikit-survival's `concordance_index_censored` with ``tied_tol=0``. NaN without a comparable pair.

    A resample of N samples costs N log N steps, and no matrix of pairs is held: see `_levels`.
    """
    event = y_true[:, 1] == 1
    moment = 2 * np.unique(y_true[:, 0], return_inverse=True)[1] + ~event
    levels = list(_levels(moment, event, np.unique(scores[:, 0], return_inverse=True)[1]))

    in_time = np.argsort(moment, kind="stable")
    events = np.flatnonzero(event)
    up_to = np.searchsorted(moment[in_time], moment[events], side="right")

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        drawn = weights[groups].astype(np.float64)
        elapsed = _running(drawn[in_time])
        comparable = np.einsum("er,er->r", drawn[events], elapsed[-1] - elapsed[up_to])
        concordant = np.zeros(weights.shape[1])
        for level in levels:
            below = _running(drawn[level.later])
            lower = (below[level.lower] + below[level.not_higher]) / 2 - below[level.start]
            concordant += np.einsum("er,er->r", drawn[level.events], lower)
        return np.divide(concordant, comparable, out=np.full_like(concordant, np.nan), where=comparable > 0)

    return statistic


class _Level(NamedTuple):
    """Comparable pairs of the samples of a moment's stretch of time with those of the next stretch.

    Attributes
    ----------
    later : samples of the second stretches, stretch by stretch and in each by risk
    events : events of the first stretches
    start, lower, not_higher : places in `later`, an event each: where its second stretch starts, where in it the risks
        cease to be lower than the event's, and where they begin to be higher
    """

    later: Int[np.ndarray, " later"]
    events: Int[np.ndarray, " event"]
    start: Int[np.ndarray, " event"]
    lower: Int[np.ndarray, " event"]
    not_higher: Int[np.ndarray, " event"]


def _levels(
    moment: Int[np.ndarray, " sample"], event: Bool[np.ndarray, " sample"], risk: Int[np.ndarray, " sample"]
) -> Iterator[_Level]:
    """All pairs of an event and a sample of a later moment, each pair in exactly one level.

    Two moments differ first in one binary digit, the earlier one having 0 there and the later one 1. The level of a
    digit holds the pairs whose moments differ first in it, so log2 of the number of moments many levels hold all.
    """
    n_risks = risk.max() + 1
    for digit in range(int(moment.max()).bit_length()):
        stretch = moment >> (digit + 1)
        second = (moment >> digit) & 1 == 1
        key = stretch * n_risks + risk
        events, later = np.flatnonzero(event & ~second), np.flatnonzero(second)
        later = later[np.argsort(key[later], kind="stable")]
        yield _Level(
            later,
            events,
            np.searchsorted(key[later], stretch[events] * n_risks),
            np.searchsorted(key[later], key[events]),
            np.searchsorted(key[later], key[events], side="right"),
        )


def _running(weights: Float[np.ndarray, "sample resample"]) -> Float[np.ndarray, "place resample"]:
    """Sum of the weights before each place, from 0 to that of all."""
    return np.concatenate([np.zeros((1, weights.shape[1])), np.cumsum(weights, axis=0)])
