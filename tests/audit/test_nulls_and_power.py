"""Random networks and colour against models, and the groups that two models would need."""

import math

import numpy as np
import pytest
from audited import audited

from bench.audit import Control, Predicted, RowsOfModel, run_checks
from bench.audit.power import groups_needed, too_small
from bench.statistics import Studentised


def a_model(task, name, right, seed=0):
    """Predictions that are right with this chance, a group at a time."""
    test, rng = task.test, np.random.default_rng(seed)
    hit = dict(zip(np.unique(task.groups), rng.random(len(np.unique(task.groups))) < right, strict=True))
    y_true = task.labels[test]
    scores = np.eye(2)[[y if hit[g] else 1 - y for y, g in zip(y_true, task.groups[test], strict=True)]]
    return RowsOfModel(name, "linear", Predicted(task.ids[test], task.groups[test], y_true, scores))


@pytest.fixture(scope="module")
def features():
    """Of a task of 80 groups: noise, and colour that tells the label in part."""
    task, rng = audited(n_groups=80), np.random.default_rng(0)
    noise = rng.normal(size=(3, len(task.ids), 5)).astype(np.float32)
    colour = noise[0] + 0.4 * task.labels[:, None]
    return task, {"random network": noise, "colour": [colour]}


def of(found, check, subject):
    return next(one for one in found if (one.check, one.subject) == (check, subject))


def test_a_good_model_is_above_random_networks_and_a_bad_one_is_not(features):
    task, nulls = features

    good = run_checks(audited(n_groups=80, nulls=nulls, models=[a_model(task, "good", 0.98)]))
    bad = run_checks(audited(n_groups=80, nulls=nulls, models=[a_model(task, "bad", 0.5)]))

    random = of(good, "nulls", "random network")
    assert (random.verdict, random.numbers["best_model"], random.numbers["seeds_that_reach"]) == ("clear", "good", 0)
    assert random.numbers["lowest"] <= random.numbers["value"] <= random.numbers["highest"]
    assert of(bad, "nulls", "random network").badge == "random network reaches models"
    assert of(bad, "stain", "stain").numbers["best_model"] == "bad"


def test_a_control_that_reaches_the_models_is_a_failure(features):
    task, _ = features
    leak = [Control("number in the id", task.labels + 0.0)]

    found = run_checks(audited(n_groups=80, controls=leak, models=[a_model(task, "weak", 0.7)]))

    assert of(found, "controls", "number in the id").verdict == "failure"
    assert of(found, "controls", "number in the id").p_adjusted < 0.001
    assert "this task does not measure tissue" in of(found, "controls", "number in the id").sentence


def test_two_close_models_need_more_groups_than_there_are(features):
    task, _ = features

    found = run_checks(audited(n_groups=80, models=[a_model(task, "a", 0.9), a_model(task, "b", 0.85, seed=1)]))

    power = of(found, "power", "two best models")
    assert power.verdict == "note"
    assert power.numbers["groups_needed"] > power.numbers["n_groups"] == len(np.unique(task.groups[task.test]))


def test_groups_needed_grow_with_the_square_of_what_is_missing():
    of_pair = Studentised(0.02, 0.02, 50.0)

    assert groups_needed(of_pair, 100) == pytest.approx(100 * (of_pair.detectable / 0.02) ** 2)
    assert groups_needed(Studentised(0.0, 0.02, 50.0), 100) == math.inf
    assert too_small(7).badge == "too small"
    assert too_small(8) is None
