"""The linear probe against scikit-learn, and what a head must never do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from protocol_helpers import cohort, logistic_oracle
from sklearn.metrics import balanced_accuracy_score, log_loss

from bench import protocols
from bench.protocols import Samples, linear
from bench.protocols.logistic import Design, solve
from bench.protocols.selection import inner_cv
from benchmarks.linear import objective
from benchmarks.selection import synthetic
from registry.errors import UserError


@pytest.mark.parametrize(("n", "classes", "dim"), [(300, 3, 24), (300, 2, 24), (40, 4, 90), (600, 5, 12)])
def test_objective_reaches_sklearn_at_every_strength(n: int, classes: int, dim: int) -> None:
    data = cohort(n, classes=classes, dim=dim)
    strengths = np.logspace(-6, 5, 7)
    solution = solve(Design.of(data.features), data.labels, classes, strengths)
    for i, c in enumerate(strengths):
        own = objective(solution.weights[i].numpy(), solution.bias[i].numpy(), c, data.features, data.labels)
        fitted = logistic_oracle(data.features, data.labels, c)
        best = objective(fitted.coef_, fitted.intercept_, c, data.features, data.labels)
        assert own <= best * (1 + 1e-6)
        assert solution.objective[i] == pytest.approx(own, rel=1e-6)
    assert solution.gradient_norm.max() <= 1e-6


def test_reported_gradient_is_the_gradient_of_the_definition() -> None:
    data = cohort(200)
    c = 3.0
    solution = solve(Design.of(data.features), data.labels, 3, np.array([c]), tol=1e-3)
    w = solution.weights[0].numpy()
    p = np.concatenate([s[0] for _, s in solution.probabilities(data.features)])
    residual = (p - np.eye(3)[data.labels]) / len(data)
    centred = residual.T @ (data.features - data.features.mean(0, dtype=np.float64)) + w / (c * len(data))
    norm = np.sqrt((centred**2).sum() + (residual.sum(0) ** 2).sum())
    assert solution.gradient_norm[0] == pytest.approx(norm, rel=1e-3)


def test_weightings_are_folds_and_class_weights() -> None:
    data = cohort(240)
    rng = np.random.default_rng(1)
    weightings = np.stack([rng.integers(0, 2, 240).astype(float), rng.uniform(0.1, 3, 240), np.ones(240)])
    strengths, which = np.array([0.01, 1.0, 10.0, 0.1]), np.array([0, 1, 1, 2])
    solution = solve(Design.of(data.features), data.labels, 3, strengths, weightings, which)
    for i, (c, weighting) in enumerate(zip(strengths, weightings[which], strict=True)):
        fitted = logistic_oracle(data.features, data.labels, c, weighting)
        own = next(solution.probabilities(data.features, slice(i, i + 1)))[1][0]
        np.testing.assert_allclose(own, fitted.predict_proba(data.features), atol=2e-4)


def test_problems_solved_in_turns_are_the_same() -> None:
    data = cohort(200)
    strengths = np.logspace(-3, 2, 6)
    together = solve(Design.of(data.features), data.labels, 3, strengths)
    in_turns = solve(Design.of(data.features), data.labels, 3, strengths, memory_bytes=1)
    np.testing.assert_allclose(in_turns.weights, together.weights, atol=1e-2)
    np.testing.assert_allclose(in_turns.objective, together.objective, rtol=1e-7)


@pytest.mark.slow
def test_inner_folds_choose_what_sklearn_would_choose() -> None:
    train, test = cohort(240, separation=0.7), cohort(400, seed=1, separation=0.7)
    config = linear.Config(c_min=1e-5, c_max=1e3, n_strengths=5)
    predictions = linear.fit_predict(train, None, test, config, seed=3)
    choice = inner_cv(train, None, seed=3)
    assert choice.fit.shape[0] == 5
    x, y = choice.samples.features, choice.samples.labels
    losses = []
    for c in np.logspace(-5, 3, 5):
        out = np.full((len(y), 3), np.nan)
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            assert not set(choice.samples.groups[fit]) & set(choice.samples.groups[held_out])
            out[held_out] = logistic_oracle(x[fit], y[fit], c).predict_proba(x[held_out].astype(np.float64))
        losses.append(log_loss(y, out, sample_weight=1 / np.bincount(y)[y]))
    np.testing.assert_allclose(predictions.info["validation_log_loss"], losses, rtol=1e-3)
    c = np.logspace(-5, 3, 5)[int(np.argmin(losses))]
    assert predictions.info["c"] == pytest.approx(c)
    fitted = logistic_oracle(x, y, c).predict(test.features.astype(np.float64))
    own = balanced_accuracy_score(test.labels, predictions.scores.argmax(1))
    assert own == pytest.approx(balanced_accuracy_score(test.labels, fitted), abs=0.002)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_validation_side_chooses_and_is_then_fitted(class_weight: str | None) -> None:
    train, val, test = cohort(120), cohort(90, seed=1), cohort(60, seed=2)
    val = val.take(np.flatnonzero(val.labels != 2)[:50].tolist() + np.flatnonzero(val.labels == 2)[:9].tolist())
    config = linear.Config(c_min=1e-4, c_max=1e2, n_strengths=7, class_weight=class_weight)
    predictions = linear.fit_predict(train, val, test, config, seed=0)
    share = 1 / np.bincount(val.labels)[val.labels]
    losses = []
    for c in np.logspace(-4, 2, 7):
        fitted = logistic_oracle(train.features, train.labels, c, class_weight=class_weight)
        losses.append(log_loss(val.labels, fitted.predict_proba(val.features.astype(float)), sample_weight=share))
    np.testing.assert_allclose(predictions.info["validation_log_loss"], losses, rtol=1e-3)
    c = np.logspace(-4, 2, 7)[int(np.argmin(losses))]
    both = np.concatenate([train.features, val.features]), np.concatenate([train.labels, val.labels])
    expected = logistic_oracle(*both, c, class_weight=class_weight).predict_proba(test.features)
    np.testing.assert_allclose(predictions.scores, expected, atol=1e-3)


@pytest.mark.parametrize(("sizes", "held_out"), [((20, 20), (6, 5)), ((30, 30), (10, 8)), ((150, 150), (31, 29))])
@pytest.mark.parametrize("seed", range(2))
def test_a_separable_task_is_never_scored_at_chance(
    sizes: tuple[int, int], held_out: tuple[int, int], seed: int
) -> None:
    """Ties in validation accuracy went to the strongest penalty, and the refit then predicted the larger class."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=64)
    direction *= (2.0 if sum(sizes) > 100 else 3.5) / np.linalg.norm(direction)

    def side(counts: tuple[int, int], name: str) -> Samples:
        labels = np.repeat([0, 1], counts)
        features = rng.normal(size=(len(labels), 64)) + np.where(labels[:, None], direction, -direction)
        ids = np.array([f"{name}{i}" for i in range(len(labels))])
        return Samples(ids, ids, features.astype(np.float32), labels.astype(np.int64))

    train, val, test = side(sizes, "t"), side(held_out, "v"), side((100, 100), "q")
    config = linear.Config(c_max=10.0, n_strengths=6)  # the fault was in the choice of the strong penalties
    for val_or_none in (val, None):
        predictions = protocols.Head("linear", config).fit_predict(train, val_or_none, test, 0)
        assert balanced_accuracy_score(test.labels, predictions.scores.argmax(1)) > 0.85


