"""What training adds to the variance over test patients: heads that share training patients are not independent."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

TRAIN_SHARE = 0.8
"""The share of the training groups that each repeat of a task with one test set trains on."""


def score_inflation(n_folds: int) -> float:
    """The factor of the variance of a score of all folds together: 1 + n_test / n_train = 1 + 1 / (K - 1)."""
    return 1 + 1 / (n_folds - 1)


def difference_inflation(n_folds: int) -> float:
    """The factor of the variance of a difference of two models: 1 + K n_test / n_train = 1 + K / (K - 1).

    It is the ratio of the corrected variance of Nadeau & Bengio 2003 (Mach. Learn. 52, 239-281, equation 7), (1 / K +
    n_test / n_train) S^2, to S^2 / K, that of K independent folds.
    """
    return 1 + n_folds / (n_folds - 1)


def training_influence(repeats: Float[np.ndarray, " repeat"]) -> Float[np.ndarray, " repeat"]:
    """The influences of the training patients, from what heads score that are trained on `TRAIN_SHARE` of them.

    Their sum of squares is the variance of the delete-d jackknife, (n - d) / d times the mean square of the deviations
    (Shao & Wu 1989, Ann. Statist. 17, 1176-1197), by R - 1 in place of R as the repeats are few.
    """
    n = len(repeats)
    return np.asarray(math.sqrt(TRAIN_SHARE / (1 - TRAIN_SHARE) / (n - 1)) * (repeats - repeats.mean()))


def corrected_error(differences: Float[np.ndarray, " fold"], n_folds: int) -> float:
    """The corrected standard error of a mean over the folds of one or more repeats (Nadeau & Bengio 2003).

    Its degrees of freedom are the number of differences less one. NaN for fewer than two, and where all are equal.
    """
    n = len(differences)
    if n < 2:
        return math.nan
    variance = (1 / n + 1 / (n_folds - 1)) * float(differences.var(ddof=1))
    return math.sqrt(variance) if variance > 0 else math.nan
