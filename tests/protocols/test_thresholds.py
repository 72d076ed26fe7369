"""Thresholds of two classes: by plain search, and where heads find them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from protocol_helpers import cohort, logistic_oracle

from bench.metrics import METRIC_SETS
from bench.protocols import Samples, configured
from bench.protocols.thresholds import operating_thresholds, threshold_at_sensitivity, threshold_at_specificity

QUARTERS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
NAMES = ["sensitivity_at_95_specificity", "specificity_at_95_sensitivity"]


@given(st.integers(2, 60), st.sampled_from([0.5, 0.8, 0.9, 0.95, 1.0]), st.data())
def test_thresholds_are_those_of_a_plain_search(n: int, target: float, data: st.DataObject) -> None:
    score = data.draw(hnp.arrays(np.float64, n, elements=QUARTERS | st.floats(0, 1)))
    y = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, 1)))
    at_specificity = threshold_at_specificity(score, y, target)
    at_sensitivity = threshold_at_sensitivity(score, y, target)
    if len(set(y)) < 2:
        assert at_specificity is None
        assert at_sensitivity is None
        return
    candidates = [*sorted(set(score)), np.nextafter(score.max(), np.inf)]
    specificities = {t: np.mean(score[y == 0] < t) for t in candidates}
    sensitivities = {t: np.mean(score[y == 1] >= t) for t in candidates}
    assert at_specificity == min(t for t in candidates if specificities[t] >= target - 1e-12)
    assert at_sensitivity == max(t for t in candidates if sensitivities[t] >= target - 1e-12)


def test_of_twenty_negatives_one_may_be_called_positive() -> None:
    score, y = np.arange(40) / 40, np.repeat([0, 1], 20)
    assert threshold_at_specificity(score, y, 0.95) == 19 / 40
    assert threshold_at_sensitivity(score, y, 0.95) == 21 / 40


def test_negatives_that_all_have_the_highest_score_are_called_negative() -> None:
    threshold = threshold_at_specificity(np.ones(6), np.array([0, 1] * 3), 0.95)
    assert threshold is not None
    assert threshold > 1
    assert threshold_at_sensitivity(np.ones(6), np.array([0, 1] * 3), 0.95) == 1


def test_more_classes_have_none() -> None:
    assert operating_thresholds(np.eye(3), np.arange(3)) == {}
    assert list(operating_thresholds(np.eye(2), np.arange(2))["thresholds"]) == NAMES
    assert NAMES == list(METRIC_SETS["classes"].of_threshold) == list(METRIC_SETS["ordinal"].of_threshold)


def two_classes(n: int, seed: int) -> Samples:
    return cohort(n, classes=2, separation=0.4, seed=seed)


def test_the_linear_probe_finds_them_on_validation_and_not_on_the_test_set() -> None:
    train, val, test = two_classes(150, 0), two_classes(80, 1), two_classes(60, 2)
    head = configured({"kind": "linear", "c_min": 0.01, "c_max": 0.01, "n_strengths": 1})
    found = head.fit_predict(train, val, test, 0).info["thresholds"]
    fitted = logistic_oracle(train.features, train.labels, 0.01)
    expected = operating_thresholds(fitted.predict_proba(val.features.astype(np.float64)), val.labels)["thresholds"]
    assert found == pytest.approx(expected, abs=1e-4)
    turned = replace(test, labels=1 - test.labels, features=test.features[::-1])
    assert head.fit_predict(train, val, turned, 0).info["thresholds"] == found


def test_without_validation_they_are_of_inner_folds() -> None:
    head = configured({"kind": "linear"})
    train, test = two_classes(150, 0), two_classes(60, 2)
    found = head.fit_predict(train, None, test, 0).info["thresholds"]
    assert list(found) == NAMES
    assert found[NAMES[0]] > found[NAMES[1]]
    three = head.fit_predict(cohort(90), None, cohort(60, seed=1), 0)
    assert "thresholds" not in three.info


@pytest.mark.parametrize("kind", ["linear", "linear_uni", "linear_sgd", "knn", "prototype"])
def test_every_head_with_a_temperature_has_thresholds_of_the_same_samples(kind: str) -> None:
    train, val, test = (two_classes(n, seed) for n, seed in ((80, 0), (40, 1), (30, 2)))
    settings = {"steps": 30} if kind == "linear_sgd" else {}
    info = configured({"kind": kind, **settings}).fit_predict(train, val, test, 0).info
    assert info["temperature_samples"] == len(val)
    assert list(info["thresholds"]) == NAMES
    assert all(0 <= threshold <= 1 + 1e-9 for threshold in info["thresholds"].values())
