"""CRoMa's margin and its tail: a case worked by hand, plain loops, the package croma, and values that it gave."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from robustness_helpers import made, manifest_of, neighbours_by_hand

from bench.metrics import replicate
from bench.robustness import lower_tail_mean, margin_estimators, margins, median, typed_neighbours

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())


def test_a_case_worked_by_hand() -> None:
    # Tile 0 is at 0 degrees, its class elsewhere at 60 (distance 1/2), another class in its centre at 90 (distance 1).
    turned = np.deg2rad([0, 60, 90, 180])
    features = np.stack([np.cos(turned), np.sin(turned)], axis=1)
    labels, centres = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    near = typed_neighbours(features, labels, centres, np.arange(4), k=1, m=1)
    found = margins(near)
    assert found[0] == pytest.approx((1 - 0.5) / (1 + 0.5))
    # Tile 1: its class elsewhere is tile 0 (1/2), the other class in its centre tile 3 at 120 degrees (3/2).
    assert found[1] == pytest.approx((1.5 - 0.5) / 2)
    # Tile 2: its class elsewhere is tile 3 (1), the other class in its centre tile 0 (1): contested.
    assert found[2] == pytest.approx(0, abs=1e-12)
    assert median(found) == pytest.approx(np.median([1 / 3, 0.5, 0.0, found[3]]))


@pytest.mark.parametrize("seed", range(3))
def test_plain_loops_give_the_same(seed: int) -> None:
    one, m = made(classes=3, seed=seed), 4
    expected = []
    for i in range(len(one.labels)):
        order = neighbours_by_hand(one, i)
        so = [d for d, j in order if one.labels[j] == one.labels[i] and one.centres[j] != one.centres[i]][:m]
        os = [d for d, j in order if one.labels[j] != one.labels[i] and one.centres[j] == one.centres[i]][:m]
        expected.append((np.mean(os) - np.mean(so)) / (np.mean(os) + np.mean(so)))
    found = margins(typed_neighbours(*one.known, k=1, m=m))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    worst = sorted(expected)
    edge = np.percentile(expected, 10)
    tail = [value for value in worst if value <= edge]
    assert lower_tail_mean(found) == pytest.approx(np.mean(tail), abs=1e-9)


def test_samples_without_enough_of_a_type_and_features_that_are_the_same_have_no_margin() -> None:
    one = made(slides=1, tiles=2)
    assert np.isnan(margins(typed_neighbours(*one.known, k=1, m=3))).all()
    same = typed_neighbours(np.ones_like(one.features), *one.known[1:], k=1, m=1)
    assert np.isnan(margins(same)).all()
    assert np.isnan(median(margins(same)))
    assert np.isnan(lower_tail_mean(margins(same)))


@pytest.mark.parametrize("seed", range(3))
def test_estimators_are_of_the_groups_that_are_drawn(seed: int) -> None:
    one, m = made(classes=2, slides=8, tiles=2, seed=seed), 3
    near = typed_neighbours(*one.known, k=1, m=m, spare=40)
    estimators = margin_estimators(near, one.groups)
    weights = np.random.default_rng(seed).integers(0, 3, (int(one.groups.max()) + 1, 5))
    found = [estimators[name].statistic(weights) for name in ("croma", "croma_ltm10")]
    for column, of_median, of_tail in zip(weights.T, *found, strict=True):
        drawn = np.repeat(np.arange(len(one.labels)), column[one.groups])
        again = margins(typed_neighbours(*(of[drawn] for of in one.known), k=1, m=m))
        assert of_median == pytest.approx(median(again), abs=1e-11)
        assert of_tail == pytest.approx(lower_tail_mean(again), abs=1e-11)
    of = replicate(estimators, len(weights), len(one.labels), n_boot=1, seed=0)
    assert of["croma"].value == pytest.approx(median(margins(near)), abs=1e-12)
    interval = of["croma_ltm10"].interval()
    assert interval.value == pytest.approx(lower_tail_mean(margins(near)), abs=1e-12)
    assert -1 < interval.ci_low < interval.value < interval.ci_high < 1
    assert np.isnan(estimators["croma"].statistic(np.zeros((len(weights), 1)))).all()


@pytest.mark.parametrize("name", sorted(GOLDEN["croma"]))
def test_values_that_croma_gave(name: str) -> None:
    record = GOLDEN["croma"][name]
    found = margins(typed_neighbours(*made(**record["made"]).known, k=1, m=record["m"]))
    assert median(found) == pytest.approx(record["croma"], abs=1e-9)
    assert lower_tail_mean(found) == pytest.approx(record["ltm10"], abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("m", [1, 5])
def test_the_package_croma_gives_the_same(seed: int, m: int) -> None:
    croma = pytest.importorskip("croma")
    one = made(classes=3, centres=3, slides=4, tiles=5, dim=16, by_class=0.6, seed=seed)
    found = margins(typed_neighbours(*one.known, k=1, m=m))
    theirs = croma.CRoMa.compute(one.features, manifest_of(one), confounder_column="centre", m=m)
    np.testing.assert_allclose(found, theirs.sample_values_aligned, atol=1e-9)
    assert median(found) == pytest.approx(theirs.value, abs=1e-9)
    assert lower_tail_mean(found) == pytest.approx(theirs.ltm_alpha, abs=1e-9)
