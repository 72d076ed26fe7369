"""The average performance drop: by hand, by plain loops, and against PathoROB's own classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from robustness_helpers import Made, made

from bench.metrics import replicate
from bench.robustness import (
    CorrelatedSplits,
    Trial,
    accuracies_of,
    average_performance_drop,
    correlated_splits,
    cramers_v,
    drop_estimator,
    in_domain_centres,
    trials,
)


def test_a_case_worked_by_hand() -> None:
    # Two repeats of three splits: (0.9 / 1 + 0.8 / 1) / 2 - 1 = -0.15 and (0.8 / 0.8 + 0.4 / 0.8) / 2 - 1 = -0.25.
    accuracies = np.array([[1.0, 0.8], [0.9, 0.8], [0.8, 0.4]])
    assert average_performance_drop(accuracies) == pytest.approx(-0.2)


def test_cramers_v_of_tables() -> None:
    assert cramers_v(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])) == pytest.approx(1)
    assert cramers_v(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])) == pytest.approx(0)
    # 7 + 3 against 3 + 7: chi squared is 4 * 2^2 / 5 = 3.2 of 20 samples, so V is the root of 0.16.
    assert cramers_v(np.repeat([0, 1], 10), np.array([0] * 7 + [1] * 3 + [0] * 3 + [1] * 7)) == pytest.approx(0.4)
    assert np.isnan(cramers_v(np.zeros(3, int), np.arange(3)))


def drawn(one: Made, **more: Any) -> CorrelatedSplits:
    settings = {"n_splits": 8, "most_samples": 10_000, "turn": 0, "rng": np.random.default_rng(0)} | more
    found = correlated_splits(one.labels, one.centres, one.groups, **settings)
    assert found is not None
    return found


@pytest.mark.parametrize("shape", [(2, 2, 17), (4, 4, 12), (6, 2, 9), (3, 2, 12)])
def test_the_splits_go_from_none_to_all_and_share_no_group(shape: tuple[int, int, int]) -> None:
    classes, centres, slides = shape
    one = made(classes=classes, centres=centres, slides=slides, tiles=3)
    splits = drawn(one)
    assert splits.cramers_v[0] == pytest.approx(0, abs=1e-9)
    assert splits.cramers_v[-1] == pytest.approx(1, abs=1e-9)
    assert list(splits.cramers_v) == sorted(splits.cramers_v)
    cells = one.centres * classes + one.labels
    assert len(set(np.bincount(cells[splits.test], minlength=classes * centres))) == 1, "the test is balanced"
    for train, validation in zip(splits.train, splits.validation, strict=True):
        groups = [set(one.groups[rows]) for rows in (train, validation, splits.test)]
        assert not groups[0] & groups[1]
        assert not (groups[0] | groups[1]) & groups[2]
        of_class = np.bincount(one.labels[train])
        assert of_class.min() == of_class.max() == len(splits.train[0]) // classes
        assert set(one.labels[validation]) == set(range(classes))
    favoured = [set(one.centres[splits.train[-1]][one.labels[splits.train[-1]] == c]) for c in range(classes)]
    assert all(len(of) == 1 for of in favoured)
    turned = drawn(one, turn=1)
    assert [set(one.centres[turned.train[-1]][one.labels[turned.train[-1]] == c]) for c in range(classes)] != favoured


def test_a_patient_with_several_classes_has_one_part_in_all_of_them() -> None:
    one = made(classes=3, slides=10)
    patients = one.centres * 10 + one.groups % 10
    splits = drawn(Made(one.features, one.labels, one.centres, patients))
    for train, validation in zip(splits.train, splits.validation, strict=True):
        assert not set(patients[train]) & set(patients[splits.test])
        assert not set(patients[train]) & set(patients[validation])


def test_fewer_samples_are_taken_where_there_are_many() -> None:
    one = made(slides=30, tiles=10)
    assert len(drawn(one).train[0]) > 300
    assert len(drawn(one, most_samples=100).train[0]) <= 100
    alone = Made(one.features, one.labels, one.centres, np.arange(len(one.labels)))
    assert len(drawn(alone, most_samples=100).train[0]) <= 100


def test_too_few_groups_give_no_splits_and_rows_without_a_class_no_part() -> None:
    one = made(slides=2)
    assert (
        correlated_splits(
            one.labels, one.centres, one.groups, n_splits=8, most_samples=100, turn=0, rng=np.random.default_rng(0)
        )
        is None
    )
    one = made(slides=12)
    left = one.groups % 12 == 0
    masked = Made(one.features, np.where(left, -1, one.labels), np.where(left, -1, one.centres), one.groups)
    splits = drawn(masked)
    assert not left[np.concatenate([*splits.train, *splits.validation, splits.test])].any()


def test_the_centres_to_train_on_have_every_class_and_the_most_groups() -> None:
    one = made(classes=2, centres=4, slides=5)
    fewer = ~((one.centres == 1) & (one.groups % 5 > 1)) & ~((one.centres == 2) & (one.labels == 1))
    labels, centres, groups = one.labels[fewer], one.centres[fewer], one.groups[fewer]
    assert in_domain_centres(labels, centres, groups, True) == [0, 3]
    assert in_domain_centres(labels[centres < 2], centres[centres < 2], groups[centres < 2], True) == [0, 1]
    assert in_domain_centres(labels[centres == 2], centres[centres == 2], groups[centres == 2], True) == [2]
    three = made(classes=4, centres=3, slides=2)
    assert in_domain_centres(three.labels, three.centres, three.groups, True) == [0, 1]
    assert in_domain_centres(three.labels, three.centres, three.groups, False) == [0, 1, 2]


@pytest.mark.slow
def test_a_strong_centre_costs_more_than_a_weak_one() -> None:
    drops = []
    for by_centre in (0.0, 3.0):
        one = made(slides=12, by_class=1.0, by_centre=by_centre, seed=1)
        found = [
            trials(one.features, one.labels, drawn(one, turn=turn, rng=np.random.default_rng(turn)), np.empty(0, int))
            for turn in range(4)
        ]
        accuracies = accuracies_of([of["in"] for of in found], one.labels)
        drops.append(average_performance_drop(np.stack(accuracies, axis=1)))
    assert drops[1] < -0.05
    assert drops[1] < drops[0]


def test_the_estimator_is_of_the_test_samples_that_are_drawn() -> None:
    rng = np.random.default_rng(3)
    labels, groups = rng.integers(0, 3, 40), np.repeat(np.arange(10), 4)
    repeats = []
    for _ in range(2):
        rows = np.sort(rng.choice(40, 30, replace=False))
        predicted = np.where(rng.random((4, 30)) < 0.7, labels[rows], rng.integers(0, 3, (4, 30)))
        repeats.append(Trial(rows, predicted))
    estimator = drop_estimator(repeats, labels, groups, 10)
    value = average_performance_drop(np.stack(accuracies_of(repeats, labels), axis=1))
    of = replicate({"apd": estimator}, 10, 40, n_boot=20, seed=0)["apd"]
    assert of.value == pytest.approx(value, abs=1e-12)
    assert of.interval().ci_low < value < of.interval().ci_high
    weights = rng.integers(0, 3, (10, 6))
    for column, found in zip(weights.T, estimator.statistic(weights), strict=True):
        by_hand = []
        for trial in repeats:
            drawn_rows = np.repeat(np.arange(30), column[groups[trial.rows]])
            truth = labels[trial.rows][drawn_rows]
            accuracy = [
                np.mean([np.mean(predicted[truth == c] == c) for c in np.unique(truth)])
                for predicted in trial.predicted[:, drawn_rows]
            ]
            by_hand.append(np.mean(np.array(accuracy[1:]) / accuracy[0]) - 1)
        assert found == pytest.approx(np.mean(by_hand), abs=1e-12)


@pytest.mark.parametrize("dim", [6, 40])
def test_the_classifier_of_pathorob_gives_the_same_accuracies(dim: int) -> None:
    downstream = pytest.importorskip("croma.downstream")
    tiles, max_slides = 3, 4
    one = made(classes=2, centres=3, slides=8, tiles=tiles, dim=dim, by_centre=1.5, seed=7)
    inside = one.centres < 2
    schedule = [
        ([(0, 0, (2 - s) * tiles), (0, 1, (2 + s) * tiles), (1, 0, (2 + s) * tiles), (1, 1, (2 - s) * tiles)], 4)
        for s in range(3)
    ]
    theirs = downstream.probe_sweep_over_test_sets(
        one.features[inside],
        one.centres[inside],
        one.labels[inside],
        schedule=schedule,
        rows_per_slide=tiles,
        iterations=1,
        validation_fraction=0.25,
        arrange_slides=lambda slides, rng: slides,
        test_sets={"out": (one.features[~inside], one.labels[~inside])},
    )
    cell = {(i, j): np.flatnonzero((one.centres == i) & (one.labels == j)) for i in (0, 1) for j in (0, 1)}
    first_test = (max_slides + round(0.25 * max_slides) + 1) * tiles
    splits = CorrelatedSplits(
        tuple(np.concatenate([cell[i, j][:take] for i, j, take in plan]) for plan, _ in schedule),
        tuple(
            np.concatenate([cell[i, j][take : take + round(0.25 * take)] for i, j, take in plan])
            for plan, _ in schedule
        ),
        np.concatenate([rows[first_test:] for rows in cell.values()]),
        (0.0, 0.5, 1.0),
    )
    ours = trials(one.features, one.labels, splits, np.flatnonzero(~inside))
    for name, key in (("in", "in_domain"), ("out", "out")):
        accuracies = accuracies_of([ours[name]], one.labels)[0]
        np.testing.assert_allclose(accuracies, theirs[key][:, 0], atol=1e-12)
        assert average_performance_drop(accuracies[:, None]) == pytest.approx(downstream.apd(theirs[key]), abs=1e-12)
