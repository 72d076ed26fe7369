"""Intervals of the metrics that heads average themselves: over episodes, repeats and queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from bench.metrics import Estimator, Scale, replicate, weighted_mean


def over_draws(values: Float[np.ndarray, " draw"], drawn: str) -> dict[str, Any]:
    """Mean over random draws, and the interval in which 95 % of the draws lie.

    Parameters
    ----------
    drawn : "episodes" or "repeats"
        What the interval is over, as a row's metrics say it; elsewhere it is over patients.
    """
    low, high = np.quantile(values, [0.025, 0.975])
    return {"value": float(values.mean()), "ci_low": float(low), "ci_high": float(high), "interval": drawn}


def by_group(
    values: Mapping[str, Float[np.ndarray, " sample"]], groups: Shaped[np.ndarray, " sample"]
) -> dict[str, dict[str, Any]]:
    """Means over samples of values from 0 to 1, and their 95 % intervals over the groups.

    Half a sample of 0 and half a sample of 1 are added for the interval, as in `bench.metrics.smoothing`.
    """
    distinct, group = np.unique(groups, return_inverse=True)
    group = np.append(group, len(distinct) + np.arange(2))
    estimators = {
        name: Estimator(weighted_mean(np.append(of, (0.0, 1.0)), group), Scale(0.0, 1.0), np.full(2, 0.5))
        for name, of in values.items()
    }
    replicates = replicate(estimators, len(distinct), len(group), n_boot=1, seed=0)
    return {name: asdict(of_metric.interval()) for name, of_metric in replicates.items()}