def test_a_head_that_predicts_one_class_says_so() -> None:
    train, test = cohort(60, classes=2), cohort(40, classes=2, seed=1)
    train = train.take(np.r_[np.flatnonzero(train.labels == 0), np.flatnonzero(train.labels == 1)[:20]])
    head = protocols.Head("linear", linear.Config(c_min=1e-12, c_max=1e-12, n_strengths=1))
    train = replace(train, classes=("benign", "malignant"))
    notes = head.fit_predict(train, None, test, 0).info["notes"]
    assert any("all 40 test samples are predicted to be benign" in note for note in notes)
    sound = protocols.Head("linear", linear.Config(n_strengths=5)).fit_predict(train, None, test, 0)
    assert not any("are predicted to be" in note for note in sound.info.get("notes", []))


def test_a_choice_at_the_end_of_the_strengths_is_noted() -> None:
    train, test = cohort(90, separation=4), cohort(30, seed=1, separation=4)
    narrow = linear.fit_predict(train, None, test, linear.Config(c_min=1e-6, c_max=1e-4, n_strengths=3), 0)
    assert narrow.info["c"] == pytest.approx(1e-4)
    assert any("C=0.0001 was chosen at the end of those tried, 1e-06 to 0.0001" in n for n in narrow.info["notes"])


