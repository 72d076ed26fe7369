"""What a difference of two models is when the predictions of some groups are exchanged between them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Shaped

from bench.metrics.metric_sets import Metric

_ELEMENTS = 2**22
"""Of an array [sample, swap] at most, so that a metric that makes one for each stays within 32 MiB an array."""


def swapped_differences(
    metric: Metric,
    y_true: Shaped[np.ndarray, "sample ..."],
    a: Float[np.ndarray, "sample column"],
    b: Float[np.ndarray, "sample column"],
    groups: Shaped[np.ndarray, " sample"],
    swaps: Int[np.ndarray, "group swap"],
) -> Float[np.ndarray, " swap"]:
    """The difference a - b after each of the swaps.

    Both predictions of every sample stand in one table, each as a group of its own, of which a swap takes one or the
    other. For a metric of the order of the samples, the scores of each model are replaced by their ranks first, so
    that models whose scores lie closer together are exchanged as equals.

    Parameters
    ----------
    swaps : int [group, swap]
        1 where the group's predictions are exchanged; groups in the order of their names.
    """
    distinct, group = np.unique(groups, return_inverse=True)
    if metric.of_order:
        a, b = _ranked(a), _ranked(b)
    statistic = metric(
        np.concatenate([y_true, y_true]), np.concatenate([a, b]), np.concatenate([group, group + len(distinct)])
    )
    width = max(1, _ELEMENTS // (2 * len(y_true)))
    found = []
    for start in range(0, swaps.shape[1], width):
        exchanged = swaps[:, start : start + width]
        stays = 1 - exchanged
        of_a, of_b = np.concatenate([stays, exchanged]), np.concatenate([exchanged, stays])
        found.append(statistic(of_a) - statistic(of_b))
    return np.concatenate(found)


def _ranked(scores: Float[np.ndarray, "sample column"]) -> Float[np.ndarray, "sample column"]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(scores, axis=0))
