"""Thresholds on the score of class 1, found on samples outside the fit of the head and never on the test set.

The samples are those of `bench.protocols.temperature`: the validation side, or the held-out parts of inner folds by
group. A sample is called positive where its score is the threshold or higher. With few negatives the specificity that a
threshold reaches on other samples is uncertain: of 20 negatives, 95 % are 19.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

TARGET = 0.95


def operating_thresholds(
    scores: Float[np.ndarray, "sample class"], y_true: Int[np.ndarray, " sample"]
) -> dict[str, Any]:
    """The thresholds of two classes for a specificity and for a sensitivity of 95 %; empty for more classes.

    Returns
    -------
    dict
        For `Predictions.info`: ``thresholds``, by the name of the metric that is computed with each
        (`bench.metrics.MetricSet.of_threshold`), a score of class 1 or None.
    """
    if scores.shape[1] != 2:
        return {}
    thresholds = {
        "sensitivity_at_95_specificity": threshold_at_specificity(scores[:, 1], y_true, TARGET),
        "specificity_at_95_sensitivity": threshold_at_sensitivity(scores[:, 1], y_true, TARGET),
    }
    return {"thresholds": thresholds}


def threshold_at_specificity(
    score: Float[np.ndarray, " sample"], y_true: Int[np.ndarray, " sample"], specificity: float
) -> float | None:
    """The lowest threshold below which there are so many negatives: of those that reach it the most sensitive.

    Candidates are the scores of the samples, and the next number above the highest. None without a sample of class 0
    or without one of class 1.
    """
    if len(np.unique(y_true)) < 2:
        return None
    candidates = np.unique(score)
    candidates = np.append(candidates, np.nextafter(candidates[-1], np.inf))
    negatives = np.sort(score[y_true == 0])
    below = np.searchsorted(negatives, candidates, side="left")
    return float(candidates[np.flatnonzero(below >= _enough(specificity, len(negatives)))[0]])


def threshold_at_sensitivity(
    score: Float[np.ndarray, " sample"], y_true: Int[np.ndarray, " sample"], sensitivity: float
) -> float | None:
    """The highest threshold that so many positives reach: of those the most specific. None as above."""
    if len(np.unique(y_true)) < 2:
        return None
    positives = np.sort(score[y_true == 1])
    return float(positives[len(positives) - max(1, _enough(sensitivity, len(positives)))])


def _enough(share: float, samples: int) -> int:
    """The smallest number of the samples that is this share of them or more; rounding errors of the product aside."""
    return int(np.ceil(share * samples - 1e-9))
