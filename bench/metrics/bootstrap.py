"""The cluster bootstrap and jackknife: whole groups (patients) are drawn or left out, never samples of them.

A resample is a vector of weights, how often each group was drawn. Statistics are computed from the weights and never
from resampled arrays. The bootstrap: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13;
resampling of clusters: Field & Welsh 2007, J. R. Statist. Soc. B 69, 369-390.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from bench.metrics.intervals import UNBOUNDED, Influence, Interval, Scale, blocks_of, influence_of, studentised

Weights = Shaped[np.ndarray, "group resample"]
Statistic = Callable[[Weights], Float[np.ndarray, " resample"]]
Key = TypeVar("Key", bound=Hashable)

# Resamples are evaluated in chunks: at most 64, and so few that an int32 array [sample, resample] stays at 16 MiB. Of
# few samples there are more of them, as then the calls take longer than the arithmetic.
_CHUNK = 64
_CHUNK_ELEMENTS = 2**22
_FEW_ELEMENTS = 2**14
_DENSE_ELEMENTS = 2**14
"""Up to so many, counts [key, group] are a plain matrix, whose product is faster than that of a sparse one."""


@dataclass(frozen=True)
class Estimator:
    """A statistic, and what its interval is made by.

    Attributes
    ----------
    statistic : function
        Of weights [group, resample]; the groups that are drawn come first, the added ones after them.
    scale : Scale or None
        The values that it can take; None for a statistic that is to have no interval.
    added : float64 [added group]
        Weights of the groups that smooth the interval (`bench.metrics.smoothing`); they are in no value and no draw.
    """

    statistic: Statistic
    scale: Scale | None = UNBOUNDED
    added: Float[np.ndarray, " added"] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Replicates:
    """A statistic on all samples, on each resample of the groups, and without each block of them.

    Two replicates of one call of `replicate` rest on the same resamples and blocks, so their difference is a paired
    one.

    Attributes
    ----------
    value : float
        On all samples, each counted once.
    draws : float64 [resample]
        NaN where a resample leaves the statistic undefined; empty when there is one group only.
    centre : float
        The smoothed value, which the interval lies around.
    influence : float64 [block]
        By how much each block of groups moves the statistic, and at the end each added group; empty when there is one
        group only.
    n_added : int
        How many of the influences are of added groups.
    scale : Scale or None
        The values that the statistic can take; None where it has no interval.
    """

    value: float
    draws: Float[np.ndarray, " resample"]
    centre: float
    influence: Influence
    scale: Scale | None = UNBOUNDED
    n_added: int = 0

    def __sub__(self, other: Replicates) -> Replicates:
        value = self.value - other.value
        draws, influence = self.draws - other.draws, self.influence - other.influence
        return Replicates(value, draws, value, influence, n_added=self.n_added)

    @property
    def undefined_share(self) -> float:
        """Share of the resamples, 0 to 1, that leave the statistic undefined."""
        return float(np.isnan(self.draws).mean()) if len(self.draws) else 0.0

    def interval(self) -> Interval:
        """The studentised 95 % interval (`bench.metrics.intervals`)."""
        if self.scale is None:
            return Interval(self.value, np.nan, np.nan)
        return studentised(self.value, self.centre, self.influence, self.scale, self.n_added)


def group_weights(n_groups: int, n_boot: int, seed: int, chunk: int, more: int = 0) -> Iterator[Weights]:
    """Multinomial weights of `n_boot` resamples of `n_groups` groups, `chunk` resamples at a time.

    Each column sums to `n_groups`. The resamples depend on `n_groups` and `seed`, not on `chunk`. Below them are `more`
    rows of zeros, for groups that are never drawn.
    """
    rng = np.random.default_rng(seed)
    rows = n_groups + more
    for start in range(0, n_boot, chunk):
        width = min(chunk, n_boot - start)
        drawn = rng.integers(0, n_groups, size=(width, n_groups))
        drawn += rows * np.arange(width)[:, None]  # the counts of one resample side by side stay in the cache
        counts = np.bincount(drawn.ravel(), minlength=rows * width).reshape(width, rows)
        yield counts.T.astype(np.int32, order="C")


def replicate(
    estimators: Mapping[Key, Estimator], n_groups: int, n_samples: int, *, n_boot: int, seed: int
) -> dict[Key, Replicates]:
    """Every statistic on all samples, on the same `n_boot` resamples of the groups, and without each block of them.

    Without resamples (`n_boot=0`) there is no jackknife either: only the values are wanted.
    """
    most = max((len(of.added) for of in estimators.values()), default=0)
    everyone = np.append(np.ones(n_groups, np.int32), np.zeros(most, np.int32))[:, None]
    values = {key: float(of.statistic(everyone[: n_groups + len(of.added)])[0]) for key, of in estimators.items()}
    draws: dict[Key, list[np.ndarray]] = {key: [np.empty(0)] for key in estimators}
    centres, influences = dict(values), {key: np.empty(0) for key in estimators}
    if n_groups > 1 and n_boot:
        chunk = min(_CHUNK, max(1, _CHUNK_ELEMENTS // n_samples))
        for weights in group_weights(n_groups, n_boot, seed, max(chunk, _FEW_ELEMENTS // n_samples), most):
            for key, of in estimators.items():
                draws[key].append(of.statistic(weights[: n_groups + len(of.added)]))
        for key, left_out in _jackknife(estimators, blocks_of(n_groups, seed), chunk).items():
            centres[key], influences[key] = float(left_out[-1]), influence_of(left_out[:-1])
    return {
        key: Replicates(values[key], np.concatenate(draws[key]), centres[key], influences[key], of.scale, len(of.added))
        for key, of in estimators.items()
    }


def _jackknife(
    estimators: Mapping[Key, Estimator], block: Int[np.ndarray, " group"], chunk: int
) -> dict[Key, Float[np.ndarray, " block_and_all"]]:
    """Smoothed statistics without each block of groups, without each added group, and at last with all of them.

    Those that are smoothed alike share the weights, multiplied so that they are integers: integers are counted faster,
    and no statistic depends on the scale of the weights.
    """
    found: dict[Key, list[np.ndarray]] = {key: [] for key, of in estimators.items() if of.scale is not None}
    alike: dict[bytes, list[Key]] = {}
    for key in found:
        alike.setdefault(estimators[key].added.tobytes(), []).append(key)
    for keys in alike.values():
        added = estimators[keys[0]].added
        base = np.append(np.ones(len(block)), added)
        merged = base / added[0] if len(added) else base
        base = merged.round().astype(np.int32) if np.allclose(merged, merged.round(), rtol=0, atol=1e-9) else base
        blocks = np.append(block, block.max() + 1 + np.arange(len(added)))
        for start in range(0, blocks.max() + 2, chunk):
            left_out = np.arange(start, min(start + chunk, blocks.max() + 2))
            weights = base[:, None] * (blocks[:, None] != left_out)
            for key in keys:
                found[key].append(estimators[key].statistic(weights))
    return {key: np.concatenate(parts) for key, parts in found.items()}


class WeightSums:
    """Sums the weights of the samples that share a key, for many resamples at once.

    One product of a count matrix [key, group] with the weights. It is sparse unless it is small: its cost is that of
    the distinct pairs of key and group, at most the number of samples and far fewer when groups are large. Both forms
    give the same sums of whole weights, as these are exact.

    Parameters
    ----------
    keys : int [sample]
        Any integers; the sums come in the order of `self.keys`, the distinct ones, ascending.
    groups : int [sample]
        Row of each sample's group in the weights, 0..G-1, none of them empty.
    """

    def __init__(self, keys: Int[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"]) -> None:
        self.keys, self._cell = _distinct(keys)
        self._groups, self._n_groups = groups, int(groups.max()) + 1

    def __call__(self, weights: Weights) -> Float[np.ndarray, "key resample"]:
        if self._is_small and weights.dtype.kind == "i":
            return np.asarray(self._dense @ weights.astype(np.float64))
        return np.asarray((self._sparse @ weights).astype(np.float64))

    @property
    def _is_small(self) -> bool:
        return len(self.keys) * self._n_groups <= _DENSE_ELEMENTS

    @cached_property
    def _dense(self) -> Float[np.ndarray, "key group"]:
        size = len(self.keys) * self._n_groups
        counts = np.bincount(self._cell * self._n_groups + self._groups, minlength=size)
        return counts.reshape(len(self.keys), self._n_groups).astype(np.float64)

    @cached_property
    def _sparse(self) -> Any:
        from scipy.sparse import csr_array

        once = np.ones(len(self._cell), np.int32)
        return csr_array((once, (self._cell, self._groups)), shape=(len(self.keys), self._n_groups))


def _distinct(keys: Int[np.ndarray, " sample"]) -> tuple[Int[np.ndarray, " key"], Int[np.ndarray, " sample"]]:
    """`np.unique` with the inverse; without its sort where the keys are not much larger than they are many."""
    if keys.min() < 0 or keys.max() > 8 * len(keys):
        distinct, place = np.unique(keys, return_inverse=True)
        return distinct, place
    occurs = np.zeros(int(keys.max()) + 1, bool)
    occurs[keys] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[keys]


def group_sums(
    values: Shaped[np.ndarray, "sample column"], groups: Int[np.ndarray, " sample"]
) -> Float[np.ndarray, "column group"]:
    """Sums of each column over the samples of each group: their product with the weights is the sum over a resample."""
    from scipy.sparse import csr_array

    membership = csr_array((np.ones(len(groups)), (groups, np.arange(len(groups)))))
    return np.asarray((membership @ values.astype(np.float64)).T)


def weighted_mean(values: Float[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"]) -> Statistic:
    """The mean over the samples of a resample; groups are 0..G-1, none of them empty."""
    sums, sizes = np.bincount(groups, values), np.bincount(groups)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        return np.asarray((sums @ weights) / (sizes @ weights))

    return statistic


def mean_of_defined(values: Float[np.ndarray, "part resample"]) -> Float[np.ndarray, " resample"]:
    """Mean over the parts (classes, labels, targets) that a resample leaves defined; NaN where it leaves none."""
    defined = ~np.isnan(values)
    total, parts = np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0)
    return np.divide(total, parts, out=np.full(total.shape, np.nan), where=parts > 0)


def undefined(weights: Weights) -> Float[np.ndarray, " resample"]:
    """The statistic of a metric that the test set itself leaves undefined."""
    return np.full(weights.shape[1], np.nan)