@pytest.mark.parametrize("kind", ["linear", "knn"])
def test_heads_are_deterministic_blind_to_test_labels_and_to_row_order(kind: str) -> None:
    train, test = cohort(200, separation=0.6), cohort(80, seed=1, separation=0.6)
    head = protocols.get(kind)
    config = linear.Config(n_strengths=6) if kind == "linear" else head.Config(metric="l2")
    first = head.fit_predict(train, None, test, config, 5)
    again = head.fit_predict(train, None, test, config, 5)
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.info == again.info
    assert first.scores.dtype == np.float64
    np.testing.assert_allclose(first.scores.sum(1), 1)

    other = np.random.default_rng(0).permutation(test.labels)
    assert (
        head.fit_predict(train, None, replace(test, labels=other), config, 5).scores.tobytes() == first.scores.tobytes()
    )

    order = np.random.default_rng(1).permutation(len(train))
    permuted = head.fit_predict(train.take(order), None, test, config, 5)
    np.testing.assert_allclose(permuted.scores, first.scores, atol=1e-9)


def test_options_standardise_and_balance() -> None:
    train, test = cohort(150, classes=2), cohort(50, seed=1, classes=2)
    few = train.take((train.labels == 0) | (np.arange(150) < 40))
    config = linear.Config(c_min=0.5, c_max=0.5, n_strengths=1, standardise=True, class_weight="balanced")
    predictions = linear.fit_predict(few, None, test, config, 0)
    mean, deviation = few.features.mean(0, dtype=float), few.features.std(0, dtype=float)
    fitted = logistic_oracle((few.features - mean) / deviation, few.labels, 0.5, class_weight="balanced")
    np.testing.assert_allclose(predictions.scores, fitted.predict_proba((test.features - mean) / deviation), atol=1e-4)
    assert predictions.info["converged"]


def spoilt(samples: Samples, **changes: np.ndarray) -> Samples:
    return replace(samples, **changes)


@pytest.mark.parametrize("kind", ["linear", "knn"])
@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("absent_train", "training set has no sample of class 'stroma'"),
        ("absent_test", "test set has no sample of class 'stroma'"),
        ("one_class", "one class only"),
        ("nan", "1 of 60 test samples are not finite \\(0-00004\\)"),
        ("constant", "all 90 training samples are the same"),
        ("one_group", "class 'stroma' come from one group"),
        ("width", "24 columns|23 columns"),
    ],
)
def test_bad_input_is_one_sentence(kind: str, case: str, says: str) -> None:
    names = ("tumour", "stroma", "lymph")
    train, test = replace(cohort(90, seed=7), classes=names), replace(cohort(60), classes=names)
    if case == "absent_train":
        train = train.take(train.labels != 1)
    elif case == "absent_test":
        test = test.take(test.labels != 1)
    elif case == "one_class":
        train = train.take(train.labels == 0)
    elif case == "nan":
        broken = test.features.copy()
        broken[4, 2] = np.nan
        test = replace(test, features=broken)
    elif case == "constant":
        train = replace(train, features=np.ones_like(train.features))
    elif case == "one_group":
        train = replace(train, groups=np.where(train.labels == 1, "one", train.groups))
    elif case == "width":
        test = replace(test, features=test.features[:, 1:])
    head = protocols.get(kind)
    with pytest.raises(UserError, match=says) as raised:
        head.fit_predict(train, None, test, head.Config(), 0)
    assert "\n" not in str(raised.value)


def test_config_that_is_no_range_is_refused() -> None:
    with pytest.raises(UserError, match=r"c_min=10.0 of the linear head is above c_max=1.0"):
        linear.Config(c_min=10.0, c_max=1.0)


@pytest.mark.slow
def test_separated_classes_are_solved_at_weak_penalties() -> None:
    """Saturated probabilities leave no curvature, and a step without bound along the bias gave NaN weights."""
    train = synthetic(110).train
    order = np.argsort(train.ids)
    y = train.labels[order]
    solution = solve(Design.of(train.features[order]), y, int(y.max()) + 1, np.logspace(-6, 5, 23))
    assert torch.isfinite(solution.weights).all()
    assert solution.gradient_norm.max() <= 1e-6
