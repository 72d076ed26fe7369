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

from bench.metrics import Estimator, Scale
from bench.robustness.typed_neighbours import TypedNeighbours, drawn_first

TAIL = 0.1
"""Share of the samples that the tail starts from."""

Draws = Shaped[np.ndarray, "group resample"]


def margins(near: TypedNeighbours) -> Float[np.ndarray, " sample"]:
    """The margin of each sample; NaN where there are fewer than m of a type, or all of them are at distance 0."""
    return _margins(near.so[:, : near.m].mean(axis=1), near.os[:, : near.m].mean(axis=1))


def _margins(so: Float[np.ndarray, " sample"], os: Float[np.ndarray, " sample"]) -> Float[np.ndarray, " sample"]:
    whole = np.isfinite(so) & np.isfinite(os)
    whole[whole] = so[whole] + os[whole] > 0
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


def margin_estimators(near: TypedNeighbours, groups: Int[np.ndarray, " sample"]) -> dict[str, Estimator]:
    """The median, "croma", and the lower tail's mean, "croma_ltm10", for `bench.metrics.replicate`.

    A group that is left out is gone as a neighbour too, and the spare neighbours that follow take its place.
    """
    return {
        "croma": Estimator(_over_draws(near, groups, lambda x, counts: _quantile(x, counts, 0.5)), Scale(-1.0, 1.0)),
        "croma_ltm10": Estimator(_over_draws(near, groups, _tail), Scale(-1.0, 1.0)),
    }


def _over_draws(
    near: TypedNeighbours, groups: Int[np.ndarray, " sample"], of: Callable[..., float]
) -> Callable[[Draws], Float[np.ndarray, " resample"]]:
    """A statistic of the ordered margins and of how often each is drawn; NaN where none is."""

    def statistic(weights: Draws) -> Float[np.ndarray, " resample"]:
        found = np.full(weights.shape[1], np.nan)
        for resample, column in enumerate(weights.T):
            counts = column[groups]
            values = _margins(
                *(
                    _mean_of_first(rows, distances, counts, near.m)
                    for rows, distances in ((near.so_rows, near.so), (near.os_rows, near.os))
                )
            )
            drawn = np.flatnonzero(~np.isnan(values) & (counts > 0))
            if len(drawn):
                order = drawn[np.argsort(values[drawn], kind="stable")]
                found[resample] = of(values[order], counts[order])
        return found

    return statistic


def _mean_of_first(
    rows: Int[np.ndarray, "sample nearest"],
    distances: Float[np.ndarray, "sample nearest"],
    counts: Shaped[np.ndarray, " sample"],
    m: int,
) -> Float[np.ndarray, " sample"]:
    """Mean distance of the first m that are drawn, infinite where there are fewer."""
    there = np.isfinite(distances)
    used = drawn_first(np.where(there, rows, -1), counts, m)
    total, number = (used * np.where(there, distances, 0)).sum(axis=1), used.sum(axis=1)
    return np.divide(total, number, out=np.full(len(rows), np.inf), where=number >= m)


def _tail(ordered: Float[np.ndarray, " sample"], counts: Shaped[np.ndarray, " sample"]) -> float:
    within = counts * (ordered <= _quantile(ordered, counts, TAIL))
    return float(ordered @ within / within.sum())


def _quantile(ordered: Float[np.ndarray, " sample"], counts: Shaped[np.ndarray, " sample"], share: float) -> float:
    """`numpy.quantile` of values that occur as often as `counts` says, linear between two of them."""
    ends = counts.cumsum()
    place = share * (ends[-1] - 1)
    low = np.floor(place)
    below, above = (ordered[(ends > at).argmax()] for at in (low, min(low + 1, ends[-1] - 1)))
    part = place - low
    return float(below + (above - below) * part if part < 0.5 else above - (above - below) * (1 - part))
