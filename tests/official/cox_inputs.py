"""Survivors from a seed, alike for the authors' code of Patho-Bench and for ours."""

from __future__ import annotations

import numpy as np

# Samples that are fitted, queries, dimensions; strength and share of the absolute penalty.
CASES: dict[str, tuple[tuple[int, int, int], float, float]] = {
    "elastic_net": ((120, 30, 20), 0.02, 0.5),
    "elastic_net_wide": ((60, 30, 90), 0.07, 0.5),
    "squared": ((120, 30, 20), 0.5, 0.0),
    "squared_wide": ((60, 30, 90), 20.0, 0.0),
}


def survivors(case: str) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [N, D], and times (many of them equal) and events [N, 2]; the queries come last."""
    fitted, queries, dim = CASES[case][0]
    rng = np.random.default_rng(list(CASES).index(case))
    features = (rng.normal(size=(fitted + queries, dim)) + 1).astype(np.float32)
    time = np.ceil(rng.exponential(np.exp(1 - features[:, 0])) * 20)
    return features, np.stack([time, rng.random(len(time)) < 0.7], axis=1)
