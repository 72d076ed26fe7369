"""Cox and discrete-time survival against scikit-survival and their definitions."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from protocol_helpers import cohort

from bench.protocols import Samples, configured, cox
from bench.protocols.abmil_losses import Cox, DiscreteTime
from bench.protocols.cox_newton import fit_squared_penalty
from bench.protocols.selection import inner_cv
from bench.protocols.survival import concordance
from registry.errors import UserError

sksurv_metrics = pytest.importorskip("sksurv.metrics")


def survivors(n: int, *, seed: int = 0, dim: int = 8) -> Samples:
    samples = cohort(n, dim=dim, seed=seed)
    x = samples.features - samples.features.mean(0)
    rng = np.random.default_rng(seed + 9)
    time = np.ceil(rng.exponential(np.exp(-x[:, 0] * 2)) * 20)
    event = rng.random(n) < 0.7
    return replace(samples, labels=np.stack([time, event.astype(float)], axis=1), kind="survival")


def test_cox_head_is_coxnet() -> None:
    from sksurv.linear_model import CoxnetSurvivalAnalysis

    train, test = survivors(150), survivors(60, seed=1)
    predictions = cox.fit_predict(train, None, test, cox.Config(), 0)
    choice = inner_cv(train, None, 0)
    x, y = choice.samples.features.astype(float), choice.samples.labels

    def fitted(rows: np.ndarray, alpha: float) -> CoxnetSurvivalAnalysis:
        outcome = np.array([(bool(e), t) for t, e in y[rows]], dtype=[("e", bool), ("t", float)])
        return CoxnetSurvivalAnalysis(alphas=[alpha], l1_ratio=0.5).fit(x[rows], outcome)

    scores = {}
    for alpha in (0.07, 0.02, 0.01):
        folds = [
            sksurv_metrics.concordance_index_censored(y[h, 1] > 0, y[h, 0], fitted(f, alpha).predict(x[h]))[0]
            for f, h in zip(choice.fit, choice.held_out, strict=True)
        ]
        scores[alpha] = np.mean(folds)
    np.testing.assert_allclose(predictions.info["validation_c_index"], list(scores.values()), atol=1e-9)
    best = max(scores, key=lambda a: (scores[a], a))
    expected = fitted(np.ones(len(y), dtype=bool), best).predict(test.features.astype(float))
    np.testing.assert_allclose(predictions.scores[:, 0], expected, atol=1e-5)
    assert predictions.kind == "survival"
    assert concordance(test.labels[:, 0], test.labels[:, 1] > 0, predictions.scores[:, 0]) > 0.6


def test_cox_loss_is_the_partial_likelihood_by_hand() -> None:
    risk = torch.tensor([[0.3], [-0.2], [0.5], [0.1]])
    labels = np.array([[2.0, 1], [2.0, 1], [1.0, 0], [5.0, 1]])
    r = np.exp(risk[:, 0].numpy())
    at_two = r[[0, 1, 3]].sum()
    expected = -(np.log(r[0] / at_two) + np.log(r[1] / at_two) + np.log(1.0)) / 3
    goal = Cox(1)
    assert goal.loss(risk, goal.target(labels, torch.device("cpu"))).item() == pytest.approx(expected, rel=1e-5)
    censored = labels * [1, 0]
    assert goal.loss(risk, goal.target(censored, torch.device("cpu"))).item() == 0


def test_discrete_time_loss_by_hand() -> None:
    goal = DiscreteTime(3, cuts=np.array([10.0, 20.0]))
    labels = np.array([[5.0, 1], [10.0, 0], [25.0, 1]])
    target = goal.target(labels, torch.device("cpu"))
    np.testing.assert_array_equal(target.numpy(), [[0, 1], [1, 0], [2, 1]])
    logits = torch.tensor([[0.2, -0.4, 1.0], [0.0, 0.3, -0.2], [-1.0, 0.1, 0.6]])
    h = 1 / (1 + np.exp(-logits.numpy().astype(float)))
    s = np.cumprod(1 - h, axis=1)
    expected = -(np.log(h[0, 0]) + np.log(s[1, 1]) + np.log(s[2, 1]) + np.log(h[2, 2])) / 3
    assert goal.loss(logits, target).item() == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(goal.scores(logits)[:, 0], -s.sum(1), rtol=1e-6)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda y: y * [1, 0], "No training sample has an event"),
        (lambda y: y * [0, 1], "time that is not above 0"),
        (lambda y: y + np.array([0, 1]), "event that is not 0 or 1"),
        (lambda y: y[:, 0], "not pairs of time and event"),
        (lambda y: y * 0 + [5, 1], "All 40 training samples have the same time, 5, and event, so there is no order"),
        (lambda y: np.where(y[:, :1] == y[:, 0].max(), [9e9, 1], y * [1, 0]), "have no event before another's time"),
    ],
)
def test_labels_that_are_no_survival_are_named(spoil: object, says: str) -> None:
    train, test = survivors(40), survivors(20, seed=1)
    broken = replace(train, labels=spoil(train.labels))  # type: ignore[operator]
    with pytest.raises(UserError, match=says):
        cox.fit_predict(broken, None, test, cox.Config(), 0)


def test_a_cox_fit_that_ends_early_is_noted() -> None:
    train, test = survivors(60), survivors(30, seed=1)
    early = cox.fit_predict(train, None, test, cox.Config(alphas=[0.001, 0.01], max_iter=1), 0)
    assert "did not converge in 1 iterations" in early.info["notes"][-1]
    assert any("fits that the Cox regression's alpha was chosen by" in note for note in early.info["notes"])
    notes = cox.fit_predict(train, None, test, cox.Config(), 0).info.get("notes", [])
    assert not any("converge" in note for note in notes)


def test_a_choice_at_the_end_of_the_alphas_is_noted() -> None:
    train, test = survivors(60), survivors(30, seed=1)
    alphas = [0.01, 0.03, 0.1]
    info = cox.fit_predict(train, None, test, cox.Config(alphas=alphas), 0).info
    at_end = info["alpha"] != alphas[1]
    assert at_end == any("end of those tried, 0.01 to 0.1" in note for note in info.get("notes", []))
    of_one = cox.fit_predict(train, None, test, cox.Config(alphas=[0.02]), 0).info
    assert not any("end of those tried" in note for note in of_one.get("notes", []))


def test_without_scikit_survival_it_says_how_to_install_it_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sksurv", None)
    with pytest.raises(UserError) as raised:
        cox.fit_predict(survivors(40), None, survivors(20, seed=1), cox.Config(), 0)
    assert configured({"kind": "cox"}).unfit(survivors(40)) == str(raised.value)
    assert f"'{sys.executable}' -m pip install scikit-survival" in str(raised.value)


@pytest.mark.parametrize("standardise", [False, True])
def test_the_cox_head_divides_by_the_deviation_over_the_samples_it_fits(standardise: bool) -> None:
    from sksurv.linear_model import CoxnetSurvivalAnalysis

    units = np.geomspace(0.2, 30, 8).astype(np.float32)
    train, test = (replace(s, features=s.features * units) for s in (survivors(150), survivors(60, seed=1)))
    config = cox.Config(alphas=[0.01, 0.05, 0.2], standardise=standardise)
    predictions = cox.fit_predict(train, None, test, config, 0)
    choice = inner_cv(train, None, 0)
    x, y = choice.samples.features.astype(float), choice.samples.labels

    def risks(rows: np.ndarray, queries: np.ndarray, alpha: float) -> np.ndarray:
        outcome = np.array([(bool(e), t) for t, e in y[rows]], dtype=[("e", bool), ("t", float)])
        scale = x[rows].std(axis=0) if standardise else 1.0
        fitted = CoxnetSurvivalAnalysis(alphas=[alpha], l1_ratio=0.5).fit(x[rows] / scale, outcome)
        return np.asarray(fitted.predict(queries / scale))

    c_index = []
    for alpha in (0.2, 0.05, 0.01):
        folds = [
            sksurv_metrics.concordance_index_censored(y[h, 1] > 0, y[h, 0], risks(f, x[h], alpha))[0]
            for f, h in zip(choice.fit, choice.held_out, strict=True)
        ]
        c_index.append(np.mean(folds))
    np.testing.assert_allclose(predictions.info["validation_c_index"], c_index, atol=1e-9)
    expected = risks(np.ones(len(y), dtype=bool), test.features.astype(float), predictions.info["alpha"])
    np.testing.assert_allclose(predictions.scores[:, 0], expected, atol=1e-5)
    other = cox.fit_predict(train, None, test, replace(config, standardise=not standardise), 0)
    assert np.abs(other.scores - predictions.scores).max() > 0.01


def test_a_standardised_cox_head_does_not_see_the_units_of_the_features() -> None:
    train, test = survivors(90), survivors(40, seed=1)
    units = np.geomspace(0.125, 64, 8).astype(np.float32)
    moved, queries = (replace(s, features=s.features * units) for s in (train, test))
    config = cox.Config(standardise=True)
    plain = cox.fit_predict(train, None, test, config, 0)
    scaled = cox.fit_predict(moved, None, queries, config, 0)
    np.testing.assert_allclose(scaled.scores, plain.scores, atol=1e-6)


@pytest.mark.parametrize("dim", [3, 60])
def test_the_squared_penalty_alone_is_at_its_minimum(dim: int) -> None:
    rng = np.random.default_rng(0)
    x, alpha = rng.normal(size=(40, dim)) + 3, 2.0
    labels = np.stack([np.ceil(rng.exponential(5, 40)), rng.random(40) < 0.6], axis=1)
    weights, converged = fit_squared_penalty(x, labels, alpha, 100)

    def loss(w: np.ndarray) -> float:
        risk, time = x @ w, labels[:, 0]
        events = np.flatnonzero(labels[:, 1])
        return sum(np.log(np.exp(risk[time >= time[i]]).sum()) - risk[i] for i in events) + alpha / 2 * (w @ w)

    assert converged
    for step in np.eye(dim)[:3] * 1e-4:
        assert (loss(weights + step) - loss(weights - step)) / 2e-4 == pytest.approx(0, abs=1e-6)
    assert loss(weights) < loss(np.zeros(dim)) - 0.1
    assert not fit_squared_penalty(x, labels, alpha, 1).converged


def test_the_squared_penalty_alone_needs_no_scikit_survival(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sksurv", None)
    train, test = survivors(150), survivors(60, seed=1)
    config = cox.Config(alphas=[0.1, 10.0, 1e5], l1_ratio=0.0)
    predictions = cox.fit_predict(train, None, test, config, 0)
    assert predictions.info["alpha"] == 10
    assert concordance(test.labels[:, 0], test.labels[:, 1] > 0, predictions.scores[:, 0]) > 0.6
    assert predictions.metrics["integrated_brier"]["value"] < 0.25
    with pytest.raises(UserError, match="needs scikit-survival"):
        cox.fit_predict(train, None, test, cox.Config(), 0)


@pytest.mark.filterwarnings("error")
def test_weights_that_grow_without_an_end_are_a_note() -> None:
    rng = np.random.default_rng(0)
    train, test = survivors(30, dim=50), survivors(30, seed=1, dim=50)
    train = replace(train, labels=np.stack([rng.permutation(30) + 1.0, np.ones(30)], axis=1))
    config = cox.Config(alphas=[1e-300], l1_ratio=0.0, max_iter=100)
    predictions = cox.fit_predict(train, None, test, config, 0)
    assert predictions.info["notes"][0].startswith("The Cox regression did not converge in 100 iterations")
    assert np.isfinite(predictions.scores).all()
