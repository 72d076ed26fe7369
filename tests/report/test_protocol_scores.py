"""Scores of a task across protocols: shared resamples by patient, seeds and rows that are left out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, predicted

from bench.results import AcrossProtocols, across_protocols
from bench.results.protocol_scores import NOT_KNOWN
from bench.rows import read_rows, rows_of

PATIENTS = np.array([f"patient-{number**2 // 120:02d}" for number in range(60)])
"""Of very different sizes, so that resamples of samples are not those of patients."""


def scores_of(results: Path) -> AcrossProtocols:
    (found,) = across_protocols(rows_of(results), {row.key for row in read_rows(results)[0]})
    return found


def votes(skill: float, seed: int = 0):
    """Predictions that are one class for certain, whose share of votes is right or wrong."""
    of = predicted(skill, seed=seed)
    return replace(of, scores=np.eye(3)[of.scores.argmax(axis=1)], groups=PATIENTS)


def means(value: float) -> dict[str, dict[str, object]]:
    return {"balanced_accuracy": {"value": value, "ci_low": 0.0, "ci_high": 1.0, "interval": "episodes"}}


def test_means_over_episodes_are_on_the_resamples_of_the_patients_that_other_scores_are_on(
    results: Path, add_run: AddRun
) -> None:
    for model, skill in (("a", 2.0), ("b", 0.5)):
        row = add_run(model, votes(skill), protocol="knn")
        add_run(model, votes(skill), protocol="shot", metrics=means(row.metrics["balanced_accuracy"]["value"]))
    scores = scores_of(results)

    assert scores.protocols == ("knn", "shot")
    assert np.array_equal(np.isnan(scores.draws[0]), np.isnan(scores.draws[1]))
    assert np.nan_to_num(scores.draws[1]) == pytest.approx(np.nan_to_num(scores.draws[0]))
    same, of_shots = (scores.differences[protocol, "a", "b"] for protocol in scores.protocols)
    assert of_shots.difference == pytest.approx(same.difference)
    assert of_shots.error == pytest.approx(same.error, rel=0.02), "shares need no added samples for smoothing"


def test_means_over_episodes_of_folds_are_not_known(results: Path, add_run: AddRun) -> None:
    for model in "ab":
        add_run(model, votes(1.0), protocol="knn")
        for fold in (0, 1):
            part = votes(1.0)
            half = {name: getattr(part, name)[fold::2] for name in ("ids", "groups", "y_true", "scores")}
            add_run(model, replace(part, **half), protocol="shot", fold=fold, metrics=means(0.5))

    assert scores_of(results).left_out == {"shot": NOT_KNOWN}


def test_seeds_that_a_model_lacks_are_no_runs_of_its_protocol_and_tasks_with_a_track_are_left_out(
    results: Path, add_run: AddRun
) -> None:
    for model, seeds in (("a", (0, 1, 2)), ("b", (0, 2))):
        for seed in seeds:
            add_run(model, predicted(1.0, seed=seed), protocol="linear", seed=seed)
        add_run(model, predicted(1.0, seed=5), protocol="knn")
    add_run("a", predicted(1.0), task="other", info={"track": "robustness"})
    scores = scores_of(results)

    assert [own.shape for own in scores.runs] == [(2, 1), (2, 2)]
    rows = {(row.model, row.protocol, row.seed): row.value("balanced_accuracy") for row in read_rows(results)[0]}
    assert scores.runs[1].tolist() == [
        [pytest.approx(rows[model, "linear", seed]) for seed in (0, 2)] for model in "ab"
    ]
