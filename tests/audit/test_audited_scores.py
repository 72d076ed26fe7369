"""The numbers that checks compare: chance, paired differences, folds, the best model, and the mean over seeds."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from audited import audited
from scipy import stats

from bench.audit import Control, Predicted, RowsOfModel, nulls, power, stain
from bench.audit.chance import chance, p_of_difference, scored_by
from bench.audit.compared import against_models, best_models
from bench.metrics import degrees_of_freedom, standard_error

PLAIN = audited(n_groups=40)
IDS, LABELS = PLAIN.ids[PLAIN.test], PLAIN.labels[PLAIN.test]
GROUPS = np.unique(PLAIN.groups[PLAIN.test])


def predicted(n_wrong_groups, first=0):
    """Predictions that are wrong of all samples of so many groups, from the `first` on."""
    wrong = np.isin(PLAIN.groups[PLAIN.test], GROUPS[first : first + n_wrong_groups])
    return Predicted(IDS, PLAIN.groups[PLAIN.test], LABELS, np.eye(2)[np.where(wrong, 1 - LABELS, LABELS)])


def rows(name, n_wrong_groups, first=0):
    return RowsOfModel(name, "linear", predicted(n_wrong_groups, first))


def with_scores(wrong_of_seed, models=(), **more):
    """A task whose head is wrong of as many groups as the features of a seed are; None makes its score undefined."""
    seeds = []

    def fit(head, features, seed):
        seeds.append(seed)
        of = predicted(features or 0)
        return of if features is not None else dataclasses.replace(of, scores=np.full_like(of.scores, np.nan))

    found = audited(n_groups=40, models=models, nulls={"random network": wrong_of_seed}, **more)
    return dataclasses.replace(found, fit=fit), seeds


def test_metrics_without_a_known_value_at_chance_are_replaced_by_one_of_the_kind():
    names = [("classes", "accuracy"), ("classes", "auroc"), ("survival", "c_index"), ("ordinal", "balanced_accuracy")]
    assert [scored_by(*one) for one in names] == ["balanced_accuracy", "auroc", "c_index", "balanced_accuracy"]
    assert chance("balanced_accuracy", np.array([0, 0, 0, 1, 2])) == pytest.approx(1 / 3)
    assert chance("auroc", np.array([0, 1])) == 0.5


def test_the_p_of_a_difference_is_that_of_students_t_on_one_side():
    better, worse = PLAIN.replicates(predicted(3)), PLAIN.replicates(predicted(7, first=2))
    difference = better - worse
    df = degrees_of_freedom(difference.influence, difference.n_added)
    expected = stats.t.sf(difference.value / standard_error(difference.influence), df)

    assert len(better.influence) - better.n_added == len(GROUPS)
    assert difference.value > 0
    assert p_of_difference(difference) == pytest.approx(expected)
    assert p_of_difference(worse - better) == pytest.approx(1 - expected)
    assert math.isnan(p_of_difference(better - better))


def test_folds_add_their_spread_to_scores_and_more_of_it_to_differences():
    (side,) = PLAIN.sides
    halves = np.isin(PLAIN.groups, GROUPS[::2])
    folds = (
        np.where((side == "test") & halves, "test", "train"),
        np.where((side == "test") & ~halves, "test", "train"),
    )
    of_folds = audited(n_groups=40, sides=folds)
    a, b = predicted(3), predicted(7, first=2)
    one_set, two_folds = [[task.replicates(one) for one in (a, b)] for task in (PLAIN, of_folds)]

    assert of_folds.test.tolist() == PLAIN.test.tolist()
    assert two_folds[0].influence == pytest.approx(one_set[0].influence * math.sqrt(2))
    expected = (one_set[0] - one_set[1]).influence * math.sqrt(3)
    assert of_folds.difference(*two_folds).influence == pytest.approx(expected), "1 + K / (K - 1) of two models"
    assert PLAIN.difference(*one_set).influence == pytest.approx(expected / math.sqrt(3))


def test_the_best_model_on_these_samples_is_compared_and_is_not_better_unless_beyond_chance():
    elsewhere = predicted(0)
    other = RowsOfModel("elsewhere", "linear", dataclasses.replace(elsewhere, ids=np.char.add("x", elsewhere.ids)))
    task = audited(n_groups=40, models=[rows("bad", 9), rows("good", 2), rows("fair", 4), other])
    close, far = task.replicates(predicted(4, first=6)), task.replicates(predicted(12, first=6))

    assert [one.model for one, _ in best_models(task, "linear")] == ["good", "fair", "bad"]
    near = against_models(task, "linear", close)
    assert 0.05 < near.numbers["p_model_better"] < 0.5
    assert near.reached
    assert near.words.startswith("good scores")
    assert "not better" in near.words
    assert not against_models(task, "linear", far).reached


def test_the_two_best_models_are_those_whose_difference_is_looked_at():
    task = audited(n_groups=40, models=[rows("worst", 9), rows("best", 1), rows("next", 2, first=5)])

    (one,) = power.findings(task)

    assert (one.numbers["a"], one.numbers["b"]) == ("best", "next")
    found = PLAIN.replicates(predicted(1)) - PLAIN.replicates(predicted(2, first=5))
    assert one.numbers["difference"] == pytest.approx(found.value, abs=1e-6)


def test_the_power_of_the_difference_that_is_found_is_that_of_the_noncentral_t():
    task = audited(n_groups=40, models=[rows("best", 1), rows("next", 3, first=5)])
    (one,) = power.findings(task)
    difference = PLAIN.replicates(predicted(1)) - PLAIN.replicates(predicted(3, first=5))
    df, error = degrees_of_freedom(difference.influence, difference.n_added), standard_error(difference.influence)

    reached = stats.nct.sf(stats.t.ppf(0.975, df), df, one.numbers["detectable"] / error)

    assert reached == pytest.approx(0.8, abs=0.03)
    n = one.numbers["groups_needed"]
    assert n == math.ceil(len(GROUPS) * (one.numbers["detectable"] / one.numbers["difference"]) ** 2)


def test_each_seed_has_its_own_network_and_head_and_one_that_reaches_the_models_is_an_alarm():
    task, seeds = with_scores([9, 12, 1], [rows("bad", 10), rows("good", 1, first=14)])

    (one,) = nulls.findings(task)

    assert seeds == [0, 1, 2]
    values = [task.replicates(predicted(n)).value for n in (9, 12, 1)]
    assert one.numbers["value"] == pytest.approx(np.mean(values), abs=1e-6)
    assert one.numbers["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert one.numbers["p_model_better"] < 0.05
    assert (one.numbers["seeds_that_reach"], one.verdict) == (1, "warning")
    assert "1 of 3 seeds score as much as it" in one.sentence


def test_the_mean_over_seeds_has_the_influence_of_all_of_them():
    of = [PLAIN.replicates(predicted(n, first)) for n, first in ((2, 0), (3, 9))]

    mean = nulls.mean_over_seeds(of)

    assert mean.value == pytest.approx((of[0].value + of[1].value) / 2)
    assert mean.influence == pytest.approx((of[0].influence + of[1].influence) / 2)


def test_a_seed_without_a_score_is_left_out_and_none_with_one_predicts_nothing():
    outcome = (LABELS + np.random.default_rng(0).normal(size=len(LABELS)))[:, None]

    def of(scores):
        return Predicted(IDS, PLAIN.groups[PLAIN.test], outcome, np.reshape(scores, (-1, 1)) + 0.0)

    found = []
    for seeds in ([np.zeros(len(IDS)), LABELS], [np.zeros(len(IDS))]):
        task = audited(
            n_groups=40,
            models=[RowsOfModel("m", "linear", of(outcome))],
            nulls={"random network": seeds, "colour": seeds},
        )
        task = dataclasses.replace(
            task, kind="regression", metric="pearson", fit=lambda head, features, seed: of(features)
        )
        found.append([next(nulls.findings(task)), next(power.findings(dataclasses.replace(task, models=())))])
    (some, _), (none, nothing) = found

    assert (some.numbers["n_seeds"], some.verdict) == (1, "clear")
    assert none.sentence.endswith("it predicts nothing.")
    assert (none.verdict, nothing.verdict) == ("clear", "absent")


def test_stain_is_the_first_three_channels_and_at_chance_no_alarm_though_the_models_are_no_better():
    colour = np.random.default_rng(0).normal(size=(len(PLAIN.ids), 6))
    features = []

    def fit(head, of, seed):
        features.append(of)
        return predicted(len(GROUPS) // 2)

    task = dataclasses.replace(
        audited(nulls={"colour": [colour]}, models=[rows("bad", len(GROUPS) // 2 - 1, 1)]), fit=fit
    )
    one = next(stain.findings(task))

    assert np.array_equal(features[0], np.hstack([Control("", channel).encoded() for channel in colour.T[:3]]))
    assert one.numbers["p_above_chance"] > 0.05
    assert one.numbers["p_model_better"] > 0.05
    assert one.verdict == "clear"


def test_cramers_v_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, 90), rng.integers(0, 2, 90)
    table = np.histogram2d(a, b, [4, 2])[0].astype(int)

    assert stain.cramers_v(a, b) == pytest.approx(stats.contingency.association(table, "cramer"))
    assert stain.cramers_v(a, a) == pytest.approx(1)
    assert math.isnan(stain.cramers_v(a, np.zeros(90)))


def test_ties_of_a_control_are_encoded_at_the_middle_of_their_ranks():
    values = np.array([5.0, 5.0, 7.0, 9.0, 9.0, 9.0])

    encoded = Control("x", values).encoded()[:, :-1]

    place = encoded @ np.arange(encoded.shape[1]) / (encoded.shape[1] - 1)
    assert place == pytest.approx((stats.rankdata(values) - 1) / 5, abs=1e-6)
