"""The cluster bootstrap: whole groups (patients) are drawn with replacement, never single samples of a patient.

A resample is a vector of weights, how often each group was drawn. Statistics are computed from the weights and never
from resampled arrays. Percentile intervals: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13;
resampling of clusters: Field & Welsh 2007, J. R. Statist. Soc. B 69, 369-390.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int, Shaped

Weights = Int[np.ndarray, "group resample"]
Statistic = Callable[[Weights], Float[np.ndarray, " resample"]]
Key = TypeVar("Key", bound=Hashable)

# Resamples are evaluated in chunks: at most 64, and so few that an int32 array [sample, resample] stays at 16 MiB.
_CHUNK = 64
_CHUNK_ELEMENTS = 2**22


@dataclass(frozen=True)
class Interval:
    """A point estimate on all samples and its percentile interval; NaN stands for undefined."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Replicates:
    """A statistic on all samples, and on each resample of the groups.

    Two replicates of one call of `replicate` rest on the same resamples, so their difference is a paired one.

    Attributes
    ----------
    value : float
        On all samples, each counted once.
    draws : float64 [resample]
        NaN where a resample leaves the statistic undefined; empty when there is one group only.
    """

    value: float
    draws: Float[np.ndarray, " resample"]

    def __sub__(self, other: Replicates) -> Replicates:
        return Replicates(self.value - other.value, self.draws - other.draws)

    def interval(self) -> Interval:
        """Percentile interval that covers 95 % of the defined draws; NaN bounds when there are none."""
        defined = self.draws[~np.isnan(self.draws)]
        if np.isnan(self.value) or not len(defined):
            return Interval(self.value, np.nan, np.nan)
        low, high = np.quantile(defined, [0.025, 0.975])
        return Interval(self.value, float(low), float(high))


def group_weights(n_groups: int, n_boot: int, seed: int, chunk: int) -> Iterator[Weights]:
    """Multinomial weights of `n_boot` resamples of `n_groups` groups, `chunk` resamples at a time.

    Each column sums to `n_groups`. The resamples depend on `n_groups` and `seed`, not on `chunk`.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, n_boot, chunk):
        width = min(chunk, n_boot - start)
        drawn = rng.integers(0, n_groups, size=(width, n_groups))
        cells = drawn * width + np.arange(width)[:, None]
        yield np.bincount(cells.ravel(), minlength=n_groups * width).reshape(n_groups, width).astype(np.int32)


def replicate(
    statistics: Mapping[Key, Statistic], n_groups: int, n_samples: int, *, n_boot: int, seed: int
) -> dict[Key, Replicates]:
    """Every statistic on all samples and on the same `n_boot` resamples of the groups."""
    everyone = np.ones((n_groups, 1), np.int32)
    values = {key: float(statistic(everyone)[0]) for key, statistic in statistics.items()}
    draws: dict[Key, list[np.ndarray]] = {key: [np.empty(0)] for key in statistics}
    if n_groups > 1:
        chunk = min(_CHUNK, max(1, _CHUNK_ELEMENTS // n_samples))
        for weights in group_weights(n_groups, n_boot, seed, chunk):
            for key, statistic in statistics.items():
                draws[key].append(statistic(weights))
    return {key: Replicates(values[key], np.concatenate(draws[key])) for key in statistics}


class WeightSums:
    """Sums the weights of the samples that share a key, for many resamples at once.

    One product of a sparse count matrix [key, group] with the weights: its cost is that of the distinct pairs of key
    and group, at most the number of samples and far fewer when groups are large.

    Parameters
    ----------
    keys : int [sample]
        Any integers; the sums come in the order of `self.keys`, the distinct ones, ascending.
    groups : int [sample]
        Row of each sample's group in the weights, 0..G-1, none of them empty.
    """

    def __init__(self, keys: Int[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"]) -> None:
        from scipy.sparse import csr_array

        self.keys, cell = np.unique(keys, return_inverse=True)
        once = np.ones(len(keys), np.int32)
        self._counts = csr_array((once, (cell, groups)), shape=(len(self.keys), int(groups.max()) + 1))

    def __call__(self, weights: Weights) -> Float[np.ndarray, "key resample"]:
        return (self._counts @ weights).astype(np.float64)


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
