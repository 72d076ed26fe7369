"""Temperature scaling against hand-computed cases, and where its temperature comes from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_helpers import cohort

from bench.protocols import configured, knn, linear
from bench.protocols.selection import inner_cv
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


ONE_SETTING = [
    {"kind": "linear", "n_strengths": 1, "c_min": 0.5, "c_max": 0.5, "class_weight": "balanced"},
    {"kind": "linear_uni", "c": 2.0, "max_iter": 200},
    {"kind": "prototype"},
    {"kind": "knn", "k": [5]},
    {"kind": "ridge", "n_strengths": 1},
    {"kind": "ridge", "n_strengths": 5},
]


@pytest.mark.parametrize("with_val", [False, True])
@pytest.mark.parametrize("config", ONE_SETTING, ids=lambda c: f"{c['kind']}-{c.get('n_strengths', '')}")
def test_heads_that_choose_nothing_are_scaled_by_what_they_did_not_fit(config: dict, with_val: bool) -> None:
    train, val, test = (
        replace(cohort(n, separation=0.5, seed=seed), kind="ordinal") for n, seed in ((150, 0), (90, 2), (60, 1))
    )
    head = configured(config)
    predictions = head.fit_predict(train, val if with_val else None, test, 0)
    temperature = predictions.info["temperature"]
    assert predictions.calibrated is not None
    np.testing.assert_allclose(predictions.calibrated, scaled(predictions.scores, temperature))
    chosen = predictions.calibrated.argmax(1)
    np.testing.assert_array_equal(predictions.scores[np.arange(60), chosen], predictions.scores.max(axis=1))
    choice = inner_cv(train, val if with_val else None, 0)
    out_of_fold_scores, labels = [], []
    if config.get("n_strengths", 1) == 1:
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            part = choice.samples.take(held_out)
            out_of_fold_scores.append(head.fit_predict(choice.samples.take(fit), None, part, 0).scores)
            labels.append(part.labels)
        scores, y = np.concatenate(out_of_fold_scores), np.concatenate(labels)
        assert temperature == pytest.approx(fit_temperature(scores, y), rel=1e-3)
        assert nll(scaled(scores, temperature), y) <= nll(scores, y) + 1e-12


@pytest.mark.parametrize("config", ONE_SETTING[:5], ids=lambda c: c["kind"])
def test_without_folds_nothing_is_scaled_and_nothing_fails(config: dict) -> None:
    train, test = (replace(cohort(60, seed=seed), kind="ordinal") for seed in (0, 1))
    head = configured(config)
    alone = head.fit_predict(replace(train, groups=np.full(60, "g")), None, test, 0)
    assert alone.calibrated is None
    assert "temperature" not in alone.info
    assert alone.scores.tobytes() == head.fit_predict(train, None, test, 0).scores.tobytes()


def test_enough_neighbours_for_votes_but_not_for_a_temperature() -> None:
    predictions = knn.fit_predict(cohort(60), None, cohort(30, seed=1), knn.Config(k=[60]), 0)
    assert predictions.calibrated is None
