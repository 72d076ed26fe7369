"""Sensitivity and specificity of two classes at a threshold that was found on other samples.

Class 1 is the positive one, and a sample is called positive where its score of class 1 is the threshold or higher:

    sensitivity   share of the samples of class 1 that are called positive
    specificity   share of the samples of class 0 that are not

The threshold is the same in all resamples: the interval is that of this classifier, not of the choice of the threshold.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.metrics.bootstrap import Statistic, Weights, undefined

Labels = Int[np.ndarray, " sample"]
Scores = Float[np.ndarray, "sample class"]
Groups = Int[np.ndarray, " sample"]
Compute = Callable[[np.ndarray, np.ndarray, np.ndarray], Statistic]


def sensitivity_at(threshold: float) -> Compute:
    """Sensitivity at this threshold on the score of class 1; NaN without a sample of class 1, or of three classes."""

    def sensitivity(
        y_true: Int[np.ndarray, " sample"],
        scores: Float[np.ndarray, "sample class"],
        groups: Int[np.ndarray, " sample"],
    ) -> Statistic:
        return _share(scores[:, 1] >= threshold, y_true == 1, groups) if scores.shape[1] == 2 else undefined

    return sensitivity


def specificity_at(threshold: float) -> Compute:
    """Specificity at this threshold on the score of class 1; NaN without a sample of class 0, or of three classes."""

    def specificity(
        y_true: Int[np.ndarray, " sample"],
        scores: Float[np.ndarray, "sample class"],
        groups: Int[np.ndarray, " sample"],
    ) -> Statistic:
        return _share(scores[:, 1] < threshold, y_true == 0, groups) if scores.shape[1] == 2 else undefined

    return specificity


def _share(right: Bool[np.ndarray, " sample"], of: Bool[np.ndarray, " sample"], groups: Groups) -> Statistic:
    """Share of the samples `of` that are `right`; NaN for a resample that has none of them."""
    n_groups = int(groups.max()) + 1
    of_group, right_of_group = (np.bincount(groups, flags, n_groups) for flags in (of, of & right))

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        samples = of_group @ weights
        return np.divide(right_of_group @ weights, samples, out=np.full_like(samples, np.nan), where=samples > 0)

    return statistic
