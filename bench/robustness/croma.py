"""CRoMa: how much nearer the same class elsewhere is than another class in the same centre, sample by sample.

    CRoMa = (d_OS - d_SO) / (d_OS + d_SO),

d being the mean cosine distance to the m nearest samples of the type. It is in (-1, 1), and above 0 where biology is
nearer. The whole is summed up by the median, and its lower tail by LTM10, the mean of the samples at or below the tenth
percentile. Grisi et al. 2026, arXiv:2607.25497; the package croma has m = 5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Shaped

from bench.metrics import Estimator
from bench.robustness.typed_neighbours import TypedNeighbours

TAIL = 0.1
"""Share of the samples that the tail starts from."""

Draws = Shaped[np.ndarray, "group resample"]


def margins(near: TypedNeighbours) -> Float[np.ndarray, " sample"]:
    """The margin of each sample; NaN where there are fewer than m of a type, or all of them are at distance 0."""
    so, os = near.so.mean(axis=1), near.os.mean(axis=1)
    whole = np.isfinite(so) & np.isfinite(os) & (so + os > 0)
    found = np.full(len(so), np.nan)
    found[whole] = (os[whole] - so[whole]) / (os[whole] + so[whole])
    return found


def median(values: Float[np.ndarray, " sample"]) -> float:
    """The median of the margins that are defined; NaN without any."""
    defined = values[~np.isnan(values)]
    return float(np.median(defined)) if len(defined) else float("nan")


def lower_tail_mean(values: Float[np.ndarray, " sample"], share: float = TAIL) -> float:
    """The mean of the defined margins at or below their quantile `share`, 0 to 1; NaN without any."""
    defined = values[~np.isnan(values)]
    return float(defined[defined <= np.quantile(defined, share)].mean()) if len(defined) else float("nan")


def median_estimator(values: Float[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"]) -> Estimator:
    """The median of the defined margins for `bench.metrics.replicate`, which draws groups of samples.

    It has no jackknife, which is wrong for quantiles: its interval is that of the draws.
    """
    return Estimator(_over_draws(values, groups, lambda ordered, counts: _quantile(ordered, counts, 0.5)), None)


def tail_estimator(
    values: Float[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"], share: float = TAIL
) -> Estimator:
    """The lower tail's mean likewise."""

    def tail(
        ordered: Float[np.ndarray, " sample"], counts: Float[np.ndarray, "sample resample"]
    ) -> Float[np.ndarray, " resample"]:
        within = counts * (ordered[:, None] <= _quantile(ordered, counts, share))
        return np.asarray(ordered @ within / within.sum(axis=0))

    return Estimator(_over_draws(values, groups, tail), None)


def _over_draws(
    values: Float[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"], of: Callable[..., np.ndarray]
) -> Callable[[Draws], Float[np.ndarray, " resample"]]:
    """A statistic of the ordered values and of how often each is drawn; NaN where none is."""
    there = np.flatnonzero(~np.isnan(values))
    order = there[np.argsort(values[there], kind="stable")]
    ordered, group = values[order], groups[order]

    def statistic(weights: Draws) -> Float[np.ndarray, " resample"]:
        counts = weights[group]
        found = np.full(weights.shape[1], np.nan)
        drawn = counts.sum(axis=0) > 0
        if len(ordered) and drawn.any():
            found[drawn] = of(ordered, counts[:, drawn])
        return found

    return statistic


def _quantile(
    ordered: Float[np.ndarray, " sample"], counts: Shaped[np.ndarray, "sample resample"], share: float
) -> Float[np.ndarray, " resample"]:
    """`numpy.quantile` of values that occur as often as `counts` says, linear between two of them."""
    ends = counts.cumsum(axis=0)
    place = share * (ends[-1] - 1)
    low = np.floor(place)
    below, above = (ordered[(ends > at).argmax(axis=0)] for at in (low, np.minimum(low + 1, ends[-1] - 1)))
    part = place - low
    return np.where(part < 0.5, below + (above - below) * part, above - (above - below) * (1 - part))
