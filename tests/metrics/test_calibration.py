"""Calibration errors against hand-computed cases and plain loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.metrics import calibration
from bench.metrics.bootstrap import Statistic

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], Statistic]


def value(metric: Metric, y: np.ndarray, scores: np.ndarray) -> float:
    groups = np.arange(len(y))
    return float(metric(y, scores, groups)(np.ones((len(y), 1), np.int32))[0])


def test_by_hand() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
    y = np.array([0, 1, 1, 0])
    # Each sample is alone in its bin: gaps .1, .8, .3, .55.
    assert value(calibration.ece, y, scores) == pytest.approx((0.1 + 0.8 + 0.3 + 0.55) / 4)
    assert value(calibration.ece_mass, y, scores) == pytest.approx((0.1 + 0.8 + 0.3 + 0.55) / 4)
    assert value(calibration.brier, y, scores) == pytest.approx((0.02 + 1.28 + 0.18 + 0.605) / 4)
    assert value(calibration.nll, y, scores) == pytest.approx(-np.log([0.9, 0.2, 0.7, 0.45]).mean())


def test_a_shared_bin_averages_before_the_difference_is_taken() -> None:
    scores = np.tile([0.75, 0.25], (4, 1))
    assert value(calibration.ece, np.array([0, 0, 0, 1]), scores) == pytest.approx(0)
    assert value(calibration.ece_mass, np.array([0, 0, 0, 1]), scores) == pytest.approx(0)
    assert value(calibration.ece, np.array([0, 0, 1, 1]), scores) == pytest.approx(0.25)


def test_certainty_and_zero_probability() -> None:
    scores = np.array([[1.0, 0.0], [1.0, 0.0]])
    y = np.array([0, 1])
    assert value(calibration.ece, y, scores) == pytest.approx(0.5)
    assert value(calibration.brier, y, scores) == pytest.approx(1)
    assert value(calibration.nll, y, scores) == pytest.approx(-np.log(1e-12) / 2)


@pytest.mark.parametrize("name", ["ece", "ece_mass", "brier", "nll"])
def test_resamples_are_weighted_copies(name: str) -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(4) * 0.5, size=200)
    y, groups = rng.integers(0, 4, 200), np.repeat(np.arange(40), 5)
    weights = rng.integers(0, 3, size=(40, 6))
    found = getattr(calibration, name)(y, scores, groups)(weights)
    confidence = scores.max(1)
    if name == "ece":
        bins = np.ceil(confidence * 15).astype(int)
    else:
        cuts = np.quantile(confidence, np.arange(1, 15) / 15, method="inverted_cdf")
        bins = np.array([(c > cuts).sum() for c in confidence])
        assert np.bincount(bins).min() >= 13
    for r in range(6):
        copies = np.repeat(np.arange(200), weights[groups, r])
        p, t = scores[copies], y[copies]
        if name == "nll":
            expected = -np.log(p[np.arange(len(t)), t]).mean()
        elif name == "brier":
            expected = ((p - np.eye(4)[t]) ** 2).sum(1).mean()
        else:
            expected = sum(
                abs(((p.argmax(1) == t) - p.max(1))[bins[copies] == b].sum()) for b in np.unique(bins)
            ) / len(t)
        assert found[r] == pytest.approx(expected)
