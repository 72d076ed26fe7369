"""Spots and genes from a seed, alike for the authors' code of HEST-bench and for ours."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Spots(NamedTuple):
    """Features [N, D] float32 and log-counts [N, T] of the spots of one side of a split."""

    features: np.ndarray
    genes: np.ndarray


# Training spots, test spots, dimensions, genes; what their benchmark calls dimreduce, and its regressor.
CASES: dict[str, dict[str, Any]] = {
    "a1": {"shape": (320, 40, 300, 5), "dimreduce": "PCA", "method": "ridge"},
    "a1_randomised": {"shape": (700, 40, 520, 4), "dimreduce": "PCA", "method": "ridge"},
    "a2": {"shape": (200, 40, 48, 5), "dimreduce": None, "method": "ridge"},
    "xgboost": {"shape": (150, 40, 24, 2), "dimreduce": None, "method": "xgboost"},
}


def sides(case: str) -> tuple[Spots, Spots]:
    """Training and test spots: features of a few directions with noise, an offset and a scale of their own."""
    train, test, dim, genes = CASES[case]["shape"]
    rng = np.random.default_rng(list(CASES).index(case))
    n = train + test
    latent = rng.normal(size=(n, 10))
    features = latent @ rng.normal(size=(10, dim)) * 0.3 + rng.normal(size=(n, dim))
    features = features * rng.uniform(0.5, 2, dim) + rng.normal(size=dim)
    counts = rng.poisson(np.exp(latent @ rng.normal(size=(10, genes)) * 0.4 + 1))
    both = Spots(features.astype(np.float32), np.log1p(counts))
    return Spots(*(part[:train] for part in both)), Spots(*(part[train:] for part in both))
