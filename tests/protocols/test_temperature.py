"""Temperature scaling against hand-computed cases, and where its temperature comes from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_helpers import cohort

from bench.protocols import knn, linear
from bench.protocols.temperature import fit_temperature, scaled


def nll(scores: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(np.maximum(scores, 1e-12)[np.arange(len(y)), y]).mean())


def test_overconfidence_by_hand() -> None:
    # Nine tenths certain, right in three of four: the best probability is 3/4, so T = log 9 / log 3 = 2.
    scores = np.tile([0.9, 0.1], (4, 1))
    y = np.array([0, 0, 0, 1])
    assert fit_temperature(scores, y) == pytest.approx(2, rel=1e-5)
    np.testing.assert_allclose(scaled(scores, 2.0)[0], [0.75, 0.25])


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(2, 5), st.floats(0.1, 8))
def test_validation_likelihood_never_falls_and_order_stays(seed: int, classes: int, sharpness: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(40, classes)) * sharpness
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = rng.integers(0, classes, 40)
    after = scaled(scores, fit_temperature(scores, y))
    assert nll(after, y) <= nll(scores, y) + 1e-12
    np.testing.assert_allclose(after.sum(1), 1)
    np.testing.assert_array_equal(after.argmax(1), scores.argmax(1))


@pytest.mark.parametrize("with_val", [False, True])
def test_heads_scale_by_what_they_did_not_fit(with_val: bool) -> None:
    train, test = cohort(150, separation=0.5), cohort(300, seed=1, separation=0.5)
    val = cohort(90, seed=2, separation=0.5) if with_val else None
    for head, config in ((knn, knn.Config(k=[3, 5])), (linear, linear.Config(c_min=1e2, c_max=1e3, n_strengths=2))):
        predictions = head.fit_predict(train, val, test, config, 0)
        assert predictions.calibrated is not None
        assert predictions.info["temperature"] > 1  # both are overconfident here
        assert nll(predictions.calibrated, test.labels) < nll(predictions.scores, test.labels)
        other = replace(test, labels=np.roll(test.labels, 1))
        assert head.fit_predict(train, val, other, config, 0).calibrated.tobytes() == predictions.calibrated.tobytes()
