"""Ridge regression and the HEST recipe against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_helpers import cohort
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge as SkRidge
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.protocols import Bags, Samples, configured, ridge, ridge_hest
from bench.protocols.selection import inner_cv
from registry.errors import UserError


def regression(n: int, *, dim: int = 24, targets: int = 3, seed: int = 0) -> Samples:
    samples = cohort(n, dim=dim, seed=seed)
    mix = np.random.default_rng(9).normal(size=(dim, targets))
    noise = np.random.default_rng(seed + 50).normal(size=(n, targets))
    return replace(samples, labels=samples.features @ mix + 2 * noise + 7, kind="regression")


@pytest.mark.parametrize(("n", "dim"), [(90, 24), (30, 60)])
def test_fit_is_sklearns(n: int, dim: int) -> None:
    train = regression(n, dim=dim)
    x, y = train.features.astype(float), train.labels
    alphas = np.array([0.1, 10.0, 1e4])
    for intercept in (True, False):
        own = ridge.Ridge.fit(x, y, alphas, intercept=intercept).predict(x)
        for i, alpha in enumerate(alphas):
            expected = SkRidge(alpha=alpha, fit_intercept=intercept, solver="svd").fit(x, y).predict(x)
            np.testing.assert_allclose(own[i], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("with_val", [False, True])
def test_strength_is_chosen_on_held_out_samples(with_val: bool) -> None:
    train, val, test = regression(90), regression(60, seed=1) if with_val else None, regression(40, seed=2)
    config = ridge.Config(n_strengths=10)
    train, val = (side and replace(side, metric="r2") for side in (train, val))
    predictions = ridge.fit_predict(train, val, test, config, 0)
    choice = inner_cv(train, val, 0)
    x, y = choice.samples.features.astype(float), choice.samples.labels
    scores = []
    for alpha in np.logspace(-3, 6, 10):
        out = np.zeros_like(y)
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            model = make_pipeline(StandardScaler(), SkRidge(alpha=alpha)).fit(x[fit], y[fit])
            out[held_out] = model.predict(x[held_out])
        j = choice.validation_mask
        scores.append((1 - ((out - y)[j] ** 2).sum(0) / ((y[j] - y[j].mean(0)) ** 2).sum(0)).mean())
    np.testing.assert_allclose(predictions.info["validation_metric"], scores, rtol=1e-6)
    alpha = np.logspace(-3, 6, 10)[int(np.argmax(scores))]
    model = make_pipeline(StandardScaler(), SkRidge(alpha=alpha)).fit(x, y)
    np.testing.assert_allclose(predictions.scores, model.predict(test.features.astype(float)), rtol=1e-6)
    assert predictions.kind == "regression"
    assert predictions.scores.shape == test.labels.shape


@pytest.mark.parametrize(("pca", "standardise"), [(8, True), (None, True), (None, False)])
def test_hest_recipe_is_the_pipeline(pca: int | None, standardise: bool) -> None:
    train, test = regression(90), regression(40, seed=2)
    predictions = ridge_hest.fit_predict(train, None, test, ridge_hest.Config(pca, standardise, False), 0)
    dims = pca or 24
    steps = [*([StandardScaler()] if standardise else []), *([PCA(pca, random_state=1)] if pca else [])]
    model = make_pipeline(
        *steps, SkRidge(alpha=100 / (dims * 3), fit_intercept=False, solver="lsqr", max_iter=1000)
    ).fit(train.features, train.labels)
    np.testing.assert_allclose(predictions.scores, model.predict(test.features), rtol=0.02, atol=0.02)
    assert predictions.info["dimensions"] == dims
    shifted = ridge_hest.fit_predict(train, None, test, ridge_hest.Config(pca, standardise, True), 0)
    shift = (train.labels - model.predict(train.features)).mean(axis=0)
    np.testing.assert_allclose(shifted.scores - predictions.scores, np.tile(shift, (40, 1)), atol=0.02)


def test_the_components_of_a_chosen_strength_are_of_the_samples_that_are_fitted() -> None:
    train, test = regression(90), regression(40, seed=2)
    predictions = ridge.fit_predict(train, None, test, ridge.Config(n_strengths=10, pca=8), 0)
    choice = inner_cv(train, None, 0)
    x, y = choice.samples.features, choice.samples.labels

    def pearson(alpha: float) -> float:
        out = np.zeros_like(y)
        for fit, rows in zip(choice.fit, choice.held_out, strict=True):
            model = make_pipeline(StandardScaler(), PCA(8), SkRidge(alpha=alpha)).fit(x[fit], y[fit])
            out[rows] = model.predict(x[rows])
        return float(np.mean([np.corrcoef(out[:, t], y[:, t])[0, 1] for t in range(3)]))

    found = [pearson(alpha) for alpha in predictions.info["alphas"]]
    np.testing.assert_allclose(predictions.info["validation_metric"], found, atol=1e-5)
    model = make_pipeline(StandardScaler(), PCA(8), SkRidge(alpha=predictions.info["alpha"])).fit(x, y)
    np.testing.assert_allclose(predictions.scores, model.predict(test.features), atol=1e-3)


def test_probabilities_of_grades_by_hand() -> None:
    values = np.array([-0.4, 0.0, 1.25, 1.6, 2.5, 3.0, 7.0])
    own = ridge.grade_probabilities(values, 4, 0.5)
    odds = np.exp(-2 * (1.25 - np.arange(4)) ** 2)
    np.testing.assert_allclose(own[2], odds / odds.sum())
    assert own.argmax(axis=1).tolist() == [0, 0, 1, 2, 2, 3, 3]
    np.testing.assert_allclose(own[0], own[1])
    # two values half a grade away, and two of half a grade that stand for what is not known
    assert ridge.residual_deviation(np.array([0.5, 2.5]), np.array([0, 3]), 4) == pytest.approx(0.5)
    assert ridge.residual_deviation(np.array([-9.0, 5.0]), np.array([0, 3]), 4) == pytest.approx(np.sqrt(0.125))


@given(
    st.lists(st.floats(-20, 20), min_size=1, max_size=20),
    st.integers(2, 12),
    st.floats(1e-3, 30),
)
def test_no_grade_is_impossible(values: list[float], grades: int, deviation: float) -> None:
    own = ridge.grade_probabilities(np.array(values), grades, deviation)
    np.testing.assert_allclose(own.sum(axis=1), 1)
    assert (own > 0).all()
    nearest = np.abs(np.clip(values, 0, grades - 1)[:, None] - np.arange(grades))
    chosen = nearest[np.arange(len(values)), own.argmax(axis=1)]
    np.testing.assert_allclose(chosen, nearest.min(axis=1), atol=1e-6)


def graded(n: int, seed: int) -> Samples:
    """Four grades, in order along one direction of the features."""
    samples = cohort(n, seed=seed)
    level = samples.features @ np.random.default_rng(3).normal(size=24)
    grades = np.searchsorted([-1.0, 0.0, 1.0], (level - level.mean()) / level.std())
    return replace(samples, labels=grades, kind="ordinal", classes=("none", "low", "mid", "high"))


def test_grades_are_numbers() -> None:
    train, test = graded(200, 0), graded(100, 1)
    predictions = ridge.fit_predict(train, None, test, ridge.Config(n_strengths=10), 0)
    assert predictions.kind == "ordinal"
    assert predictions.scores.shape == (100, 4)
    alpha = predictions.info["alpha"]
    model = make_pipeline(StandardScaler(), SkRidge(alpha=alpha)).fit(train.features.astype(float), train.labels)
    values = model.predict(test.features.astype(float)).clip(0, 3)
    deviation = predictions.info["residual_deviation"]
    np.testing.assert_allclose(predictions.scores, ridge.grade_probabilities(values, 4, deviation), atol=1e-6)
    np.testing.assert_array_equal(predictions.scores.argmax(axis=1), np.rint(values))
    choice = inner_cv(train, None, 0)
    squares = 0.0
    for fit, rows in zip(choice.fit, choice.held_out, strict=True):
        part, held_out = choice.samples.take(fit), choice.samples.take(rows)
        model = make_pipeline(StandardScaler(), SkRidge(alpha=alpha)).fit(part.features.astype(float), part.labels)
        squares += ((model.predict(held_out.features.astype(float)).clip(0, 3) - held_out.labels) ** 2).sum()
    assert deviation == pytest.approx(np.sqrt((squares + 2 * 0.25) / (200 + 2)), rel=1e-6)
    assert (predictions.scores > 0).all()
    assert (predictions.calibrated > 0).all()
    assert cohen_kappa_score(test.labels, predictions.scores.argmax(axis=1), weights="quadratic") > 0.8
    with pytest.raises(UserError, match="training set has no sample of class 'mid'"):
        ridge.fit_predict(train.take(train.labels != 2), None, test, ridge.Config(), 0)


def test_targets_that_cannot_be_fitted_are_named() -> None:
    train, test = regression(60), regression(30, seed=1)
    broken = train.labels.copy()
    broken[3, 1] = np.nan
    with pytest.raises(UserError, match="0-00003"):
        ridge.fit_predict(replace(train, labels=broken), None, test, ridge.Config(), 0)
    flat = train.labels.copy()
    flat[:, 2] = 1
    with pytest.raises(UserError, match="same value of the target 2"):
        ridge_hest.fit_predict(replace(train, labels=flat), None, test, ridge_hest.Config(), 0)
    with pytest.raises(UserError, match="one group"):
        ridge.fit_predict(replace(train, groups=np.full(60, "g")), None, test, ridge.Config(), 0)


@pytest.mark.parametrize("side", ["one patient", "one value"])
def test_validation_that_does_not_vary_chooses_by_error(side: str) -> None:
    train, val, test = regression(90), regression(40, seed=1), regression(40, seed=2)
    val = val.take(np.arange(1)) if side == "one patient" else replace(val, labels=np.full((40, 3), 7.0))
    predictions = ridge.fit_predict(train, val, test, ridge.Config(n_strengths=10), 0)
    errors = []
    for alpha in np.logspace(-3, 6, 10):
        model = make_pipeline(StandardScaler(), SkRidge(alpha=alpha)).fit(train.features.astype(float), train.labels)
        both = np.concatenate([train.labels, val.labels])
        away = (model.predict(val.features.astype(float)) - val.labels) / both.std(axis=0)
        errors.append((away**2).mean())
    np.testing.assert_allclose(predictions.info["validation_squared_error"], errors, rtol=1e-6)
    assert predictions.info["alpha"] == pytest.approx(np.logspace(-3, 6, 10)[int(np.argmin(errors))])


def test_grades_and_pooled_vectors_with_one_validation_value() -> None:
    train, val, test = graded(200, 0), graded(60, 1), graded(100, 2)
    val = val.take(val.labels == 1)
    assert ridge.fit_predict(train, val, test, ridge.Config(n_strengths=5), 0).scores.shape == (100, 4)
    sides = [Bags(s.ids, s.groups, list(s.features[:, None]), s.labels, s.classes, s.kind) for s in (train, val, test)]
    pooled_ridge = configured({"kind": "pooled", "head": "ridge", "settings": {"n_strengths": 5}})
    assert pooled_ridge.fit_predict(*sides, 0).scores.shape == (100, 4)


@settings(max_examples=15)
@given(st.sampled_from([-250, -200, -30, 30, 200, 250]), st.booleans(), st.integers(0, 99))
def test_unit_of_the_numbers_changes_nothing(power: int, alike: bool, seed: int) -> None:
    train, val, test = regression(60, seed=seed), regression(30, seed=seed + 1), regression(30, seed=seed + 2)
    if alike:
        val = replace(val, labels=np.full((30, 3), 7.0))
    config = ridge.Config(n_strengths=10)
    plain = ridge.fit_predict(train, val, test, config, 0)
    moved = ridge.fit_predict(
        *(replace(s, labels=s.labels * 2.0 ** (3.3 * power // 1)) for s in (train, val, test)), config, 0
    )
    assert moved.info["alpha"] == plain.info["alpha"]
    np.testing.assert_allclose(moved.scores / 2.0 ** (3.3 * power // 1), plain.scores, rtol=1e-9)


def test_numbers_beyond_all_sums_are_named() -> None:
    train, test = regression(60), regression(30, seed=1)
    huge = [replace(s, labels=np.sign(s.labels - 7) * 1.7e308) for s in (train, test)]
    for head, config in ((ridge, ridge.Config()), (ridge_hest, ridge_hest.Config(8))):
        with pytest.raises(UserError, match="regression overflows"), np.errstate(all="ignore"):
            head.fit_predict(huge[0], None, huge[1], config, 0)
