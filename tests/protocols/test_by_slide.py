"""Patients whose predictions are the mean over their slides, against the head on slides itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.protocols import Bags, configured
from registry.errors import UserError

ABMIL = {"epochs": 2, "dim": 8, "attention_dim": 4, "batch": 4, "precision": "float32", "keep": "last", "dropout": 0.0}


def patients(n: int, seed: int) -> tuple[Bags, Bags]:
    """Patients with one to three slides, and the same slides as bags of their own."""
    rng = np.random.default_rng(seed)
    names = np.array([f"{seed}P{i:02d}" for i in range(n)])
    labels = np.arange(n) % 2
    slides = [[rng.normal(y, 1, (3 + k, 6)).astype(np.float32) for k in range(1 + i % 3)] for i, y in enumerate(labels)]
    of_patient = np.repeat(np.arange(n), [len(own) for own in slides])
    together = Bags(names, names, [np.concatenate(own) for own in slides], labels, classes=("a", "b"))
    ids = np.array([f"{names[p]} {k}" for p, own in enumerate(slides) for k in range(len(own))])
    alone = Bags(ids, names[of_patient], [x for own in slides for x in own], labels[of_patient], classes=("a", "b"))
    return replace(together, ends=[np.cumsum([len(x) for x in own]) for own in slides]), alone


def test_a_patient_is_the_mean_of_the_predictions_of_its_slides() -> None:
    (train, train_slides), (test, test_slides) = patients(16, 0), patients(8, 1)
    head = configured({"kind": "by_slide", "head": "abmil", "settings": ABMIL})
    own = head.fit_predict(train, None, test, 0)
    slides = configured({"kind": "abmil", **ABMIL}).fit_predict(train_slides, None, test_slides, 0)
    assert own.ids.tolist() == test.ids.tolist()
    assert own.y_true.tolist() == test.labels.tolist()
    for row, name in enumerate(test.ids):
        of_patient = slides.groups == name
        np.testing.assert_allclose(own.scores[row], slides.scores[of_patient].mean(axis=0), rtol=1e-6)
        attention = np.concatenate([slides.attention[slide] for slide in slides.ids[of_patient]]) / of_patient.sum()
        np.testing.assert_allclose(own.attention[name], attention, rtol=1e-6)
    alone = head.fit_predict(train_slides, None, test_slides, 0)
    np.testing.assert_array_equal(alone.scores, slides.scores)


def test_validation_patients_are_split_by_slide_and_thresholds_of_slides_are_none_of_patients() -> None:
    (train, train_slides), (val, val_slides), (test, test_slides) = patients(12, 0), patients(8, 2), patients(6, 1)
    own = configured({"kind": "by_slide", "head": "pooled"}).fit_predict(train, val, test, 0)
    slides = configured({"kind": "pooled"}).fit_predict(train_slides, val_slides, test_slides, 0)
    assert slides.calibrated is not None
    assert own.calibrated is not None
    for row, name in enumerate(test.ids):
        of_patient = slides.groups == name
        np.testing.assert_allclose(own.scores[row], slides.scores[of_patient].mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(own.calibrated[row], slides.calibrated[of_patient].mean(axis=0), rtol=1e-6)
    assert "thresholds" in slides.info
    assert "thresholds" not in own.info


def test_heads_that_cannot_be_averaged_are_named() -> None:
    (train, _), (test, _) = patients(16, 0), patients(8, 1)
    for settings, says in (
        ({"head": "knn"}, "by_slide head hands bags on, but knn takes vectors"),
        ({"head": "pooled", "settings": {"head": "simpleshot"}}, "pooled head has a row a variant"),
        ({"head": "pooled", "settings": {"head": "retrieval"}}, "pooled head scores slides itself"),
    ):
        with pytest.raises(UserError, match=says):
            configured({"kind": "by_slide", **settings}).fit_predict(train, None, test, 0)
