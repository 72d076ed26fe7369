"""What each kind of target leaves undefined, what it refuses, and where plain sums would lose their digits."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import r2_score

from bench.metrics import LOWER_IS_BETTER, METRICS, PRIMARY, names, resample, score, score_all
from bench.metrics.bootstrap import group_weights


def values(kind: str, y: object, scores: object) -> dict[str, float]:
    found = score(np.array(y), np.array(scores), np.arange(len(np.array(y))), kind=kind, n_boot=0)
    return {metric: interval.value for metric, interval in found.items()}


def test_names_that_rows_have_had_stay() -> None:
    of_classes = ["accuracy", "balanced_accuracy", "f1_macro", "auroc"]
    written = {
        "classes": of_classes,
        "ordinal": ["quadratic_kappa", *of_classes],
        "regression": ["pearson", "r2", "mae"],
        "survival": ["c_index"],
        "multilabel": ["auroc", "average_precision", "f1_macro"],
    }
    for kind, metrics in written.items():
        assert [name for name in METRICS[kind] if name in metrics] == metrics
        assert {name for name in metrics if name in LOWER_IS_BETTER} <= {"mae"}
    assert "mae" in LOWER_IS_BETTER
    assert PRIMARY.keys() == METRICS.keys()
    assert all(name in METRICS[kind] for kind, name in PRIMARY.items())


def test_only_classes_and_grades_are_calibrated() -> None:
    y, scores, groups = np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]), np.arange(3)
    for kind in ("classes", "ordinal"):
        plain = score_all(y, scores, None, groups, kind=kind, n_boot=5)
        before, further = [*METRICS[kind], "ece", "ece_mass", "brier", "nll"], ["average_precision", "mcc"]
        assert list(plain) == [*before, *further]
        scaled = score_all(y, scores, scores, groups, kind=kind, n_boot=5)
        of_scaled = ["ece_scaled", "ece_mass_scaled", "brier_scaled", "nll_scaled"]
        assert list(scaled) == [*before, *of_scaled, *further] == names(kind)
        assert scaled["nll_scaled"].interval() == plain["nll"].interval()
    several = np.array([[0, 1], [1, 0], [1, 1]])
    assert list(score_all(several, scores, None, groups, kind="multilabel", n_boot=5)) == names("multilabel")
    assert names("multilabel") == list(METRICS["multilabel"])
    with pytest.raises(ValueError, match="kind 'multilabel' have no metric 'ece_scaled'; they have auroc"):
        score_all(several, scores, scores, groups, kind="multilabel", n_boot=5)


def test_refuses_an_unknown_kind_and_a_metric_of_another() -> None:
    with pytest.raises(ValueError, match="no kind of target 'grades'; there are classes, ordinal"):
        score(np.array([0, 1]), np.eye(2), np.arange(2), kind="grades")
    with pytest.raises(ValueError, match="no kind of target 'grades'"):
        names("grades")
    with pytest.raises(ValueError, match="kind 'classes' have no metric 'c_index'"):
        score(np.array([0, 1]), np.eye(2), np.arange(2), metrics=["c_index"])


def test_kappa_by_hand_and_without_spread() -> None:
    y, predicted = [0, 1, 2], [0, 2, 0]
    expected = 1 - (1 + 4) / (sum((i - j) ** 2 for i in y for j in predicted) / 3)
    assert values("ordinal", y, np.eye(3)[predicted])["quadratic_kappa"] == pytest.approx(expected)
    assert values("ordinal", [1, 1], np.eye(3)[[0, 0]])["quadratic_kappa"] == 0
    assert np.isnan(values("ordinal", [1, 1], np.eye(3)[[1, 1]])["quadratic_kappa"])


def test_a_distant_grade_costs_more_than_a_neighbour() -> None:
    y = [0, 1, 2, 3]
    near, far = (values("ordinal", y, np.eye(4)[p])["quadratic_kappa"] for p in ([1, 1, 2, 3], [3, 1, 2, 3]))
    assert 1 > near > far


@pytest.mark.parametrize("constant", ["y", "scores"])
def test_a_constant_column_leaves_the_correlation_undefined(constant: str) -> None:
    rng = np.random.default_rng(0)
    arrays = {"y": rng.normal(size=(30, 2)), "scores": rng.normal(size=(30, 2))}
    arrays[constant][:, 1] = 0.1
    found = score(arrays["y"], arrays["scores"], np.arange(30), kind="regression", n_boot=20)
    assert np.isnan([found["pearson"].value, found["pearson"].ci_low]).all()
    assert np.isnan(found["r2"].value) == (constant == "y")
    assert np.isfinite(found["mae"].value)


def test_predicting_the_mean_explains_nothing() -> None:
    y = np.random.default_rng(0).normal(5, 2, (50, 3))
    found = values("regression", y, np.tile(y.mean(axis=0), (50, 1)))
    assert found["r2"] == pytest.approx(0, abs=1e-12)
    assert found["mae"] == pytest.approx(np.abs(y - y.mean(axis=0)).mean())


def test_a_large_offset_costs_no_digits() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(-64, 64, (60, 2)) / 64
    scores = y + rng.integers(-64, 64, y.shape) / 64
    groups = np.arange(60) // 3
    near, far = (
        resample(y + offset, {"": scores + offset}, groups, kind="regression", n_boot=50)[""] for offset in (0, 2.0**40)
    )
    for metric in METRICS["regression"]:
        assert far[metric].value == pytest.approx(near[metric].value, abs=1e-9)
        np.testing.assert_allclose(far[metric].draws, near[metric].draws, rtol=0, atol=1e-9)


@pytest.mark.parametrize("outliers", ["y", "scores", "both"])
def test_resamples_without_the_outlier_keep_their_digits(outliers: str) -> None:
    """Centred on all samples, the others lie 1e8 of their own spreads away from the mean."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(40, 1))
    scores = y + rng.normal(size=(40, 1))
    for name, array in (("y", y), ("scores", scores)):
        if outliers in (name, "both"):
            array[0] = 4e9
    ours = resample(y, {"": scores}, np.arange(40), kind="regression", n_boot=30, seed=2)[""]
    (weights,) = group_weights(40, 30, 2, chunk=30)
    without = np.flatnonzero(weights[0] == 0)
    assert len(without) > 5
    for b in without:
        drawn = np.repeat(np.arange(40), weights[:, b])
        assert ours["pearson"].draws[b] == pytest.approx(pearsonr(y[drawn, 0], scores[drawn, 0])[0], abs=1e-9)
        assert ours["r2"].draws[b] == pytest.approx(r2_score(y[drawn], scores[drawn]), abs=1e-9)


