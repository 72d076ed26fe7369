"""The nearest samples of other groups, and the nearest of each type: same class elsewhere, other class in the centre.

A neighbour of a sample has its class or another (first letter S or O), and its centre or another (second letter). SO
speaks for biology and OS for the centre. Neighbours of the sample's own group, and the sample itself, do not count:
PathoROB (Koemen et al. 2025, arXiv:2507.17845) leaves out those of the same slide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

DECIMALS = 12
"""Cosine distances that agree to this many decimals are equal, so that neighbours do not depend on rounding."""


@dataclass(frozen=True)
class TypedNeighbours:
    """What is near each of N samples, in float64 cosine distance.

    Attributes
    ----------
    rows : int64 [N, K]
        The nearest samples of other groups, from the nearest on, of equals the lower row; -1 where there are fewer.
    distances : float64 [N, K]
        One minus the cosine, 0 to 2; infinite where there are fewer.
    so, os : float64 [N, M]
        Distances of the nearest samples of the same class and another centre, and of another class and the same
        centre, all of other groups; infinite where there are fewer than M.
    so_rows, os_rows : int64 [N, M]
        These samples.
    m : int
        How many of them CRoMa takes; the others are spare, for when groups are left out.
    """

    rows: Int[np.ndarray, "sample neighbour"]
    distances: Float[np.ndarray, "sample neighbour"]
    so: Float[np.ndarray, "sample nearest"]
    os: Float[np.ndarray, "sample nearest"]
    so_rows: Int[np.ndarray, "sample nearest"]
    os_rows: Int[np.ndarray, "sample nearest"]
    m: int

    @property
    def fewest(self) -> int:
        """How many neighbours the sample with the fewest has, at most K."""
        return int((self.rows >= 0).sum(axis=1).min()) if self.rows.size else 0


def typed_neighbours(
    features: Float[np.ndarray, "sample feature"],
    labels: Int[np.ndarray, " sample"],
    centres: Int[np.ndarray, " sample"],
    groups: Shaped[np.ndarray, " sample"],
    *,
    k: int,
    m: int = 5,
    spare: int = 0,
    memory_bytes: int = 2**28,
) -> TypedNeighbours:
    """Compare every sample with every other, a block of samples at a time.

    Parameters
    ----------
    features : float [N, D]
        Compared as vectors of length one in float64; the distance of an all-zero vector to any other is 1.
    k, m : int
        Neighbours of any type, and of the types SO and OS.
    spare : int
        So many more of each, of which those are taken that follow where groups are left out for an interval.
    memory_bytes : int
        Bound of the working arrays beside the features in float64.
    """
    units = np.asarray(features, dtype=np.float64)
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    units = units / np.where(lengths > 0, lengths, 1)
    group = np.unique(groups, return_inverse=True)[1]
    n = len(units)
    k, most = min(k + spare, n), min(m + spare, n)
    found = TypedNeighbours(
        np.full((n, k), -1, np.int64),
        np.full((n, k), np.inf),
        so=np.full((n, most), np.inf),
        os=np.full((n, most), np.inf),
        so_rows=np.zeros((n, most), np.int64),
        os_rows=np.zeros((n, most), np.int64),
        m=min(m, n),
    )
    size = max(1, memory_bytes // (32 * n))
    for start in range(0, n, size):
        block = slice(start, start + size)
        distances = np.round(1 - units[block] @ units.T, DECIMALS) + 0.0
        np.maximum(distances, 0, out=distances)
        distances[group[block, None] == group] = np.inf
        same_class = labels[block, None] == labels
        same_centre = centres[block, None] == centres
        found.so_rows[block], found.so[block] = _lowest(np.where(same_class & ~same_centre, distances, np.inf), most)
        found.os_rows[block], found.os[block] = _lowest(np.where(~same_class & same_centre, distances, np.inf), most)
        for row, own in enumerate(distances, start):
            near = _nearest(own, k)
            found.rows[row, : len(near)], found.distances[row, : len(near)] = near, own[near]
    return found


def types_of(
    rows: Int[np.ndarray, "sample neighbour"], labels: Int[np.ndarray, " sample"], centres: Int[np.ndarray, " sample"]
) -> tuple[Bool[np.ndarray, "sample neighbour"], Bool[np.ndarray, "sample neighbour"]]:
    """Which of the neighbours are of the type SO, and which of the type OS; a row of -1 is of neither."""
    there = rows >= 0
    same_class = labels[rows] == labels[:, None]
    same_centre = centres[rows] == centres[:, None]
    return there & same_class & ~same_centre, there & ~same_class & same_centre


def _lowest(
    distances: Float[np.ndarray, "sample other"], m: int
) -> tuple[Int[np.ndarray, "sample nearest"], Float[np.ndarray, "sample nearest"]]:
    rows = np.argpartition(distances, m - 1, axis=1)[:, :m]
    rows = np.take_along_axis(rows, np.take_along_axis(distances, rows, 1).argsort(axis=1, kind="stable"), 1)
    return rows, np.take_along_axis(distances, rows, 1)


def drawn_first(
    rows: Int[np.ndarray, "sample neighbour"], counts: Float[np.ndarray, " sample"], most: int
) -> Float[np.ndarray, "sample neighbour"]:
    """How often each neighbour is among the first `most`, where every sample is there as often as `counts` says."""
    there = np.where(rows >= 0, counts[rows], 0)
    return np.clip(most - (there.cumsum(axis=1) - there), 0, there)


def _nearest(distances: Float[np.ndarray, " other"], k: int) -> Int[np.ndarray, " neighbour"]:
    """The rows of at most k finite distances, from the lowest on, of equals the lower row."""
    furthest = np.partition(distances, k - 1)[k - 1]
    candidates = np.flatnonzero((distances <= furthest) & np.isfinite(distances))
    return np.asarray(candidates[np.argsort(distances[candidates], kind="stable")[:k]])
