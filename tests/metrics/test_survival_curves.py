"""Survival curves, the log-rank test and the time-dependent AUC against scikit-survival and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.metrics import kaplan_meier, log_rank, risk_groups, score_all
from bench.metrics.bootstrap import group_weights
from bench.metrics.dynamic_auc import auc_times, dynamic_auc
from bench.metrics.survival_curves import censoring_curve

Labels = np.ndarray


@st.composite
def labels(draw: st.DrawFn, least: int = 2) -> Labels:
    """Few distinct times, so that events and censorings are tied."""
    n = draw(st.integers(least, 30))
    time = draw(hnp.arrays(np.int64, n, elements=st.integers(1, draw(st.integers(1, 12)))))
    event = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 1)))
    return np.column_stack([time, event]).astype(np.float64)


def structured(y: Labels) -> np.ndarray:
    return np.array([(event == 1, time) for time, event in y], dtype=[("event", bool), ("time", float)])


@given(labels())
def test_curves_equal_scikit_survival(y: Labels) -> None:
    oracle = pytest.importorskip("sksurv.nonparametric").kaplan_meier_estimator
    time, event = y.T
    own = kaplan_meier(time, event)
    expected = oracle(event == 1, time)
    assert np.array_equal(own.time, expected[0])
    np.testing.assert_allclose(own.survival, expected[1], atol=1e-12)
    censored = censoring_curve(time, event)
    np.testing.assert_allclose(censored.survival, oracle(event == 1, time, reverse=True)[1], atol=1e-12)


def test_curve_by_hand() -> None:
    """The example of Kaplan & Meier 1958: events at .8, 3.1, 5.4, 9.2, losses at 1.0, 2.7, 7.0, 12.1."""
    time = np.array([0.8, 1.0, 2.7, 3.1, 5.4, 7.0, 9.2, 12.1])
    curve = kaplan_meier(time, np.isin(time, (0.8, 3.1, 5.4, 9.2)))
    assert curve.at(np.array([0.5, 0.8, 3.0, 3.1, 5.4, 9.2, 12.1])) == pytest.approx(
        [1, 7 / 8, 7 / 8, 7 / 10, 21 / 40, 21 / 80, 21 / 80]
    )
    assert np.isnan(curve.at(np.array([12.2])))[0]
    assert curve.median == 9.2
    assert curve.at_risk.tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    assert np.isnan(kaplan_meier(time, np.zeros(8)).median)


@given(labels(), st.data())
def test_log_rank_equals_scikit_survival(y: Labels, data: st.DataObject) -> None:
    oracle = pytest.importorskip("sksurv.compare").compare_survival
    second = data.draw(hnp.arrays(bool, len(y)))
    found = log_rank(y[:, 0], y[:, 1], second)
    at_risk = [second[y[:, 0] >= time] for time in y[:, 0]]
    events = [((y[:, 0] == time) & (y[:, 1] == 1)).sum() for time in y[:, 0]]
    varies = any(len(set(of)) == 2 and 0 < d < len(of) for of, d in zip(at_risk, events, strict=True))
    if not varies:
        assert np.isnan(found).all()
        return
    chi2, p = oracle(structured(y), second)
    assert found.chi2 == pytest.approx(chi2, rel=1e-9, abs=1e-12)
    assert found.p == pytest.approx(p, rel=1e-9, abs=1e-12)


def simulated(seed: int, n: int, n_groups: int) -> tuple[Labels, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=n)
    time, end = rng.exponential(np.exp(-latent)), rng.exponential(2.0, n)
    y = np.column_stack([np.minimum(time, end).round(2) + 0.01, time <= end])
    return y, (latent + rng.normal(size=n)).round(1)[:, None], rng.integers(0, n_groups, n)


def expected_auc(train: Labels, y: Labels, risk: np.ndarray) -> list[float]:
    """AUC at each time, pair by pair; NaN without a case or a control."""
    curve = censoring_curve(*train.T)
    found = []
    for t in auc_times(train):
        cases = [
            (r, 1 / curve.at(np.array([time]))[0]) for (time, e), r in zip(y, risk, strict=True) if e and time <= t
        ]
        controls = [r for (time, _), r in zip(y, risk, strict=True) if time > t]
        wins = sum(w * ((r > other) + (r == other) / 2) for r, w in cases for other in controls)
        pairs = sum(w for _, w in cases) * len(controls)
        found.append(wins / pairs if pairs else np.nan)
    return found


def test_time_dependent_auc_equals_scikit_survival() -> None:
    oracle = pytest.importorskip("sksurv.metrics").cumulative_dynamic_auc
    for seed in range(8):
        train, _, _ = simulated(seed, 200, 10)
        y, risk, groups = simulated(100 + seed, 150, 20)
        y = y[y[:, 0] < train[:, 0].max()]
        risk, groups = risk[: len(y)], groups[: len(y)]
        each, _ = oracle(structured(train), structured(y), risk[:, 0], auc_times(train), tied_tol=0)
        found = score_all(y, risk, None, groups, kind="survival", train=train, n_boot=0)
        assert list(found) == ["c_index", "auc_dynamic"]
        assert found["auc_dynamic"].value == pytest.approx(each.mean(), abs=1e-12)


@settings(max_examples=60)
@given(labels(), labels(), st.data())
def test_time_dependent_auc_of_each_resample_equals_the_loop(train: Labels, y: Labels, data: st.DataObject) -> None:
    quarters = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
    risk = data.draw(hnp.arrays(np.float64, (len(y), 1), elements=quarters))
    groups = np.unique(data.draw(hnp.arrays(np.int64, len(y), elements=st.integers(0, 9))), return_inverse=True)[1]
    statistic = dynamic_auc(train)(y, risk, groups)
    times = auc_times(train)
    reached = censoring_curve(*train.T).at(times) > 0
    whole = expected_auc(train, y, risk[:, 0]) if len(times) and reached.all() else [np.nan]
    found = statistic(np.ones((groups.max() + 1, 1), np.int32))[0]
    if not reached.all():
        return  # the weights of a case may be infinite, which the next test looks at
    assert found == pytest.approx(np.mean(whole), abs=1e-12, nan_ok=True)
    (weights,) = group_weights(groups.max() + 1, 5, 0, chunk=5)
    for b, value in enumerate(statistic(weights)):
        drawn = np.repeat(np.arange(len(y)), weights[groups, b])
        left = [one for one in expected_auc(train, y[drawn], risk[drawn, 0]) if not np.isnan(one)]
        expected = np.mean(left) if left and not np.isnan(whole).any() else np.nan
        assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_time_dependent_auc_is_undefined_without_cases_or_controls_at_its_times() -> None:
    y, risk = np.array([[1.0, 1], [2, 1], [3, 0], [9, 0]]), np.array([[4.0], [3], [2], [1]])
    alone = np.arange(4)

    def value(train: list[list[float]], test: Labels = y) -> float:
        return float(dynamic_auc(np.array(train))(test, risk, alone)(np.ones((4, 1), np.int32))[0])

    assert value([[1, 1], [2, 1], [3, 1], [4, 0]]) == 1
    assert np.isnan(value([[1, 0], [2, 0]]))  # no training event, so no time
    assert np.isnan(value([[10, 1], [11, 1], [12, 0]]))  # no control is observed so long
    assert np.isnan(value([[0.5, 1], [0.6, 1], [3, 0]]))  # no case is so early
    assert np.isnan(value([[2, 1], [2, 0]]))  # all that are left are censored at the time of a case


def test_risks_that_are_turned_over_turn_the_auc_over() -> None:
    train, _, _ = simulated(1, 300, 10)
    y, risk, groups = simulated(2, 300, 40)
    forth, back = (score_all(y, r, None, groups, kind="survival", train=train)["auc_dynamic"] for r in (risk, -risk))
    assert forth.value + back.value == pytest.approx(1)
    assert forth.interval().ci_low < forth.value < forth.interval().ci_high
    assert forth.interval().ci_low + back.interval().ci_high == pytest.approx(1)


def test_risk_groups_of_the_median() -> None:
    y, risk, _ = simulated(3, 200, 10)
    found = risk_groups(y, risk[:, 0], np.arange(200))
    high = risk[:, 0] > np.median(risk)
    test = log_rank(y[:, 0], y[:, 1], high)
    assert (found["log_rank_chi2"], found["log_rank_p"]) == (test.chi2, test.p)
    assert found["log_rank_p"] < 1e-3
    assert found["cut"] == "the median risk of the test samples"
    assert found["high"]["samples"] == high.sum()
    assert found["low"]["events"] == y[~high, 1].sum()
    assert found["high"]["median_survival"] < found["low"]["median_survival"]


def test_risk_groups_say_nothing_of_dependent_samples_or_of_equal_risks() -> None:
    y, risk, groups = simulated(3, 60, 10)
    assert risk_groups(y, risk[:, 0], groups)["log_rank_p"] is None
    equal = risk_groups(y, np.zeros(60), np.arange(60))
    assert equal["log_rank_p"] is None
    assert equal["high"] == {"samples": 0, "events": 0, "median_survival": None}
