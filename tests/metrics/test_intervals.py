"""The studentised interval: its parts against textbooks and loops, and what it does where there is too little."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)

from bench.metrics import METRICS, resample, score, score_all
from bench.metrics.intervals import BLOCKS, Scale, blocks_of, degrees_of_freedom, influence_of, studentised

UNBOUNDED = Scale()
MEAN = [0.2, 0.9, 0.4, 0.7, 0.1, 0.6]


def test_of_a_mean_it_is_students_interval_with_satterthwaites_degrees_of_freedom() -> None:
    x = np.array(MEAN)
    left_out = np.array([np.delete(x, i).mean() for i in range(len(x))])
    influence = influence_of(left_out)
    assert math.sqrt((influence**2).sum()) == pytest.approx(stats.sem(x), abs=1e-15)
    found = studentised(x.mean(), x.mean(), influence, UNBOUNDED)
    df = degrees_of_freedom(influence)
    expected = stats.t.interval(0.95, df, x.mean(), stats.sem(x))
    assert (found.ci_low, found.ci_high) == pytest.approx(expected, abs=1e-12)
    # Welch's own case: two means whose spreads differ; its degrees of freedom are below n - 1 too.
    assert 1 <= df <= 5


def test_degrees_of_freedom_fall_where_few_groups_carry_the_variance() -> None:
    normal = np.random.default_rng(0).normal(size=100)
    few = np.append(normal[:3] * 30, normal[3:])
    assert degrees_of_freedom(few) < 10 < degrees_of_freedom(normal)
    assert degrees_of_freedom(np.array([1.0, -1.0, 1.0, -1.0])) == 3  # all alike: no more than n - 1


@pytest.mark.parametrize("scale", [Scale(), Scale(0, 1), Scale(-1, 1), Scale(low=0), Scale(high=1)])
@given(share=st.floats(0.001, 0.999))
def test_scales_go_there_and_back_and_slopes_are_derivatives(scale: Scale, share: float) -> None:
    low = scale.low if math.isfinite(scale.low) else scale.high - 5 if math.isfinite(scale.high) else -2
    high = scale.high if math.isfinite(scale.high) else low + 5
    value = low + share * (high - low)
    stretched, slope = scale.stretched(value)
    assert scale.original(stretched) == pytest.approx(value, rel=1e-9, abs=1e-12)
    step = 1e-6 * min(value - low, high - value)
    change = (scale.stretched(value + step)[0] - scale.stretched(value - step)[0]) / (2 * step)
    assert slope == pytest.approx(change, rel=1e-4)


def test_bounds_stay_on_the_scale_and_hold_the_value() -> None:
    influence = np.array([0.3, -0.1, -0.2])
    found = studentised(0.99, 0.9, influence, Scale(0, 1))
    assert 0 < found.ci_low < 0.9 < found.value <= found.ci_high < 1
    assert studentised(1.0, 0.6, 0.01 * influence, Scale(0, 1)).ci_high == 1.0


def test_near_a_bound_the_interval_reaches_as_far_beyond_the_value_as_beyond_the_centre() -> None:
    """An AUROC of .99 whose smoothed value is .95 may be .995: the smoothed value alone would exclude it."""
    influence = np.array([0.01, -0.02, 0.01, 0.015, -0.015])
    around_centre = studentised(0.95, 0.95, influence, Scale(0, 1))
    found = studentised(0.99, 0.95, influence, Scale(0, 1))
    assert found.ci_low == around_centre.ci_low
    shift = Scale(0, 1).stretched(0.99)[0] - Scale(0, 1).stretched(0.95)[0]
    expected = Scale(0, 1).original(Scale(0, 1).stretched(around_centre.ci_high)[0] + shift)
    assert found.ci_high == pytest.approx(expected)


@pytest.mark.parametrize(("n_classes", "n", "apart"), [(2, 60, 3.5), (7, 70, 4.5), (9, 180, 4.0)])
def test_intervals_of_good_models_hold_the_truth(n_classes: int, n: int, apart: float) -> None:
    """Near 1, where a smoothed value by itself lies below the truth; and with many classes."""
    rng = np.random.default_rng(1)

    def drawn(samples: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, samples - n_classes)])
        logits = rng.normal(size=(samples, n_classes))
        logits[np.arange(samples), y] += apart
        return y, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    y, scores = drawn(100_000)
    truth = {name: of.value for name, of in score(y, scores, np.arange(len(y)), n_boot=0).items()}
    assert min(truth.values()) > 0.95
    held = dict.fromkeys(truth, 0)
    for _ in range(100):
        y, scores = drawn(n)
        for name, of in score(y, scores, np.arange(n), n_boot=1).items():
            held[name] += of.ci_low <= truth[name] <= of.ci_high
    assert min(held.values()) >= 88, held


def of_sklearn(kind: str) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """Metrics of labels and scores with a weight a sample."""
    if kind == "regression":
        return {"mae": mean_absolute_error, "r2": r2_score}
    if kind == "multilabel":
        return {
            "auroc": roc_auc_score,
            "average_precision": average_precision_score,
            "f1_macro": lambda y, s, **w: f1_score(y, s > 0.5, average="macro", **w),
        }

    def of_class(metric: Callable[..., float], **how: object) -> Callable[..., float]:
        return lambda y, s, **weight: metric(y, s.argmax(1), **how, **weight)

    return {
        "accuracy": of_class(accuracy_score),
        "balanced_accuracy": of_class(balanced_accuracy_score),
        "f1_macro": of_class(f1_score, average="macro"),
        "auroc": lambda y, s, **weight: roc_auc_score(y, s[:, 1], **weight),
        "quadratic_kappa": of_class(cohen_kappa_score, weights="quadratic"),
    }


def added_to(kind: str, y: np.ndarray, scores: np.ndarray) -> list[tuple[object, np.ndarray]]:
    """What is right and what is wrong of each class or label, in turn, written out."""
    if kind == "classes" or kind == "ordinal":
        zero, one = np.array([1.0, 0.0]), np.array([0.0, 1.0])
        return [(0, zero), (0, one), (1, one), (1, zero)]
    high, low = scores.max(0).clip(1), scores.min(0).clip(None, 0)
    return [(np.ones(2, int), high), (np.ones(2, int), low), (np.zeros(2, int), low), (np.zeros(2, int), high)]


@pytest.mark.parametrize("kind", ["classes", "ordinal", "regression", "multilabel"])
def test_influences_equal_a_loop_that_leaves_out_each_group(kind: str) -> None:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(9), rng.integers(1, 6, 9))
    n = len(group)
    y: np.ndarray
    if kind == "regression":
        y = rng.normal(size=(n, 1))
        scores = y + rng.normal(size=(n, 1))
    elif kind == "multilabel":
        y = rng.integers(0, 2, (n, 2))
        scores = rng.random((n, 2))
    else:
        y = rng.integers(0, 2, n)
        scores = rng.dirichlet([1, 1], n)
    found = resample(y, {"": scores}, group, kind=kind, n_boot=1)[""]
    added = [] if kind == "regression" else added_to(kind, y, scores)
    all_y = np.concatenate([y, np.array([label for label, _ in added], y.dtype).reshape(-1, *y.shape[1:])])
    all_scores = np.concatenate([scores, np.array([s for _, s in added]).reshape(-1, scores.shape[1])])
    all_groups = np.append(group, 9 + np.arange(len(added)) % 2)  # all right ones together, and all wrong ones
    weight = np.append(np.ones(n), np.full(len(added), 0.125 if kind == "multilabel" else 0.25))
    for name, metric in of_sklearn(kind).items():
        if name not in METRICS[kind]:
            continue
        left_out = np.array(
            [metric(all_y, all_scores, sample_weight=weight * (all_groups != g)) for g in range(all_groups.max() + 1)]
        )
        parts = len(left_out)
        expected = np.sqrt((parts - 1) / parts) * (left_out - left_out.mean())
        np.testing.assert_allclose(found[name].influence, expected, atol=1e-12, err_msg=name)
        assert found[name].centre == pytest.approx(metric(all_y, all_scores, sample_weight=weight), abs=1e-12)
        plain = metric(y, scores)
        assert found[name].value == pytest.approx(plain, abs=1e-12)


def test_all_right_has_an_interval_that_is_not_a_point() -> None:
    y = np.arange(20) % 2
    for name, interval in score(y, np.eye(2)[y], np.arange(20)).items():
        assert interval.value == interval.ci_high == 1, name
        assert 0.6 < interval.ci_low < 0.99, name


def test_a_c_index_without_spread_has_no_interval() -> None:
    y = np.stack([np.arange(1.0, 9), np.ones(8)], axis=1)
    interval = score(y, -y[:, :1], np.arange(8), kind="survival")["c_index"]
    assert interval.value == 1
    assert np.isnan([interval.ci_low, interval.ci_high]).all()


def test_calibration_errors_have_no_interval_as_it_would_not_cover_a_calibrated_model() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(200)
    y = (rng.random(200) < p).astype(int)
    found = score_all(y, np.stack([1 - p, p], 1), None, np.arange(200))
    for name in ("ece", "ece_mass"):
        assert found[name].draws.mean() > found[name].value > 0  # resamples lie above a value that itself is above 0
        assert np.isnan([found[name].interval().ci_low, found[name].interval().ci_high]).all()
    assert found["brier"].interval().ci_low < found["brier"].value < found["brier"].interval().ci_high


def test_many_groups_are_left_out_in_blocks_of_nearly_equal_size() -> None:
    blocks = blocks_of(1030, seed=3)
    assert set(np.bincount(blocks, minlength=BLOCKS)) == {10, 11}
    assert np.array_equal(blocks, blocks_of(1030, seed=3))
    assert np.array_equal(blocks_of(BLOCKS, seed=0), np.arange(BLOCKS))
    rng = np.random.default_rng(1)
    hit = rng.random(4000) < 0.8
    y = rng.integers(0, 2, 4000)
    found = score(y, np.eye(2)[np.where(hit, y, 1 - y)], np.arange(4000), metrics=["accuracy"])["accuracy"]
    error = math.sqrt(hit.mean() * (1 - hit.mean()) / 4000)
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.98 * error, rel=0.2)
