"""PLISM's consistency: the same regions under several scanners and stainings, compared view by view.

A view is all regions under one scanner and one staining. Of every pair of views, the cosine is the mean over regions of
that of the two features, and the top-k accuracy the share of regions whose other view is among the k nearest of all
features of both views but their own, averaged over both directions. PLISM's score is the mean of four medians over
pairs: the cosine of all pairs, and the top-10 accuracy of pairs that differ in the scanner, in the staining, and in
both. A high cosine alone can be a collapse. Filiot et al. 2025, arXiv:2501.16239; github.com/owkin/plism-benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int, Shaped

from bench.metrics import Estimator, Scale

KINDS = ("scanner", "staining", "both")
"""What the two views of a pair differ in."""


@dataclass(frozen=True)
class PairedViews:
    """Every pair of views, region by region.

    Attributes
    ----------
    first, second : int [P]
        The views of each pair.
    kinds : str [P]
        One of `KINDS`.
    cosines : float64 [P, R]
        -1 to 1.
    found : float64 [P, R]
        The share of the two directions in which the region is found among the k nearest: 0, 0.5 or 1.
    """

    first: Int[np.ndarray, " pair"]
    second: Int[np.ndarray, " pair"]
    kinds: Shaped[np.ndarray, " pair"]
    cosines: Float[np.ndarray, "pair region"]
    found: Float[np.ndarray, "pair region"]


def paired_views(
    features: Float[np.ndarray, "view region feature"],
    scanners: Shaped[np.ndarray, " view"],
    stainings: Shaped[np.ndarray, " view"],
    k: int = 10,
) -> PairedViews:
    """Compare all pairs of views.

    A region that is as near as others counts as the furthest of them, so that features which are all the same find
    nothing.

    Raises
    ------
    ValueError
        If two views are of the same scanner and staining.
    """
    lengths = np.linalg.norm(features.astype(np.float64), axis=-1, keepdims=True)
    units = features / np.where(lengths > 0, lengths, 1)
    n_views, n = units.shape[:2]
    k = min(k, 2 * n - 1)
    own = np.empty((n_views, n, min(k, n - 1)))  # the closest regions of the same view
    for view in range(n_views):
        closeness = _rounded(units[view] @ units[view].T)
        np.fill_diagonal(closeness, -np.inf)
        own[view] = -np.sort(-closeness, axis=1)[:, : own.shape[2]]
    first, second = np.triu_indices(n_views, 1)
    kinds, cosines, found = [], [], []
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        kinds.append(_kind(scanners[a] == scanners[b], stainings[a] == stainings[b]))
        closeness = _rounded(units[a] @ units[b].T)
        match = closeness.diagonal()
        nearer_a = (closeness >= match[:, None]).sum(axis=1) - 1 + (own[a] >= match[:, None]).sum(axis=1)
        nearer_b = (closeness >= match).sum(axis=0) - 1 + (own[b] >= match[:, None]).sum(axis=1)
        cosines.append(match.copy())
        found.append(((nearer_a < k).astype(float) + (nearer_b < k)) / 2)
    return PairedViews(first, second, np.array(kinds), np.array(cosines), np.array(found))


def consistency_estimators(pairs: PairedViews, groups: Int[np.ndarray, " region"], k: int = 10) -> dict[str, Estimator]:
    """The medians over pairs of views, and their mean, for `bench.metrics.replicate`, which draws groups of regions.

    Kinds of pairs that there are not have no estimator, and the mean is then over those that there are.
    """
    sizes = np.bincount(groups)
    cosines, found = (_sums(values, groups) for values in (pairs.cosines, pairs.found))
    kinds = [kind for kind in KINDS if (pairs.kinds == kind).any()]

    def cosine(weights: Shaped[np.ndarray, "group resample"]) -> Float[np.ndarray, " resample"]:
        return np.asarray(np.median(cosines @ weights / (sizes @ weights), axis=0))

    def top(kind: str, weights: Shaped[np.ndarray, "group resample"]) -> Float[np.ndarray, " resample"]:
        return np.asarray(np.median(found[pairs.kinds == kind] @ weights / (sizes @ weights), axis=0))

    def mean(weights: Shaped[np.ndarray, "group resample"]) -> Float[np.ndarray, " resample"]:
        return np.mean([cosine(weights), *(top(kind, weights) for kind in kinds)], axis=0)

    return {
        "consistency": Estimator(mean, Scale(-1.0, 1.0)),
        "cosine_all": Estimator(cosine, Scale(-1.0, 1.0)),
        **{f"top{k}_{kind}": Estimator(partial(top, kind), Scale(0.0, 1.0)) for kind in kinds},
    }


def _kind(same_scanner: bool, same_staining: bool) -> str:
    if same_scanner and same_staining:
        raise ValueError("Two views are of the same scanner and staining.")
    return "staining" if same_scanner else "scanner" if same_staining else "both"


def _rounded(closeness: Float[np.ndarray, "a b"]) -> Float[np.ndarray, "a b"]:
    """To twelve decimals, so that features which are the same are equally near."""
    return np.asarray(closeness.round(12))


def _sums(values: Float[np.ndarray, "pair region"], groups: Int[np.ndarray, " region"]) -> Float[np.ndarray, "pair g"]:
    """Over the regions of each group."""
    found = np.zeros((len(values), int(groups.max()) + 1))
    np.add.at(found.T, groups, values.T)
    return found
