"""Scores that stand only in rows and CSV tables: classes against scikit-learn, and those that need other samples."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, log_loss, matthews_corrcoef, recall_score

from bench.metrics import METRIC_SETS, resample, score, score_all
from bench.metrics.bootstrap import group_weights

Case = tuple[np.ndarray, np.ndarray, np.ndarray]
REPORTED = ["average_precision", "mcc"]
AT = ["sensitivity_at_95_specificity", "specificity_at_95_sensitivity"]


def plain_scores(y: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """By scikit-learn, its absent classes left out of the mean; NaN where there is one class only."""
    n_classes = scores.shape[1]
    columns = [1] if n_classes == 2 else range(n_classes)
    areas = [average_precision_score(y == c, scores[:, c]) for c in columns if (y == c).any()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        correlation = matthews_corrcoef(y, scores.argmax(axis=1)) if len(set(y)) > 1 else np.nan
    return {"average_precision": float(np.mean(areas)) if areas else np.nan, "mcc": correlation}


@st.composite
def cases(draw: st.DrawFn, most_classes: int = 4) -> Case:
    """Few samples with many ties, so that absent classes come up."""
    n_classes, n = draw(st.integers(2, most_classes)), draw(st.integers(2, 25))
    y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, n_classes - 1)))
    scores = draw(hnp.arrays(np.float64, (n, n_classes), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
    return y, scores, draw(hnp.arrays(np.int64, n, elements=st.integers(0, draw(st.integers(1, n)))))


@settings(max_examples=60)
@given(cases(), st.integers(0, 2**32))
def test_all_samples_and_each_resample_equal_scikit_learn(case: Case, seed: int) -> None:
    y, scores, groups = case
    ours = resample(y, {"": scores}, groups, metrics=REPORTED, n_boot=6, seed=seed)[""]
    lacks_a_class = len(set(y)) < scores.shape[1]
    whole = plain_scores(y, scores) | ({"average_precision": np.nan} if lacks_a_class else {})
    for metric, value in whole.items():
        assert ours[metric].value == pytest.approx(value, abs=1e-12, nan_ok=True), metric
    names, group = np.unique(groups, return_inverse=True)
    (weights,) = group_weights(len(names), 6, seed, chunk=6)
    for b in range(6 if len(names) > 1 else 0):
        drawn = np.repeat(np.arange(len(y)), weights[group, b])
        expected = plain_scores(y[drawn], scores[drawn]) | ({"average_precision": np.nan} if lacks_a_class else {})
        for metric, value in expected.items():
            assert ours[metric].draws[b] == pytest.approx(value, abs=1e-12, nan_ok=True), metric


@pytest.mark.parametrize("n_classes", [2, 9])
def test_many_distinct_scores_equal_scikit_learn(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, 3000)
    scores = rng.dirichlet(np.ones(n_classes), len(y))
    scores[np.arange(len(y)), y] += 0.3
    ours = score(y, scores, np.arange(len(y)), metrics=REPORTED, n_boot=0)
    assert {m: i.value for m, i in ours.items()} == pytest.approx(plain_scores(y, scores), abs=1e-12)


def test_order_of_samples_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    y, scores, groups = rng.integers(0, 3, 200), rng.dirichlet(np.ones(3), 200), rng.integers(0, 30, 200)
    shuffled = rng.permutation(200)
    expected = score(y, scores, groups, metrics=REPORTED, n_boot=100)
    assert score(y[shuffled], scores[shuffled], groups[shuffled], metrics=REPORTED, n_boot=100) == expected


def test_correlation_of_one_predicted_class_is_zero_and_of_one_true_class_undefined() -> None:
    y, one = np.array([0, 1, 2, 2]), np.eye(3)[[1, 1, 1, 1]]
    assert score(y, one, np.arange(4), metrics=["mcc"], n_boot=0)["mcc"].value == 0
    alone = score(np.full(4, 2), np.eye(3)[[0, 1, 2, 2]], np.arange(4), metrics=["mcc"], n_boot=20)["mcc"]
    assert np.isnan([alone.value, alone.ci_low, alone.ci_high]).all()


def test_the_log_loss_of_scikit_learn_is_nll() -> None:
    rng = np.random.default_rng(2)
    y, scores = rng.integers(0, 4, 100), rng.dirichlet(np.ones(4), 100)
    found = score(y, scores, np.arange(100), metrics=["nll"], n_boot=0)["nll"].value
    assert found == pytest.approx(log_loss(y, scores, labels=range(4)))


@settings(max_examples=60)
@given(cases(most_classes=2), st.sampled_from([0.0, 0.25, 0.3, 1.0, 1.5]), st.integers(0, 2**32))
def test_sensitivity_and_specificity_are_the_recalls_at_the_threshold(case: Case, threshold: float, seed: int) -> None:
    y, scores, groups = case
    of = METRIC_SETS["classes"].fitted(None, dict.fromkeys(AT, threshold))
    ours = resample(y, {"": scores}, groups, kind=of, metrics=AT, n_boot=4, seed=seed)[""]
    names, group = np.unique(groups, return_inverse=True)
    (weights,) = group_weights(len(names), 4, seed, chunk=4)
    for b in range(-1, 4 if len(names) > 1 else 0):
        drawn = np.repeat(np.arange(len(y)), weights[group, b]) if b >= 0 else np.arange(len(y))
        called = (scores[drawn, 1] >= threshold).astype(int)
        for metric, label in zip(AT, (1, 0), strict=True):
            there = (y[drawn] == label).any()
            expected = recall_score(y[drawn], called, pos_label=label) if there else np.nan
            found = ours[metric].draws[b] if b >= 0 else ours[metric].value
            assert found == pytest.approx(expected, abs=1e-12, nan_ok=True), metric


def test_metrics_at_a_threshold_stand_last_and_only_where_there_is_one() -> None:
    y, scores, groups = np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]), np.arange(3)
    plain = score_all(y, scores, scores, groups, n_boot=5)
    found = score_all(y, scores, scores, groups, thresholds={AT[0]: 0.5, AT[1]: None}, n_boot=5)
    assert list(found) == [*plain, *AT]
    assert {name: found[name].interval() for name in plain} == {name: of.interval() for name, of in plain.items()}
    assert found[AT[0]].value == 0.5
    assert np.isnan([found[AT[1]].value, found[AT[1]].interval().ci_low]).all()
    with_three = score_all(np.array([0, 1, 2]), np.eye(3), None, groups, thresholds={AT[0]: 0.5}, n_boot=5)
    assert np.isnan(with_three[AT[0]].value)


@pytest.mark.parametrize("kind", METRIC_SETS)
def test_no_reported_metric_is_one_that_models_are_compared_by(kind: str) -> None:
    of = METRIC_SETS[kind]
    further = [*of.reported, *of.of_training, *of.of_threshold]
    assert len(set(further)) == len(further)
    assert not set(further) & set(of.metrics)
    assert not any(of.lower_is_better(name) for name in further)
