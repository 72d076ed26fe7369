"""Differences of two models: permutations against scipy, equivalence and power against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.metrics import METRIC_SETS, swapped_differences
from bench.statistics import (
    Studentised,
    corrected_error,
    difference_inflation,
    p_better,
    p_of_swaps,
    score_inflation,
    swaps,
    training_influence,
)


def differences_of(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.4, 1, n)


def test_interval_and_p_are_students() -> None:
    x = differences_of(12, 0)
    found = Studentised(x.mean(), float(stats.sem(x)), 11)
    expected = stats.ttest_1samp(x, 0)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=1e-12)


def test_equivalence_is_two_one_sided_tests() -> None:
    x = differences_of(30, 1) / 10
    found = Studentised(x.mean(), float(stats.sem(x)), 29)
    above = stats.ttest_1samp(x, -0.1, alternative="greater").pvalue
    below = stats.ttest_1samp(x, 0.1, alternative="less").pvalue
    assert found.p_equivalent(0.1) == pytest.approx(max(above, below), abs=1e-12)
    assert found.p_equivalent(0.2) < found.p_equivalent(0.1)
    for margin in (0.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"margin of equivalence is .* must be above 0"):
            found.p_equivalent(margin)


def test_the_detectable_difference_is_found_with_80_percent_power() -> None:
    rng = np.random.default_rng(2)
    n, runs = 25, 4000
    detectable = Studentised(0.0, 1 / math.sqrt(n), n - 1).detectable
    x = rng.normal(detectable, 1, (runs, n))
    assert (stats.ttest_1samp(x, 0, axis=1).pvalue <= 0.05).mean() == pytest.approx(0.8, abs=0.02)


def test_an_unknown_error_leaves_everything_unknown() -> None:
    found = Studentised(0.3, math.nan, 4)
    assert np.isnan([*found.interval, found.p, found.p_equivalent(0.1), found.detectable]).all()


def of_accuracy(n_groups: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, two predictions and groups; a is right more often than b."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), 5)
    y = rng.integers(0, 2, len(groups))
    a, b = (np.eye(2)[np.where(rng.random(len(y)) < right, y, 1 - y)] for right in (0.85, 0.6))
    return y, a, b, groups


def test_few_groups_are_swapped_in_every_way_as_scipy_does() -> None:
    y, a, b, groups = of_accuracy(8, 3)
    chosen, exact = swaps(8, seed=0)
    assert exact
    assert len(set(map(tuple, chosen.T))) == 2**7
    accuracy = METRIC_SETS["classes"].metrics["accuracy"]
    swapped = swapped_differences(accuracy, y, a, b, groups, chosen)
    right = [np.bincount(groups, s.argmax(1) == y) for s in (a, b)]
    expected = stats.permutation_test(
        right, lambda one, other, axis: (one.sum(axis) - other.sum(axis)) / len(y), permutation_type="samples",
        n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert swapped[0] == pytest.approx(expected.statistic, abs=1e-12)
    assert p_of_swaps(swapped[0], swapped, exact=True) == pytest.approx(expected.pvalue, abs=1e-12)


def test_many_groups_are_swapped_at_random_and_agree_with_scipy() -> None:
    y, a, b, groups = of_accuracy(40, 4)
    b = np.where(np.random.default_rng(0).random(len(b))[:, None] < 0.6, a, b)  # less of a difference
    accuracy = METRIC_SETS["classes"].metrics["accuracy"]
    chosen, exact = swaps(40, seed=0)
    assert not exact
    difference = swapped_differences(accuracy, y, a, b, groups, np.zeros((40, 1), np.int32))[0]
    found = p_of_swaps(difference, swapped_differences(accuracy, y, a, b, groups, chosen), exact=False)
    right = [np.bincount(groups, s.argmax(1) == y) for s in (a, b)]
    expected = stats.permutation_test(
        right, lambda one, other, axis: one.sum(axis) - other.sum(axis), permutation_type="samples",
        n_resamples=20000, vectorized=True, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert found == pytest.approx(expected.pvalue, abs=0.03)


def test_p_values_below_the_reach_of_the_swaps_are_of_the_normal_tail() -> None:
    rng = np.random.default_rng(5)
    swapped = rng.normal(0, 1, 1000)
    assert p_of_swaps(5.0, swapped, exact=False) == pytest.approx(2 * stats.norm.sf(5), rel=1)
    assert p_of_swaps(0.0, swapped, exact=False) == 1
    assert p_of_swaps(5.0, np.zeros(1000), exact=False) == 1 / 1001
    assert p_of_swaps(5.0, np.full(1000, np.nan), exact=False) == 1  # an undefined swap is no evidence


def test_a_metric_of_the_order_does_not_change_with_the_scale_of_a_models_scores() -> None:
    y, a, b, groups = of_accuracy(10, 6)
    rng = np.random.default_rng(7)
    a, b = (
        np.stack([1 - p, p], 1) for p in (rng.random(len(y)) / 4 + a[:, 1] / 2, rng.random(len(y)) / 2 + b[:, 1] / 2)
    )
    chosen, _ = swaps(10, seed=0)
    auroc = METRIC_SETS["classes"].metrics["auroc"]
    sharper = b**4 / (b**4).sum(axis=1, keepdims=True)
    assert np.array_equal(
        swapped_differences(auroc, y, a, b, groups, chosen), swapped_differences(auroc, y, a, sharper, groups, chosen)
    )


def test_p_better_is_the_share_of_resamples_with_ties_halved() -> None:
    draws = np.array([0.1, 0.2, 0.0, -0.1, np.nan])
    assert p_better(draws, lower_is_better=False) == (2 + 0.5) / 4
    assert p_better(draws, lower_is_better=True) == (1 + 0.5) / 4
    assert math.isnan(p_better(np.array([]), lower_is_better=False))


def test_the_corrected_error_is_that_of_nadeau_and_bengio() -> None:
    x = differences_of(10, 8)  # ten folds: a tenth is tested and nine tenths are trained on
    assert corrected_error(x, 10) == pytest.approx(math.sqrt((1 / 10 + 1 / 9) * x.var(ddof=1)), abs=1e-15)
    assert math.isnan(corrected_error(np.array([0.1]), 5))
    assert math.isnan(corrected_error(np.full(5, 0.1), 5))


def test_the_variances_of_folds_are_inflated_by_the_shares_of_test_and_training_samples() -> None:
    assert score_inflation(5) == 1 + 0.2 / 0.8
    assert difference_inflation(5) == 1 + 5 * 0.2 / 0.8
    # By Nadeau and Bengio's factor over that of independent folds.
    assert difference_inflation(10) == pytest.approx((1 / 10 + 1 / 9) / (1 / 10))


def test_training_influences_have_the_variance_of_a_mean_of_all_when_each_repeat_is_a_mean_of_four_fifths() -> None:
    rng = np.random.default_rng(9)
    x = rng.normal(0, 1, 50)
    repeats = np.array([rng.choice(x, 40, replace=False).mean() for _ in range(4000)])
    assert (training_influence(repeats) ** 2).sum() == pytest.approx(x.var(ddof=1) / 50, rel=0.1)
