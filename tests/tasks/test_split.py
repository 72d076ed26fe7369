"""Splits: whole groups, every class on both sides where possible, the same for the same seed in any order."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from bench.tasks import Split, assign_split

pytestmark = pytest.mark.filterwarnings("error")

patients = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=2, max_size=40
)  # class and number of tiles of each patient


def cohort(people: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    groups = np.repeat([f"p{i}" for i in range(len(people))], [n for _, n in people])
    labels = np.repeat([label for label, _ in people], [n for _, n in people])
    return groups, labels


def sides_of(groups: np.ndarray, sides: np.ndarray) -> dict[str, set[str]]:
    return {g: set(sides[groups == g]) for g in np.unique(groups)}


@given(patients, st.floats(0.05, 0.6), st.floats(0, 0.5), st.integers(0, 5))
def test_no_group_stands_on_two_sides(people, test, val, seed):
    groups, labels = cohort(people)
    sides = assign_split(groups, labels, Split(test, val, seed))
    assert all(len(s) == 1 for s in sides_of(groups, sides).values())
    assert set(sides) <= {"train", "val", "test"}
    assert val > 0 or "val" not in sides


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=2, max_size=25), st.integers(0, 3))
def test_no_group_of_several_classes_stands_on_two_sides(people, seed):
    groups = np.repeat([f"p{i}" for i in range(len(people))], [len(p) for p in people])
    labels = np.concatenate([np.array(p) for p in people])
    sides = assign_split(groups, labels, Split(0.3, 0.2, seed))
    assert all(len(s) == 1 for s in sides_of(groups, sides).values())


@given(patients, st.floats(0.05, 0.6), st.integers(0, 5), st.integers(1, 3))
def test_every_class_has_its_groups_on_both_sides_where_it_has_enough(people, test, seed, min_groups):
    groups, labels = cohort(people)
    sides = assign_split(groups, labels, Split(test, 0.0, seed), min_groups=min_groups)
    for label in np.unique(labels):
        members = len(set(groups[labels == label]))
        on = {s: len(set(groups[(labels == label) & (sides == s)])) for s in ("train", "test")}
        if members >= 2 * min_groups:
            assert min(on.values()) >= min_groups
        elif members >= 2:
            assert min(on.values()) >= 1
        else:
            assert on == {"train": 1, "test": 0}


@given(patients, st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_the_tiles_does_not_matter(people, seed, random):
    groups, labels = cohort(people)
    order = np.array(random.sample(range(len(groups)), len(groups)))
    split = Split(0.25, 0.2, seed)
    sides = assign_split(groups, labels, split)
    assert (assign_split(groups, labels, split) == sides).all()
    assert (assign_split(groups[order], labels[order], split) == sides[order]).all()


def test_the_seed_matters_and_the_draw_stays_what_it_was():
    groups, labels = cohort([(i % 2, 1) for i in range(12)])
    assert set(groups[assign_split(groups, labels, Split(0.25, 0.0, 0)) == "test"]) == {"p11", "p4", "p6", "p9"}
    tests = [set(groups[assign_split(groups, labels, Split(0.25, 0.0, seed)) == "test"]) for seed in range(8)]
    assert len({frozenset(t) for t in tests}) > 1
    assert all(len(t) == 4 for t in tests)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_shares_are_met_in_every_class(seed):
    rng = np.random.default_rng(seed)
    people = [(int(label), int(rng.integers(1, 6))) for label in rng.integers(0, 4, 200)]
    groups, labels = cohort(people)
    sides = assign_split(groups, labels, Split(0.2, 0.25, seed))
    for label in range(4):
        own = sides[labels == label]
        assert abs((own == "test").mean() - 0.2) < 0.05
        assert abs((own == "val").sum() / (own != "test").sum() - 0.25) < 0.06


def test_shares_are_met_where_every_patient_has_every_class():
    groups = np.repeat([f"p{i}" for i in range(40)], 20)
    labels = np.tile(np.arange(20) % 5, 40)
    sides = assign_split(groups, labels, Split(0.2, 0.25, 3))
    assert (sides == "test").mean() == pytest.approx(0.2, abs=0.03)
    assert (sides == "val").mean() == pytest.approx(0.2, abs=0.03)


def test_groups_of_several_classes_are_dealt_so_that_no_class_is_lost():
    """A class of two groups, both shared with others, still has one on each side."""
    groups = np.array(["a", "a", "b", "b", "c", "d", "e", "f"])
    labels = np.array([0, 1, 0, 2, 1, 1, 2, 2])
    for seed in range(20):
        sides = assign_split(groups, labels, Split(0.3, 0.0, seed))
        for label in range(3):
            assert set(sides[labels == label]) == {"train", "test"}


def test_named_test_tiles_stay_and_validation_comes_from_the_others():
    groups, labels = cohort([(i % 2, 2) for i in range(20)])
    test = np.isin(groups, ["p0", "p1", "p2", "p3"])
    sides = assign_split(groups, labels, Split(0.9, 0.25, 0), test=test)
    assert ((sides == "test") == test).all()
    assert (sides == "val").sum() == 8
    assert set(labels[sides == "val"]) == {0, 1}


def test_a_hundred_thousand_single_tiles_are_split_evenly():
    labels = np.arange(100_000) % 9
    groups = np.char.add("tile", np.arange(100_000).astype(str))
    sides = assign_split(groups, labels, Split(0.2, 0.0, 0))
    assert abs((sides == "test").sum() - 20_000) <= 9
