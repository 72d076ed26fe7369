"""The test of a score against chance: what is exchanged, and how small its p can be."""

import numpy as np
import pytest

from bench.audit.permutation import p_permuted
from bench.audit.predicted import Predicted


def predicted(y_true, right, groups):
    scores = np.eye(2)[np.where(right, y_true, 1 - np.asarray(y_true))]
    ids = np.array([f"s{number:03d}" for number in range(len(groups))])
    return Predicted(ids, np.asarray(groups), np.asarray(y_true), scores)


def test_perfect_predictions_of_many_groups_are_as_unlikely_as_the_test_can_say():
    y_true = np.arange(40) % 2

    assert p_permuted("classes", "balanced_accuracy", predicted(y_true, True, np.arange(40))) == 1 / 4000


def test_tiles_of_four_groups_are_four_and_not_forty():
    groups = np.repeat(["a", "b", "c", "d"], 10)
    y_true = np.repeat([0, 0, 1, 1], 10)

    p = p_permuted("classes", "balanced_accuracy", predicted(y_true, True, groups))

    assert p == pytest.approx(1 / 6, abs=0.06), "two of four groups can be chosen in six ways"


def test_labels_that_differ_within_groups_are_exchanged_there():
    rng = np.random.default_rng(0)
    groups, y_true = np.repeat(np.arange(10), 12), np.tile([0, 1], 60)

    assert p_permuted("classes", "auroc", predicted(y_true, rng.random(120) < 0.8, groups)) < 0.001
    assert p_permuted("classes", "auroc", predicted(y_true, rng.random(120) < 0.5, groups)) > 0.02


def test_a_score_below_chance_and_one_that_folds_alone_make_are_no_findings():
    y_true, groups = np.arange(40.0)[:, None], np.arange(40)
    ids = np.array([f"s{number:02d}" for number in range(40)])
    of_folds = Predicted(ids, groups, np.repeat([0, 1], 20), np.repeat(np.eye(2), 20, axis=0), np.repeat([0, 1], 20))

    assert p_permuted("regression", "pearson", Predicted(ids, groups, y_true, -y_true)) == 1
    assert p_permuted("classes", "auroc", of_folds) == 1, "predictions of one fold are exchanged among themselves"


def test_labels_of_groups_are_exchanged_by_group_where_predictions_differ_within_them():
    of = predicted(np.repeat([0, 0, 1, 1], 10), True, np.repeat(["a", "b", "c", "d"], 10))
    noise = np.random.default_rng(2).uniform(0, 0.1, 40)
    varied = Predicted(of.ids, of.groups, of.y_true, np.abs(of.scores - noise[:, None]))

    assert p_permuted("classes", "auroc", varied) == pytest.approx(1 / 6, abs=0.08)


@pytest.mark.slow
def test_p_values_of_predictions_without_information_are_uniform():
    rng = np.random.default_rng(1)
    found = []
    for seed in range(200):
        of_group = rng.integers(0, 2, 24)
        y_true = np.repeat(of_group, 3)
        guess = np.repeat(rng.random(24) < 0.5, 3)
        of = predicted(y_true, guess == y_true, np.repeat(np.arange(24), 3))
        found.append(p_permuted("classes", "balanced_accuracy", of, seed))

    assert np.mean(np.array(found) <= 0.05) <= 0.09
    assert np.mean(np.array(found) <= 0.2) <= 0.28
