"""Controls that see no tissue: a planted one is found, a constant one is a sentence, and clean ones raise no alarm."""

import numpy as np
from audited import audited

from bench.audit import run_checks
from bench.audit.control_values import Control


def found_of(task, subject):
    return [one for one in run_checks(task) if one.check == "controls" and one.subject == subject]


def test_a_number_that_goes_with_the_label_is_an_alarm():
    task = audited()
    rng = np.random.default_rng(1)
    number = task.labels * 500.0 + rng.integers(0, 400, len(task.labels))

    (found,) = found_of(audited(controls=[Control("number in the id", number)]), "number in the id")

    assert (found.verdict, found.badge, found.rule) == ("warning", "shortcut", "control above chance")
    assert found.numbers["value"] > 0.9
    assert found.p_adjusted < 0.001
    assert "sees no tissue" in found.sentence


def test_what_pixels_move_is_a_note():
    task = audited()
    size = task.labels * 1000.0 + np.random.default_rng(2).normal(0, 10, len(task.labels))

    (found,) = found_of(audited(controls=[Control("file size", size, follows_pixels=True)]), "file size")

    assert (found.verdict, found.badge) == ("note", "")


def test_a_clean_number_and_a_constant_are_no_alarm():
    noise = np.random.default_rng(3).normal(size=160)
    controls = [Control("number in the id", noise), Control("image width", np.full(160, 224.0))]

    found = run_checks(audited(controls=controls, absent={"date": "No file says when it was made."}))

    assert [(one.subject, one.verdict) for one in found if one.check == "controls"] == [
        ("number in the id", "clear"),
        ("image width", "absent"),
        ("date", "absent"),
    ]


def test_numbers_are_encoded_by_rank_and_unknown_ones_apart():
    encoded = Control("x", np.array([1.0, 1000.0, 2.0, np.nan])).encoded()

    assert encoded[0, 0] == encoded[1, -2] == 1.0
    assert np.allclose(encoded.sum(axis=1), 1.0)
    assert encoded[3].tolist() == [0.0] * (encoded.shape[1] - 1) + [1.0]
