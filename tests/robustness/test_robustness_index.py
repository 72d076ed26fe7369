"""The robustness index and MaRI: a case worked by hand, plain loops, the package croma, and values that it gave."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from robustness_helpers import Made, made, manifest_of, neighbours_by_hand

from bench.metrics import replicate
from bench.robustness import (
    candidate_ks,
    chosen_k,
    index_estimator,
    margin_weights,
    robustness_index,
    typed_neighbours,
    types_of,
    votes_accuracy,
)

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())


def angles(degrees: list[float]) -> np.ndarray:
    return np.stack([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], axis=1)


def test_a_case_worked_by_hand() -> None:
    # Five tiles on a circle: class, centre and slide of each.
    #   tile  angle  class centre slide     the two nearest of other slides
    #   0       0    A     x      s0        2 (10: class A, centre y: SO), 3 (30: class B, centre x: OS)
    #   1       2    A     x      s0        2 (8: SO), 3 (28: OS); tile 0 is nearer, but of its own slide
    #   2      10    A     y      s1        1 (8: SO), 0 (10: SO)
    #   3      30    B     x      s2        2 (20: class A, centre y: OO), 1 (28: class A, centre x: OS)
    #   4      90    B     y      s3        3 (60: class B, centre x: SO), 2 (80: class A, centre y: OS)
    features = 3 * angles([0, 2, 10, 30, 90])
    labels, centres = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 0, 1])
    near = typed_neighbours(features, labels, centres, np.array(list("aabcd")), k=2, m=1)
    assert near.rows.tolist() == [[2, 3], [2, 3], [1, 0], [2, 1], [3, 2]]
    np.testing.assert_allclose(near.distances[0], 1 - np.cos(np.deg2rad([10, 30])), atol=1e-12)
    so, os = types_of(near.rows, labels, centres)
    assert (int(so.sum()), int(os.sum())) == (5, 4)
    assert robustness_index(so, os) == 5 / 9
    assert robustness_index(so[:, :1], os[:, :1]) == 1.0
    assert np.isnan(robustness_index(so[:0], os[:0]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("memory_bytes", [2**28, 10_000])
def test_plain_loops_give_the_same(seed: int, memory_bytes: int) -> None:
    one, k, m = made(classes=3, centres=2, slides=3, seed=seed), 7, 3
    near = typed_neighbours(*one.known, k=k, m=m, memory_bytes=memory_bytes)
    n_so = n_os = 0
    typed: list[float] = []
    for i in range(len(one.labels)):
        order = neighbours_by_hand(one, i)
        assert near.rows[i].tolist() == [j for _, j in order[:k]]
        so = [d for d, j in order if one.labels[j] == one.labels[i] and one.centres[j] != one.centres[i]]
        os = [d for d, j in order if one.labels[j] != one.labels[i] and one.centres[j] == one.centres[i]]
        np.testing.assert_allclose(near.so[i], so[:m], atol=1e-11)
        np.testing.assert_allclose(near.os[i], os[:m], atol=1e-11)
        for d, j in order[:k]:
            same_class, same_centre = one.labels[j] == one.labels[i], one.centres[j] == one.centres[i]
            n_so += same_class and not same_centre
            n_os += same_centre and not same_class
            typed += [d] if same_class != same_centre else []
    so_of, os_of = types_of(near.rows, one.labels, one.centres)
    assert robustness_index(so_of, os_of) == n_so / (n_so + n_os)
    weights = margin_weights(near, one.labels, one.centres, k)
    tau = float(np.median(typed))
    assert weights[0].sum() + weights[1].sum() == pytest.approx(sum(np.exp(-d / tau) for d in typed), rel=1e-9)


def test_equal_neighbours_come_in_their_order_and_few_leave_places_empty() -> None:
    features = np.ones((4, 2))
    near = typed_neighbours(features, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), np.arange(4), k=4, m=2)
    assert near.rows.tolist() == [[1, 2, 3, -1], [0, 2, 3, -1], [0, 1, 3, -1], [0, 1, 2, -1]]
    assert near.fewest == 3
    assert np.isinf(near.so[:, 1]).all()
    so, os = types_of(near.rows, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    assert so.sum(axis=1).tolist() == os.sum(axis=1).tolist() == [1, 1, 1, 1]


def test_k_is_the_first_of_the_best_accuracy_of_the_class() -> None:
    one = made(classes=2, by_class=0.7, by_centre=0.2, seed=4)
    near = typed_neighbours(*one.known, k=31)
    k, accuracies = chosen_k(near, one.labels)
    assert list(accuracies) == [1, 3, 5, 7, 9, 11, 21, 31]
    for of, accuracy in accuracies.items():
        right = []
        for c in (0, 1):
            own = np.flatnonzero(one.labels == c)
            votes = [np.bincount(one.labels[near.rows[i, :of]], minlength=2).argmax() for i in own]
            right.append(np.mean(np.array(votes) == c))
        assert accuracy == pytest.approx(np.mean(right))
    assert accuracies[k] == max(accuracies.values())
    assert all(accuracies[other] < accuracies[k] for other in accuracies if other < k)
    assert candidate_ks(30) == [1, 3, 5, 7, 9, 11, 21]
    assert votes_accuracy(near.rows, one.labels, [3])[0] == accuracies[3]


def test_the_estimator_is_the_index_of_the_groups_that_are_drawn() -> None:
    one = made(seed=5)
    near = typed_neighbours(*one.known, k=5, spare=60)
    so, os = types_of(near.rows, one.labels, one.centres)
    estimator = index_estimator(near.rows, so, os, one.groups, 5)
    weights = np.random.default_rng(0).integers(0, 3, (int(one.groups.max()) + 1, 4))
    for column, found in zip(weights.T, estimator.statistic(weights), strict=True):
        drawn = np.repeat(np.arange(len(so)), column[one.groups])
        own = Made(*(of[drawn] for of in one.known))
        again = typed_neighbours(*own.known, k=5)
        of_own = types_of(again.rows, own.labels, own.centres)
        assert found == pytest.approx(robustness_index(*of_own), abs=1e-12)
    of = replicate({"ri": estimator}, len(weights), len(so), n_boot=1, seed=0)["ri"].interval()
    assert of.value == pytest.approx(robustness_index(so[:, :5], os[:, :5]))
    assert 0 < of.ci_low < of.value < of.ci_high < 1


@pytest.mark.parametrize("name", sorted(GOLDEN["index"]))
def test_values_that_croma_gave(name: str) -> None:
    record = GOLDEN["index"][name]
    one = made(**record["made"])
    near = typed_neighbours(*one.known, k=record["k"])
    so, os = types_of(near.rows, one.labels, one.centres)
    assert robustness_index(so, os) == pytest.approx(record["ri"], abs=1e-12)
    assert robustness_index(*margin_weights(near, one.labels, one.centres, record["k"])) == pytest.approx(
        record["mari"], abs=1e-9
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_package_croma_gives_the_same(seed: int) -> None:
    croma = pytest.importorskip("croma")
    one = made(classes=3, centres=3, slides=4, tiles=5, dim=16, by_class=0.6, seed=seed)
    _agrees(croma, one, [1, 5, 11, 31])


def _agrees(croma: object, one: Made, ks: list[int]) -> None:
    near = typed_neighbours(*one.known, k=max(ks))
    so, os = types_of(near.rows, one.labels, one.centres)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curve = croma.RI.compute_curve(one.features, manifest_of(one), confounder_column="centre", k_values=ks)  # type: ignore[attr-defined]
        whole = croma.RI.compute(one.features, manifest_of(one), confounder_column="centre", k_candidates=ks)  # type: ignore[attr-defined]
        mari = croma.MaRI.compute(one.features, manifest_of(one), confounder_column="centre", k_candidates=[ks[-1]])  # type: ignore[attr-defined]
    for k in ks:
        assert robustness_index(so[:, :k], os[:, :k]) == pytest.approx(curve[k], abs=1e-12)
    accuracies = votes_accuracy(near.rows, one.labels, ks)
    assert whole.k == ks[int(accuracies.argmax())]
    assert robustness_index(*margin_weights(near, one.labels, one.centres, ks[-1])) == pytest.approx(
        mari.value, abs=1e-9
    )
