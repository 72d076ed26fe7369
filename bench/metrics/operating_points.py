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
    return _rate(threshold, of_class=1)


def specificity_at(threshold: float) -> Compute:
    """Specificity at this threshold on the score of class 1; NaN without a sample of class 0, or of three classes."""
    return _rate(threshold, of_class=0)


def _rate(threshold: float, of_class: int) -> Compute:
    """Share of the samples of a class, 0 or 1, that are called by it."""

    def rate(y_true: Labels, scores: Scores, groups: Groups) -> Statistic:
        if scores.shape[1] != 2:
            return undefined
        called = (scores[:, 1] >= threshold).astype(int)
        return _share(called == of_class, y_true == of_class, groups)

    return rate


def _share(right: Bool[np.ndarray, " sample"], of: Bool[np.ndarray, " sample"], groups: Groups) -> Statistic:
    """Share of the samples `of` that are `right`; NaN for a resample that has none of them."""
    n_groups = int(groups.max()) + 1
    of_group, right_of_group = (np.bincount(groups, flags, n_groups) for flags in (of, of & right))

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        samples = of_group @ weights
        return np.divide(right_of_group @ weights, samples, out=np.full_like(samples, np.nan), where=samples > 0)

    return statistic
