"""The temperature of a head that chooses is that of its held-out scores at the choice, and at no other candidate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from protocol_helpers import cohort

from bench.protocols import Bags, Samples, configured, ridge
from bench.protocols.selection import InnerCV, inner_cv
from bench.protocols.temperature import SMALLEST, fit_temperature, scaled

STRENGTHS = {"linear": (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4), "ridge": (1e-2, 10.0, 1e4), "knn": (1, 5, 25, 60)}
SWEEPS: list[dict[str, Any]] = [
    {"kind": "linear"},
    {"kind": "linear", "class_weight": "balanced"},
    {"kind": "ridge"},
    {"kind": "ridge", "standardise": False},
    {"kind": "knn"},
    {"kind": "knn", "metric": "l2"},
]


def between(kind: str, low: float, high: float, count: int) -> dict[str, Any]:
    """Settings that sweep this many strengths."""
    name = {"linear": "c", "ridge": "alpha"}[kind]
    return {f"{name}_min": low, f"{name}_max": high, "n_strengths": count}


def floor_of(settings: dict[str, Any]) -> float:
    """What stands for a score of 0: of votes what a class without any would have if each class had one vote more."""
    return 1 / (settings["k"][0] + 3) if "k" in settings else SMALLEST


def ridge_scores(choice: InnerCV, settings: dict[str, Any]) -> np.ndarray:
    """Probabilities of the held-out grades; their deviation is that of the values of all folds."""
    x, y = choice.samples.features.astype(np.float64), choice.samples.labels
    values, mask = np.zeros(len(y)), choice.validation_mask
    for fit, rows in zip(choice.fit, choice.held_out, strict=True):
        model = ridge.Ridge.fit(
            x[fit],
            y[fit, None].astype(float),
            np.array([settings["alpha_min"]]),
            standardise=settings.get("standardise", True),
        )
        values[rows] = model.predict(x[rows])[0, :, 0]
    return ridge.grade_probabilities(values, 3, ridge.residual_deviation(values[mask], y[mask], 3))


def unequal(n: int, seed: int) -> Samples:
    """Grades of which the last is rare."""
    samples = replace(cohort(n, separation=0.5, seed=seed), kind="ordinal")
    return samples.take((samples.labels < 2) | (np.arange(n) % 3 > 0))


@pytest.mark.slow
@pytest.mark.parametrize("with_val", [False, True], ids=["inner_folds", "validation"])
@pytest.mark.parametrize("settings", SWEEPS, ids=lambda s: "-".join(map(str, s.values())))
def test_the_temperature_is_fitted_on_held_out_scores_of_the_chosen_candidate(
    settings: dict[str, Any], with_val: bool
) -> None:
    kind = settings["kind"]
    candidates = STRENGTHS[kind]
    seed = {"ridge": (1, 3)}.get(kind, (2, 1))[with_val]  # with these the choice is between the ends
    train, val, test = unequal(180, seed), unequal(120, 3) if with_val else None, unequal(60, seed + 1)
    if kind == "knn":
        sweep, alone = {"k": list(candidates)}, [{"k": [k]} for k in candidates]
    else:
        sweep = between(kind, candidates[0], candidates[-1], len(candidates))
        alone = [between(kind, value, value, 1) for value in candidates]
    predictions = configured({**settings, **sweep}).fit_predict(train, val, test, 0)
    choice = inner_cv(train, val, 0)
    temperatures = []
    mask = choice.validation_mask
    for one in alone:
        held_out = ridge_scores(choice, {**settings, **one}) if kind == "ridge" else np.zeros((len(choice.samples), 3))
        for fit, rows in zip(choice.fit, choice.held_out, strict=True) if kind != "ridge" else ():
            fitted, queries = choice.samples.take(fit), choice.samples.take(rows)
            held_out[rows] = configured({**settings, **one}).fit_predict(fitted, None, queries, 0).scores
        temperatures.append(fit_temperature(held_out[mask], choice.samples.labels[mask], floor_of(one)))
    strength = predictions.info[{"linear": "c", "ridge": "alpha", "knn": "k"}[kind]]
    chosen = int(np.flatnonzero(np.isclose(candidates, strength))[0])
    assert 0 < chosen < len(candidates) - 1  # the first or the last candidate would be found without choosing
    temperature = predictions.info["temperature"]
    assert temperature == pytest.approx(temperatures[chosen], rel=2e-3)
    for other in (*temperatures[:chosen], *temperatures[chosen + 1 :]):
        assert other != pytest.approx(temperature, rel=0.01)
    assert predictions.calibrated is not None
    floor = floor_of(alone[chosen])
    np.testing.assert_allclose(predictions.calibrated, scaled(predictions.scores, temperature, floor))


@pytest.mark.parametrize("steps", [40, 400])
def test_the_mini_batch_probe_is_scaled_by_validation_scores_of_its_best_head(steps: int) -> None:
    train, val, test = (cohort(n, separation=0.5, seed=seed) for n, seed in ((150, 0), (90, 2), (60, 1)))
    head = configured(
        {"kind": "linear_sgd", "learning_rates": [1e-4, 0.1, 1e-2], "steps": steps, "patience_share": None}
    )
    predictions = head.fit_predict(train, val, test, 0)
    of_validation = head.fit_predict(train, val, val, 0)
    assert predictions.info["temperature"] == pytest.approx(fit_temperature(of_validation.scores, val.labels))
    np.testing.assert_allclose(predictions.calibrated, scaled(predictions.scores, predictions.info["temperature"]))


def test_the_mini_batch_probe_keeps_the_head_of_its_best_epoch() -> None:
    train, val, test = (cohort(n, separation=0.5, seed=seed) for n, seed in ((150, 0), (90, 2), (60, 1)))
    settings = {"kind": "linear_sgd", "learning_rates": [0.01], "patience_share": None}
    longer = configured({**settings, "steps": 200}).fit_predict(train, val, test, 0)
    best = longer.info["best_epoch"]
    assert 0 < best < 199
    shorter = configured({**settings, "steps": best + 1}).fit_predict(train, val, test, 0)
    assert shorter.info["best_epoch"] == best
    assert shorter.scores.tobytes() == longer.scores.tobytes()


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_network_is_scaled_by_validation_scores_of_the_epoch_it_keeps(keep: str) -> None:
    train, val, test = (
        Bags(s.ids, s.groups, [np.stack([x, x + 1]) for x in s.features], s.labels)
        for s in (cohort(n, separation=0.5, seed=seed) for n, seed in ((40, 0), (40, 2), (30, 1)))
    )
    settings = {"dim": 8, "attention_dim": 4, "epochs": 12, "batch": 8, "learning_rate": 0.02, "patience": None}
    head = configured({"kind": "abmil", "keep": keep, **settings})
    predictions, of_validation = (head.fit_predict(train, val, side, 0) for side in (test, val))
    assert predictions.info["temperature"] == pytest.approx(fit_temperature(of_validation.scores, val.labels))
    assert abs(np.log(predictions.info["temperature"])) > 0.05
    np.testing.assert_allclose(predictions.calibrated, scaled(predictions.scores, predictions.info["temperature"]))
