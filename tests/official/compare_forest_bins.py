"""How far forests on 128 quantiles of each dimension, cuML's cuts, are from scikit-learn's, which have all cuts.

    python tests/official/compare_forest_bins.py

cuML needs a GPU, so here scikit-learn grows the trees on the number of the quantile that each value lies in: the cuts
of a split are then those at quantiles of the training spots. cuML's random numbers and its ties remain its own. The
figures are in docs/PROTOCOLS.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hest_inputs import sides
from sklearn.ensemble import RandomForestRegressor

from bench.protocols.hest_features import prepared

FITTED, COMPONENTS, QUANTILES = 400, 64, 128
SETTINGS: dict[str, Any] = {"n_estimators": 70, "max_depth": 16, "random_state": 42, "n_jobs": 2}


def binned(features: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of the quantile of each value, by the quantiles of the former."""
    cuts = np.quantile(features, np.arange(1, QUANTILES) / QUANTILES, axis=0, method="inverted_cdf")
    columns = range(features.shape[1])
    x, q = (
        np.stack([np.searchsorted(cuts[:, c], part[:, c]) for c in columns], axis=1) for part in (features, queries)
    )
    return x.astype(np.float32), q.astype(np.float32)


def correlations(x: np.ndarray, genes: np.ndarray, q: np.ndarray, truth: np.ndarray, **settings: Any) -> np.ndarray:
    """Pearson's r of each gene."""
    found = []
    for gene, true in zip(genes.T, truth.T, strict=True):
        forest = RandomForestRegressor(**{**SETTINGS, **settings}).fit(x, gene)
        found.append(np.corrcoef(forest.predict(q), true)[0, 1])
    return np.array(found)


def main() -> None:
    both = [np.concatenate(part) for part in zip(*sides("a1_randomised"), strict=True)]
    (features, test_features), (genes, truth) = ((part[:FITTED], part[FITTED:]) for part in both)
    x, q = prepared(features, test_features, COMPONENTS, standardise=True)
    bins, bins_q = binned(x, q)
    ours = correlations(x, genes, q, truth)
    others = {
        f"{QUANTILES} quantiles": correlations(bins, genes, bins_q, truth),
        "another seed": correlations(x, genes, q, truth, random_state=43),
        "no limit of depth": correlations(x, genes, q, truth, max_depth=None),
    }
    print(f"{len(x)} spots, {len(q)} test spots, {x.shape[1]} components; r of each gene {ours.round(3)}")
    for name, found in others.items():
        print(f"{name}: by {np.abs(found - ours).max():.4f} in a gene, {np.mean(found - ours):+.4f} in the mean")


if __name__ == "__main__":
    main()