def test_a_target_constant_in_a_resample_is_left_out_of_its_mean() -> None:
    """Of the second target only sample 0 differs; resamples without it are those of the first target alone."""
    rng = np.random.default_rng(1)
    y, scores = rng.normal(size=(2, 12, 2))
    y[:, 1] = 0.1
    y[0, 1] = 0.7
    both = resample(y, {"": scores}, np.arange(12), kind="regression", n_boot=60)[""]
    first = resample(y[:, :1], {"": scores[:, :1]}, np.arange(12), kind="regression", n_boot=60)[""]
    (weights,) = group_weights(12, 60, 0, chunk=60)
    without = weights[0] == 0
    assert 0 < without.sum() < 60
    for metric in ("pearson", "r2"):
        np.testing.assert_allclose(both[metric].draws[without], first[metric].draws[without], rtol=0, atol=1e-9)
        assert (np.abs(both[metric].draws - first[metric].draws)[~without] > 1e-6).all()


def test_a_resample_of_equal_values_is_undefined_whichever_value_it_is() -> None:
    y = np.repeat([0.1, 0.7], [13, 11])[:, None]
    scores = np.random.default_rng(0).normal(size=(24, 1))
    groups = np.repeat([0, 1], [13, 11])
    (weights,) = group_weights(2, 20, 0, chunk=20)
    one_value = (weights == 2).any(axis=0)
    assert {0, 1} == set(weights[:, one_value].argmax(axis=0))
    for true, predicted in ((y, scores), (scores, y)):
        draws = resample(true, {"": predicted}, groups, kind="regression", n_boot=20)[""]["pearson"].draws
        assert np.array_equal(np.isnan(draws), one_value)
    draws = resample(y, {"": scores}, groups, kind="regression", n_boot=20)[""]["r2"].draws
    assert np.array_equal(np.isnan(draws), one_value)


def test_single_precision_and_whole_numbers_are_summed_in_double() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 200, (500, 2)).astype(np.uint8)
    scores = (y + rng.normal(0, 9, y.shape)).astype(np.float32)
    exact = values("regression", y.astype(np.float64), scores.astype(np.float64))
    assert values("regression", y, scores) == pytest.approx(exact, abs=1e-12)


def test_c_index_by_hand() -> None:
    """Comparable: 0 with the four others, either event at 2 with the censored 1 and with 4; not the two events at 2."""
    label = [[1, 1], [2, 0], [2, 1], [2, 1], [5, 0]]
    risk = [[3.0], [2.5], [4.0], [3.0], [1.0]]
    of_0, of_2, of_3 = 1 + 0 + 0.5 + 1, 1 + 1, 1 + 1
    assert values("survival", label, risk)["c_index"] == pytest.approx((of_0 + of_2 + of_3) / 8)


@pytest.mark.parametrize("label", [[[1, 0], [2, 0]], [[1, 1], [1, 1]], [[1, 1]], [[2, 1], [1, 0]]])
def test_without_a_comparable_pair_c_is_undefined(label: list) -> None:
    assert np.isnan(values("survival", label, np.arange(float(len(label)))[:, None])["c_index"])


