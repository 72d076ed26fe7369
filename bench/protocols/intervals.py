"""Intervals of what heads average themselves: over episodes, repeats and queries."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

RESAMPLES = 1000


def over_draws(values: Float[np.ndarray, " draw"]) -> dict[str, float]:
    """Mean over random draws (episodes), and the interval in which 95 % of the draws lie."""
    low, high = np.quantile(values, [0.025, 0.975])
    return {"value": float(values.mean()), "ci_low": float(low), "ci_high": float(high)}


def by_group(
    values: Float[np.ndarray, " sample"], groups: Shaped[np.ndarray, " sample"], seed: int
) -> dict[str, float]:
    """Mean over samples, and its 95 % percentile bootstrap interval with groups drawn."""
    _, group = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(group, values), np.bincount(group)
    drawn = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    low, high = np.quantile(drawn @ sums / (drawn @ counts), [0.025, 0.975])
    return {"value": float(values.mean()), "ci_low": float(low), "ci_high": float(high)}
