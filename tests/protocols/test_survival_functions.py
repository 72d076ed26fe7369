"""Survival functions of the Cox head and their integrated Brier score, against scikit-survival."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.metrics import METRIC_SETS, brier_times, integrated_brier
from bench.protocols import Samples, configured
from bench.protocols.breslow import breslow_survival


def structured(y: np.ndarray) -> np.ndarray:
    return np.array([(event == 1, time) for time, event in y], dtype=[("event", bool), ("time", float)])


def patients(n: int, seed: int, strength: float = 1.0) -> Samples:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 6))
    time, end = rng.exponential(np.exp(-strength * features[:, 0])), rng.exponential(2.0, n)
    labels = np.column_stack([np.minimum(time, end).round(2) + 0.01, time <= end])
    names = np.array([f"{seed}-{i}" for i in range(n)])
    return Samples(names, names, features, labels, ("risk",), "survival")


@settings(max_examples=25)
@given(st.data())
def test_survival_is_that_of_breslows_estimator(data: st.DataObject) -> None:
    coxph = pytest.importorskip("sksurv.linear_model.coxph")
    n = data.draw(st.integers(2, 25))
    time = data.draw(hnp.arrays(np.int64, n, elements=st.integers(1, 8))).astype(float)
    event = data.draw(hnp.arrays(bool, n))
    event[0] = True
    risk = data.draw(hnp.arrays(np.float64, n, elements=st.floats(-5, 5)))
    queries, times = np.array([-2.0, 0.0, 3.0]), np.array([0.5, 1, 2.5, 4, 8])
    oracle = coxph.BreslowEstimator().fit(risk, event, time)
    inside = times[(times >= time.min()) & (times <= time.max())]
    expected = [[function(t) for t in inside] for function in oracle.get_survival_function(queries)]
    found = breslow_survival(np.column_stack([time, event]), risk, queries, inside)
    np.testing.assert_allclose(found, np.array(expected).reshape(found.shape), atol=1e-12)
    assert (breslow_survival(np.column_stack([time, event]), risk, queries, np.array([0.5])) == 1).all()


def test_risks_that_overflow_survive_surely_or_not_at_all() -> None:
    fitted = np.array([[1.0, 1], [2, 1], [3, 0]])
    found = breslow_survival(fitted, np.array([900.0, 0, -900]), np.array([-2000.0, 2000]), np.array([1.0, 2.5]))
    assert np.array_equal(found, [[1, 1], [0, 0]])


def test_integrated_brier_equals_scikit_survival() -> None:
    sksurv = pytest.importorskip("sksurv.metrics")
    for seed in range(6):
        train, test = patients(200, seed).labels, patients(120, 50 + seed).labels
        test = test[test[:, 0] < train[:, 0].max()]
        times = brier_times(train)
        survival = np.sort(np.random.default_rng(seed).random((len(test), len(times))))[:, ::-1]
        found = integrated_brier(train, test, survival)
        expected = sksurv.integrated_brier_score(structured(train), structured(test), survival, times)
        assert found.mean() == pytest.approx(expected, abs=1e-12)
        assert (found >= 0).all()


def test_the_integrated_brier_score_is_undefined_outside_the_observed_times() -> None:
    train, test = patients(100, 0).labels, patients(50, 1).labels
    survival = np.full((50, 100), 0.5)
    assert np.isfinite(integrated_brier(train, test, survival)).all()
    early = np.column_stack([np.minimum(test[:, 0], brier_times(train)[-1]), test[:, 1]])
    assert np.isnan(integrated_brier(train, early, survival)).all()
    assert np.isnan(integrated_brier(train, test, np.full_like(survival, np.nan))).all()
    one_time = np.array([[2.0, 1], [2, 1], [5, 0]])
    assert len(brier_times(one_time)) == len(brier_times(np.array([[1.0, 0]]))) == 0
    assert np.isnan(integrated_brier(one_time, test, survival[:, :0])).all()
    all_left_censored = np.array([[1.0, 1], [9, 1], [9, 1], [9, 1], [9, 0]])
    late = test * [20, 1]
    assert late[:, 0].max() > brier_times(all_left_censored)[-1] == 9
    assert np.isnan(integrated_brier(all_left_censored, late, survival)).all()


def test_the_cox_head_gives_it_and_knowing_more_lowers_it() -> None:
    pytest.importorskip("sksurv")
    strong, weak = (
        configured({"kind": "cox"}).fit_predict(patients(200, 1, s), None, patients(150, 2, s), 0).metrics
        for s in (2.0, 0.0)
    )
    assert strong["integrated_brier"]["value"] < weak["integrated_brier"]["value"] - 0.03
    for found in (strong, weak):
        one = found["integrated_brier"]
        assert one["ci_low"] < one["value"] < one["ci_high"]
    assert METRIC_SETS["survival"].lower_is_better("integrated_brier")
    assert not METRIC_SETS["survival"].lower_is_better("auc_dynamic")
