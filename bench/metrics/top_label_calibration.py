"""The calibration errors of THUNDER beside the expected one, all over five bins of the confidence.

The gap of a bin is the difference between the share of its samples that are predicted rightly and the mean of their
confidences, the probability of the predicted class:

    MCE   the largest gap (Naeini et al. 2015)     bins of equal width, closed above
    SCE   the sum of the gaps over 5               the same bins
    ACE   the sum of the gaps over 5               bins of floor(N / 5) samples by confidence, the last with the rest
    TACE  the mean gap of the bins whose mean confidence is above .01; 0 where there is none     the same bins

Gaps are not weighted by samples, and a bin without samples has a gap of 0. This is what THUNDER computes under these
names: Nixon et al. 2019 (arXiv:1904.01685), who introduced SCE, ACE and TACE, take the probabilities of all classes and
not of the predicted one alone. A resample has the bins of all samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from bench.metrics.bootstrap import Statistic, Weights

BINS = 5
LEAST_CONFIDENCE = 0.01  # of a bin of TACE

Labels = Int[np.ndarray, " sample"]
Scores = Float[np.ndarray, "sample class"]
Groups = Int[np.ndarray, " sample"]


def mce(y_true: Labels, scores: Scores, groups: Groups) -> Statistic:
    """Maximum calibration error, 0..1."""
    return _of_gaps(y_true, scores, groups, _equal_width, lambda gaps, confidence: gaps.max(axis=0))


def sce(y_true: Labels, scores: Scores, groups: Groups) -> Statistic:
    """THUNDER's static calibration error, 0..1."""
    return _of_gaps(y_true, scores, groups, _equal_width, lambda gaps, confidence: gaps.sum(axis=0) / BINS)


def ace(y_true: Labels, scores: Scores, groups: Groups) -> Statistic:
    """THUNDER's adaptive calibration error, 0..1."""
    return _of_gaps(y_true, scores, groups, _equal_count, lambda gaps, confidence: gaps.sum(axis=0) / BINS)


def tace(y_true: Labels, scores: Scores, groups: Groups) -> Statistic:
    """THUNDER's thresholded adaptive calibration error, 0..1."""

    def mean_of_confident(gaps: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        counted = confidence > LEAST_CONFIDENCE
        return np.asarray((gaps * counted).sum(axis=0) / np.maximum(counted.sum(axis=0), 1))

    return _of_gaps(y_true, scores, groups, _equal_count, mean_of_confident)


def _equal_width(confidence: Float[np.ndarray, " sample"]) -> Int[np.ndarray, " sample"]:
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence, side="left")


def _equal_count(confidence: Float[np.ndarray, " sample"]) -> Int[np.ndarray, " sample"]:
    """Equal confidences stay in the order of the samples: THUNDER's sort leaves theirs to the processor."""
    bins = np.empty(len(confidence), dtype=np.int64)
    places = np.arange(len(confidence))
    size = len(confidence) // BINS
    bins[np.argsort(confidence, kind="stable")] = np.minimum(places // size, BINS - 1) if size else BINS - 1
    return bins


def _of_gaps(
    y_true: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray,
    bins_of: Callable[[np.ndarray], np.ndarray],
    summary: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Statistic:
    """The summary of gaps [bin, resample] and mean confidences [bin, resample], both 0 in a bin without samples."""
    confidence = scores.max(axis=1)
    sums = np.zeros((3, BINS, int(groups.max()) + 1))
    np.add.at(sums[0], (bins_of(confidence), groups), 1.0)
    np.add.at(sums[1], (bins_of(confidence), groups), confidence)
    np.add.at(sums[2], (bins_of(confidence), groups), scores.argmax(axis=1) == y_true)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        count, confident, right = sums @ weights
        size = np.maximum(count, 1)
        return summary(np.abs(right - confident) / size, confident / size)

    return statistic