def test_c_turns_over_with_the_risks() -> None:
    rng = np.random.default_rng(0)
    label = np.column_stack([rng.integers(1, 20, 80), rng.integers(0, 2, 80)]).astype(float)
    risk = rng.integers(0, 9, (80, 1)).astype(float)
    forth, back = (resample(label, {"": r}, np.arange(80) // 2, kind="survival")[""]["c_index"] for r in (risk, -risk))
    assert forth.value + back.value == pytest.approx(1)
    np.testing.assert_allclose(forth.draws + back.draws, 1, atol=1e-12)


def test_c_index_of_many_patients_holds_no_matrix_of_pairs() -> None:
    rng = np.random.default_rng(0)
    n = 8000
    label = np.column_stack([rng.exponential(size=n), rng.random(n) < 0.5])
    risk, groups = rng.normal(size=(n, 1)), np.arange(n)
    tracemalloc.start()
    try:
        score(label, risk, groups, kind="survival", n_boot=64)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < n * n / 2  # bytes: half a byte a pair


def test_a_label_that_no_sample_carries_leaves_all_undefined() -> None:
    found = score(np.array([[0, 1], [0, 0], [0, 1]]), np.full((3, 2), 0.6), np.arange(3), kind="multilabel", n_boot=5)
    assert np.isnan([i for interval in found.values() for i in (interval.value, interval.ci_low)]).all()


def test_a_label_that_all_samples_carry_has_no_order_but_a_precision() -> None:
    found = values("multilabel", [[1], [1]], [[0.9], [0.2]])
    assert np.isnan(found["auroc"])
    assert (found["average_precision"], found["f1_macro"]) == (1, pytest.approx(2 / 3))


def test_resamples_that_lack_a_label_are_the_mean_of_the_others() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random((20, 2)) < 0.5).astype(np.int64)
    y[:, 1] = np.arange(20) == 3
    scores = rng.random((20, 2))
    both = resample(y, {"": scores}, np.arange(20), kind="multilabel", n_boot=60)[""]
    first = resample(y[:, :1], {"": scores[:, :1]}, np.arange(20), kind="multilabel", n_boot=60)[""]
    (weights,) = group_weights(20, 60, 0, chunk=60)
    without = weights[3] == 0
    assert 0 < without.sum() < 60
    for metric in METRICS["multilabel"]:
        np.testing.assert_allclose(both[metric].draws[without], first[metric].draws[without], rtol=0, atol=1e-12)


def test_a_score_of_one_half_does_not_predict_the_label() -> None:
    assert values("multilabel", [[1], [1], [0]], [[0.5], [0.51], [0.5]])["f1_macro"] == pytest.approx(2 / 3)


NAN = float("nan")


@pytest.mark.parametrize(
    ("kind", "y", "scores", "words"),
    [
        ("ordinal", [0, 2], np.eye(2), "Labels must be integers from 0 to 1"),
        ("ordinal", [0, 1], np.ones((2, 1)), "two or more"),
        ("regression", [1.0, 2.0], np.ones((2, 1)), r"true targets have shape \(2,\), but the scores have shape"),
        ("regression", np.ones((2, 2)), np.ones((2, 1)), "true targets have shape"),
        ("regression", np.ones((2, 1)), np.ones(2), "a column a target, one or more"),
        ("regression", np.ones((2, 0)), np.ones((2, 0)), "a column a target, one or more"),
        ("regression", [[1.0], [NAN]], np.ones((2, 1)), "1 of 2 samples have a target value that is not a finite"),
        ("regression", np.ones((2, 1)), [[1.0], [np.inf]], "1 of 2 samples have a score that is not a finite number"),
        ("survival", [1.0, 2.0], np.ones((2, 1)), "pairs of time and event"),
        ("survival", np.ones((2, 3)), np.ones((2, 1)), "pairs of time and event"),
        ("survival", np.ones((2, 2)), np.ones((2, 2)), r"one column, here \(2, 1\), not shape \(2, 2\)"),
        ("survival", np.ones((2, 2)), np.ones(2), "one column"),
        ("survival", [[0.0, 1.0], [1.0, 1.0]], np.ones((2, 1)), "1 of 2 samples have a time that is not above 0"),
        ("survival", [[1.0, 2.0], [-1.0, 1.0]], np.ones((2, 1)), "2 of 2 samples have a time"),
        ("survival", [[NAN, 1.0], [1.0, NAN]], np.ones((2, 1)), "2 of 2 samples have a time"),
        ("survival", np.ones((2, 2)), [[NAN], [1.0]], "1 of 2 samples have a risk that is not a finite number"),
        ("multilabel", [0, 1], np.ones((2, 1)), "true labels have shape"),
        ("multilabel", [[0], [2]], np.ones((2, 1)), "must be 0 or 1"),
        ("multilabel", [[0.5], [1]], np.ones((2, 1)), "must be 0 or 1"),
        ("multilabel", [[0], [1]], [[0.2], [NAN]], "1 of 2 samples have a score"),
    ],
)
def test_every_metric_of_a_kind_refuses_what_it_cannot_score(kind: str, y: object, scores: object, words: str) -> None:
    for metric in METRICS[kind]:
        with pytest.raises(ValueError, match=words):
            score(np.array(y), np.array(scores), np.arange(2), kind=kind, metrics=[metric])
