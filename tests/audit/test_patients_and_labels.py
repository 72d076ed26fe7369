"""Patients on both sides by their names, and labels that predictions contradict."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from audited import audited

from bench.audit import RowsOfModel, labels, patients
from bench.audit.predicted import Predicted


def named(task_ids, side):
    n = len(task_ids)
    return audited(n_groups=n // 4, ids=np.array(task_ids), paths=np.array(task_ids), sides=(np.array(side),))


def barcodes(per_patient, n=40):
    return [f"TCGA-AB-{place // per_patient:04d}-01Z-00-DX1_{place}" for place in range(n)]


def test_a_patient_whose_barcode_is_on_both_sides_is_named():
    ids = barcodes(per_patient=4)
    (one,) = patients.findings(named(ids, ["test"] * 6 + ["train"] * 34))
    assert one.verdict == "warning"
    assert one.subject == "TCGA barcodes"
    assert "tcga-ab-0001" in one.sentence
    assert (one.numbers["n_names"], one.numbers["n_on_both_sides"], one.numbers["n_test_samples"]) == (10, 1, 2)


def test_sides_that_follow_the_patients_are_clear():
    (one,) = patients.findings(named(barcodes(per_patient=4), ["test"] * 8 + ["val"] * 4 + ["train"] * 28))
    assert one.verdict == "clear"
    assert "none of 10" in one.sentence


def test_validation_is_learned_from_and_samples_are_counted_over_folds():
    ids = barcodes(per_patient=4)
    folds = (["test"] * 6 + ["val"] * 2 + ["train"] * 32, ["train"] * 33 + ["test"] * 7)
    task = dataclasses.replace(named(ids, folds[0]), sides=tuple(map(np.array, folds)))
    (one,) = patients.findings(task)
    assert (one.numbers["n_on_both_sides"], one.numbers["n_test_samples"]) == (2, 2 + 3)
    assert "5 of 13 test samples" in one.sentence


@pytest.mark.parametrize("name", ["{n}", "tumour_{n}", "patch{n:07d}", "casein{n}", "slideshow{n}", "XTCGA-AB-0001"])
def test_names_that_tell_of_no_patient_are_absent(name):
    (one,) = patients.findings(named([name.format(n=n) for n in range(40)], ["test", "train"] * 20))
    assert one.verdict == "absent"


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("patient_{g:03d}_node_{n}", "words for a patient"),
        ("Case-{g}/tile {n}", "words for a patient"),
        ("SOB_B_A-14-22549{g}-40-{n:03d}", "BreakHis slide ids"),
        ("C3L-0{g:04d}-{n}", "CPTAC case ids"),
        ("wsi{g}_x{n}", "words for a slide"),
    ],
)
def test_patterns_of_archives_and_words(name, pattern):
    (one,) = patients.findings(named([name.format(g=n % 10, n=n) for n in range(40)], ["test"] * 20 + ["train"] * 20))
    assert (one.subject, one.verdict, one.numbers["n_names"]) == (pattern, "warning", 10)


def model(task, name, flipped=(), seed=0):
    """A model that is right of everything but the flipped labels, with confidences that vary."""
    tested = np.flatnonzero(task.test)
    truth = task.labels[tested].copy()
    truth[list(flipped)] = 1 - truth[list(flipped)]
    sure = np.random.default_rng(seed).uniform(0.7, 0.95, len(tested))
    sure[list(flipped)] = 0.96 + 0.001 * np.arange(len(flipped))
    scores = np.where(np.arange(2) == truth[:, None], sure[:, None], 1 - sure[:, None])
    return RowsOfModel(name, "linear", Predicted(task.ids[tested], task.groups[tested], task.labels[tested], scores))


def test_labels_that_every_model_contradicts_are_named_and_shown_the_surest_first():
    plain = audited()
    task = audited(
        models=[model(plain, "a", (3, 8), 1), model(plain, "b", (3, 8, 11), 2)], tiles=lambda rows: list(rows)
    )
    (one,) = labels.findings(task)
    tested = np.flatnonzero(task.test)
    assert one.verdict == "note"
    assert "both models with linear" in one.sentence
    assert one.numbers["n_suspect"] == 2
    assert [one.numbers[f"sample {k}"] for k in (1, 2)] == task.ids[tested[[8, 3]]].tolist()
    shown = list(labels.pictures(task, [one]))
    assert len(shown) == one.numbers["n_suspect"]
    assert "label class" in shown[0][0]


def test_a_model_that_was_tested_on_other_samples_has_no_vote_and_votes_follow_the_ids():
    plain = audited()
    of = model(plain, "a", (3,))
    fewer = [np.asarray(getattr(of.predicted, name))[1:] for name in ("ids", "groups", "y_true", "scores")]
    turned = [np.asarray(getattr(of.predicted, name))[::-1] for name in ("ids", "groups", "y_true", "scores")]
    task = audited(
        models=[of, RowsOfModel("b", "linear", Predicted(*turned)), RowsOfModel("c", "knn", Predicted(*fewer))]
    )
    (one,) = labels.findings(task)
    assert (one.numbers["n_suspect"], one.numbers["n_models"]) == (1, 2)
    assert one.numbers["sample 1"] == plain.ids[plain.test][3]


def test_models_that_agree_with_all_labels_suspect_none():
    task = audited(models=[model(audited(), "a")])
    (one,) = labels.findings(task)
    assert one.verdict == "clear"
    assert one.numbers["n_suspect"] == 0


def test_confident_learning_needs_the_probability_that_the_other_class_usually_has():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.45, 0.55]])
    truth = np.array([0, 0, 1, 1, 0, 0])
    assert labels.suspect_class(scores, truth).tolist() == [-1, -1, -1, -1, 1, -1]  # usual of class 1: .8

    scores = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.3, 0.3, 0.4], [0.1, 0.2, 0.7]])
    assert labels.suspect_class(scores, np.array([0, 2, 1, 2])).tolist() == [-1, -1, 2, -1], "0 is likelier than 1"


def test_targets_without_classes_and_tasks_without_predictions_are_absent():
    assert [one.verdict for one in labels.findings(audited(heads=()))] == ["absent"]
    assert [one.verdict for one in labels.findings(dataclasses.replace(audited(), kind="regression"))] == ["absent"]
