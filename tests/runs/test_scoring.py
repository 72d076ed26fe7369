"""What a row says of its intervals: of one patient, of few, and of resamples that lack a class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import targets
from bench.metrics import clustered_auc
from bench.protocols import Predictions, Samples
from bench.runs.scoring import scored

CLASSES = targets.get("classes")


def predictions(labels: list[int], groups: list[int]) -> tuple[Predictions, Samples]:
    y = np.array(labels)
    rng = np.random.default_rng(0)
    positive = np.clip(0.3 + 0.4 * y + rng.normal(0, 0.25, len(y)), 0.01, 0.99)
    ids, names = np.array([f"tile{i}" for i in range(len(y))]), np.array([f"patient{g}" for g in groups])
    scores = np.stack([1 - positive, positive], axis=1)
    return Predictions(ids, names, y, scores), Samples(ids, names, scores.astype(np.float32), y)


def test_one_test_patient_has_values_and_a_note_but_no_intervals() -> None:
    found = scored(*predictions([0, 1] * 10, [0] * 20), CLASSES, 100)
    assert found.notes == ["the test samples are of one group, so there are no intervals"]
    for interval in found.metrics.values():
        assert np.isfinite(interval["value"])
        assert np.isnan([interval["ci_low"], interval["ci_high"]]).all()


def test_few_patients_are_a_note() -> None:
    few, many = ([i % n for i in range(40)] for n in (5, 20))
    labels = [0, 1] * 20
    assert [note[:33] for note in scored(*predictions(labels, few), CLASSES, 50).notes] == [
        "the test samples are of 5 groups:"
    ]
    assert scored(*predictions(labels, many), CLASSES, 50).notes == []


def test_the_share_of_undefined_resamples_is_known_and_above_5_percent_a_note() -> None:
    labels = [1] * 2 + [0] * 18  # two positive patients: (18 / 20)^20 = 12 % of the resamples have none
    found = scored(*predictions(labels, list(range(20))), CLASSES, 4000)
    assert found.info["undefined_resamples"]["auroc"] == pytest.approx(0.9**20, abs=0.02)
    assert found.notes == [
        "up to 12 % of the resamples leave auroc undefined: they lack a class or an event",
        "the rarest class of the test samples is of 2 groups: of fewer than 5, intervals cover about 90 % "
        "(docs/STATISTICS.md)",
    ]
    assert "accuracy" not in found.info["undefined_resamples"]


def test_the_auroc_has_obuchowskis_interval_beside_its_own() -> None:
    of, train = predictions([0, 1] * 30, [i // 3 for i in range(60)])
    found = scored(of, train, CLASSES, 50)
    expected = clustered_auc(of.y_true, of.scores[:, 1], of.groups)
    assert found.info["auroc_obuchowski"] == expected._asdict()
    assert found.metrics["auroc"]["value"] == pytest.approx(expected.auc)
    one_class = scored(*predictions([1] * 30, [i // 3 for i in range(30)]), CLASSES, 50)
    assert "auroc_obuchowski" not in one_class.info


def test_votes_over_draws_are_not_scored() -> None:
    of, train = predictions([0, 1] * 10, list(range(20)))
    own = {"balanced_accuracy": {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "interval": "episodes"}}
    found = scored(replace(of, metrics=own), train, CLASSES, 50)
    assert found.metrics == own
    assert found.notes == []
