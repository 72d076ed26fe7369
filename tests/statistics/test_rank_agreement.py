"""Agreement of rankings: tau, the values that the data leave open, and models that change places."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from bench.statistics import agreement, kendall_tau, orders, pairs_of, reversals, tau_of_redraws

KNOWN, UNKNOWN = np.ones(3, bool), np.zeros(3, bool)


def test_tau_is_that_of_scipy_with_ties_too() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 5, 7).astype(float), rng.integers(0, 5, 7).astype(float)
        assert kendall_tau(orders(a), orders(b)) == pytest.approx(kendalltau(a, b).statistic)


def test_orders_follow_the_direction_of_the_metric_and_call_equal_scores_a_tie() -> None:
    values = np.array([0.3, 0.5, 0.1 + 0.2])

    assert pairs_of(3).tolist() == [[0, 1], [0, 2], [1, 2]]
    assert orders(values).tolist() == [-1, 0, 1]
    assert orders(values, lower_is_better=True).tolist() == [1, 0, -1]
    assert np.isnan(orders(np.array([0.3, np.nan]))).all()


def test_pairs_whose_order_is_by_chance_leave_tau_open() -> None:
    up, swapped = orders(np.array([3.0, 2.0, 1.0])), orders(np.array([2.0, 3.0, 1.0]))

    exact = agreement(up, swapped, KNOWN, KNOWN)
    assert (exact.tau, exact.concordant, exact.discordant) == (pytest.approx(1 / 3), 2, 1)
    assert (exact.low, exact.high) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    half = agreement(up, swapped, KNOWN, np.array([False, True, True]))
    assert (half.low, half.high) == (pytest.approx(1 / 3), 1.0)
    nothing = agreement(up, swapped, KNOWN, UNKNOWN)
    assert (nothing.low, nothing.high) == (-1.0, 1.0)


def test_a_tie_leaves_tau_open_and_tau_lies_in_its_interval() -> None:
    tied, up = orders(np.array([2.0, 2.0, 1.0])), orders(np.array([3.0, 2.0, 1.0]))

    found = agreement(tied, up, KNOWN, KNOWN)
    assert found.tau == pytest.approx(kendalltau([2, 2, 1], [3, 2, 1]).statistic)
    assert (found.low, found.high) == (pytest.approx(1 / 3), 1.0)
    # Of untied pairs alone tau-b is 1, of all pairs the least agreement that is left 0.
    best = agreement(tied, tied, KNOWN, KNOWN)
    assert (best.tau, best.low, best.high) == (pytest.approx(1), pytest.approx(1 / 3), pytest.approx(1))
    worst = agreement(tied, -tied, KNOWN, KNOWN)
    assert (worst.tau, worst.low, worst.high) == (pytest.approx(-1), pytest.approx(-1), pytest.approx(-1 / 3))


def test_a_ranking_of_ties_alone_has_no_tau() -> None:
    found = agreement(orders(np.ones(3)), orders(np.arange(3.0)), UNKNOWN, KNOWN)

    assert np.isnan([found.tau, found.low, found.high]).all()
    assert np.isnan(agreement(*[np.empty(0)] * 2, *[np.empty(0, bool)] * 2).tau)
    with pytest.raises(ValueError, match="not of the same pairs"):
        agreement(np.ones(3), np.ones(1), KNOWN, KNOWN)


def test_a_protocol_agrees_with_itself_on_other_patients_as_far_as_its_scores_are_apart() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(4, 400))
    noise[0, 0] = np.nan

    apart, alike = np.arange(4.0)[:, None] * 20 + noise, noise
    assert tau_of_redraws(apart).tolist() == [1.0] * 399
    assert abs(tau_of_redraws(alike).mean()) < 0.1
    assert len(tau_of_redraws(noise[:, :1])) == len(tau_of_redraws(noise[:1])) == 0


def test_models_change_places_only_where_both_orders_are_beyond_chance() -> None:
    order = np.array([[1.0, 1.0], [-1.0, -1.0], [-1.0, 1.0]])
    adjusted = np.array([[0.01, 0.01], [0.2, 0.01], [0.04, 0.01]])

    first, second = reversals(order, adjusted, 0.05)
    assert (first.pair, first.first_better, first.second_better) == (0, (0,), (2,))
    assert (second.pair, second.first_better, second.second_better) == (1, (0, 2), (1,))
    assert reversals(order[:2, :1], adjusted[:2, :1], 0.05) == []
