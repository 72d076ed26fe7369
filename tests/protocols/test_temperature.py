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
from bench.protocols.temperature import (
    PRIOR_DEVIATION,
    RANGE,
    SMALLEST,
    fit_temperature,
    notes_on_temperature,
    scaled,
    temperature_info,
)


def nll(scores: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(np.maximum(scores, 1e-12)[np.arange(len(y)), y]).mean())


@pytest.mark.slow
def test_overconfidence_by_hand() -> None:
    # Nine tenths certain, right in three of four: the best probability is 3/4, so of many T = log 9 / log 3 = 2.
    scores = np.tile([0.9, 0.1], (4, 1))
    y = np.array([0, 0, 0, 1])
    assert fit_temperature(np.tile(scores, (10**5, 1)), np.tile(y, 10**5)) == pytest.approx(2, rel=1e-4)
    np.testing.assert_allclose(scaled(scores, 2.0)[0], [0.75, 0.25])
    # On the four alone, with p = 1 / (1 + 9^(-1/T)), the slope in log T of the likelihood is that of the prior.
    few = fit_temperature(scores, y)
    p = 1 / (1 + 9 ** (-1 / few))
    assert 4 * (0.75 - p) * np.log(9) / few == pytest.approx(-np.log(few) / PRIOR_DEVIATION**2, rel=1e-4)
    assert 1 < few < 2


@pytest.mark.parametrize("n", [4, 40, 400])
def test_samples_that_are_all_right_or_all_chance_leave_a_moderate_temperature(n: int) -> None:
    y = np.arange(n) % 2
    right = np.where(np.eye(2)[y] > 0, 0.9, 0.1)
    chance = np.tile([0.9, 0.1], (n, 1))
    for scores, low, high in ((right, 0.1, 1.0), (chance, 1.0, 20.0)):
        temperature = fit_temperature(scores, y)
        assert low < temperature < high
        assert notes_on_temperature({"temperature": temperature}) == []


def test_a_temperature_at_an_end_of_the_range_is_a_note() -> None:
    y = np.arange(200_000) % 2
    chance = np.tile([1.0, 0.0], (len(y), 1))
    temperature = fit_temperature(chance, y)
    assert temperature == pytest.approx(RANGE[1], rel=0.01)
    [note] = notes_on_temperature({"temperature": temperature})
    assert "end of its range" in note
    assert notes_on_temperature({}) == []


def test_votes_have_a_floor_below_one_vote() -> None:
    train, test = cohort(150, separation=0.5), cohort(300, seed=1, separation=0.5)
    predictions = knn.fit_predict(train, None, test, knn.Config(k=[5]), 0)
    assert predictions.calibrated is not None
    none, one = predictions.scores == 0, np.isclose(predictions.scores, 0.2)
    assert none.any()
    temperature = predictions.info["temperature"]
    rows, columns = np.nonzero(none)
    best = predictions.scores[rows].max(axis=1)
    odds = predictions.calibrated[rows, columns] / predictions.calibrated[rows].max(axis=1)
    np.testing.assert_allclose(odds, (1 / 8 / best) ** (1 / temperature))  # 5 neighbours and 3 classes
    assert predictions.calibrated[one].min() > predictions.calibrated[none].max() / 3
    assert 0.2 < temperature < 5


def test_votes_that_are_always_right_are_left_as_they_are() -> None:
    y = np.arange(30) % 3
    votes = np.eye(3)[y]
    info = temperature_info(votes, y, 1 / 8)
    assert info == {"temperature": 1.0, "temperature_samples": 30, "temperature_floor": SMALLEST}
    np.testing.assert_allclose(scaled(votes, 1.0, SMALLEST), votes, atol=1e-11)
    assert temperature_info(votes, np.roll(y, 1), 1 / 8)["temperature_floor"] == 1 / 8


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(2, 4), st.floats(0, 1))
def test_scaled_votes_are_never_less_likely_on_what_they_were_fitted(
    seed: int, k: int, classes: int, skill: float
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, 25)
    guess = np.where(rng.random((25, k)) < skill, y[:, None], rng.integers(0, classes, (25, k)))
    votes = np.stack([(guess == c).mean(axis=1) for c in range(classes)], axis=1)
    info = temperature_info(votes, y, 1 / (k + classes))
    assert nll(scaled(votes, info["temperature"], info["temperature_floor"]), y) <= nll(votes, y) + 1e-9


def test_the_row_says_on_how_many_samples() -> None:
    train, val, test = cohort(150), cohort(60, seed=2), cohort(30, seed=1)
    for head, config in ((knn, knn.Config(k=[3])), (linear, linear.Config(n_strengths=2))):
        assert head.fit_predict(train, None, test, config, 0).info["temperature_samples"] == 150
        assert head.fit_predict(train, val, test, config, 0).info["temperature_samples"] == 60


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
    {"kind": "linear_sklearn"},
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
    floor = 1 / (5 + 3) if config["kind"] == "knn" else SMALLEST
    assert predictions.info.get("temperature_floor", SMALLEST) == floor
    np.testing.assert_allclose(predictions.calibrated, scaled(predictions.scores, temperature, floor))
    chosen = predictions.calibrated.argmax(1)
    np.testing.assert_array_equal(predictions.scores[np.arange(60), chosen], predictions.scores.max(axis=1))
    choice = inner_cv(train, val if with_val else None, 0)
    out_of_fold_scores, labels = [], []
    if config.get("n_strengths", 1) == 1 and config["kind"] != "ridge":  # whose deviation is of held-out values too
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            part = choice.samples.take(held_out)
            out_of_fold_scores.append(head.fit_predict(choice.samples.take(fit), None, part, 0).scores)
            labels.append(part.labels)
        scores, y = np.concatenate(out_of_fold_scores), np.concatenate(labels)
        assert temperature == pytest.approx(fit_temperature(scores, y, floor), rel=1e-3)
        assert nll(scaled(scores, temperature, floor), y) <= nll(scaled(scores, 1.0, floor), y) + 1e-12


@pytest.mark.parametrize("config", ONE_SETTING[:6], ids=lambda c: c["kind"])
def test_without_folds_nothing_is_scaled_and_nothing_fails(config: dict) -> None:
    train, test = (replace(cohort(60, seed=seed), kind="ordinal") for seed in (0, 1))
    head = configured(config)
    alone = head.fit_predict(replace(train, groups=np.full(60, "g")), None, test, 0)
    assert alone.calibrated is None
    assert "temperature" not in alone.info
    with_folds = head.fit_predict(train, None, test, 0)
    if config["kind"] == "ridge":  # which takes half a grade for the deviation of held-out values
        assert alone.info["residual_deviation"] == 0.5
        np.testing.assert_array_equal(alone.scores.argmax(axis=1), with_folds.scores.argmax(axis=1))
    else:
        assert alone.scores.tobytes() == with_folds.scores.tobytes()


def test_enough_neighbours_for_votes_but_not_for_a_temperature() -> None:
    predictions = knn.fit_predict(cohort(60), None, cohort(30, seed=1), knn.Config(k=[60]), 0)
    assert predictions.calibrated is None
