"""How far class probabilities can be trusted: calibration errors, Brier score and negative log-likelihood.

With n_b samples in bin b of the confidence (the probability of the predicted class, the first one of equals), of which
h_b are predicted rightly, and s_b the sum of their confidences:

    ECE    sum_b |h_b - s_b| / sum_b n_b                    (Naeini et al. 2015; Guo et al. 2017)
    Brier  mean of sum_k (p_k - [y = k])^2                  (Brier 1950; 0 to 2)
    NLL    mean of -log p_y

Bins are 15, equally wide and closed above as in Guo et al., or equally full: cuts at the quantiles of the confidences
of all samples, equal confidences in one bin. A resample has the bins of all samples. THUNDER has 5 equally wide ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from bench.metrics.bootstrap import Statistic, Weights, weighted_mean

BINS = 15
SMALLEST = 1e-12  # a probability of 0 counts as this in the logarithm


def ece(
    y_true: Int[np.ndarray, " sample"],
    scores: Float[np.ndarray, "sample class"],
    groups: Int[np.ndarray, " sample"],
    bins: int = BINS,
) -> Statistic:
    """Expected calibration error over equally wide bins, 0..1."""
    return _calibration_error(y_true, scores, groups, lambda confidence: np.linspace(0, 1, bins + 1)[1:-1])


def ece_mass(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Expected calibration error over equally full bins, 0..1."""
    cuts = np.arange(1, BINS) / BINS
    return _calibration_error(y_true, scores, groups, lambda c: np.quantile(c, cuts, method="inverted_cdf"))


def brier(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Brier score over all classes, 0..2."""
    own = scores[np.arange(len(y_true)), y_true]
    return weighted_mean((scores**2).sum(axis=1) - 2 * own + 1, groups)


def nll(
    y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"], groups: Int[np.ndarray, " sample"]
) -> Statistic:
    """Negative log-likelihood in nats; a probability of 0 counts as `SMALLEST`, where scikit-learn takes 2.2e-16."""
    return weighted_mean(-np.log(np.maximum(scores[np.arange(len(y_true)), y_true], SMALLEST)), groups)


def _calibration_error(
    y_true: np.ndarray, scores: np.ndarray, groups: np.ndarray, cuts: Callable[[np.ndarray], np.ndarray]
) -> Statistic:
    confidence = scores.max(axis=1)
    edges = cuts(confidence)
    bins = np.searchsorted(edges, confidence, side="left")
    gaps = np.zeros((len(edges) + 1, int(groups.max()) + 1))
    np.add.at(gaps, (bins, groups), (scores.argmax(axis=1) == y_true) - confidence)
    sizes = np.bincount(groups)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        return np.asarray(np.abs(gaps @ weights).sum(axis=0) / (sizes @ weights))

    return statistic
