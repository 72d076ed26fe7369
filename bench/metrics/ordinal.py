"""Agreement of predicted with true grades."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from bench.metrics.bootstrap import Statistic, Weights, WeightSums


def quadratic_kappa(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample grade"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Weighted kappa with quadratic weights (Cohen 1968, Psychol. Bull. 70, 213-220), 1 at best, 0 for chance.

    With o_ij the samples of grade i predicted as grade j (the highest score, the first one of equals), t_i and p_j the
    sums of its rows and columns and n of all,

        kappa = 1 - sum_ij (i - j)^2 o_ij / sum_ij (i - j)^2 t_i p_j / n.

    This is scikit-learn's `cohen_kappa_score(y, predicted, weights="quadratic", labels=range(C))`: a grade that occurs
    nowhere still has its place in the order. NaN where all samples have one grade and all predictions that same grade.
    """
    n_grades = scores.shape[1]
    cells = WeightSums(y_true.astype(np.int64) * n_grades + scores.argmax(axis=1), groups)
    true, predicted = (part.astype(np.float64) for part in np.divmod(cells.keys, n_grades))
    squares, distances = true**2 + predicted**2, (true - predicted) ** 2

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        counts = cells(weights)
        samples = counts.sum(axis=0)
        # The double sum over t_i p_j, multiplied out: whole numbers, so that an expectation of 0 is met exactly.
        by_chance = samples * (squares @ counts) - 2 * (true @ counts) * (predicted @ counts)
        observed = samples * (distances @ counts)
        return 1 - np.divide(observed, by_chance, out=np.full_like(observed, np.nan), where=by_chance > 0)

    return statistic
