"""Intervals: every resample against scikit-learn on the resampled arrays, and what intervals must do."""

import warnings
from dataclasses import astuple

import numpy as np
import pytest
from differences import differences
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from bench.metrics import METRICS, resample, score
from bench.metrics.bootstrap import WeightSums, group_weights


def plain_scores(y: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Scores of one resample, its absent classes left out of the mean."""
    predicted, n_classes = scores.argmax(axis=1), scores.shape[1]
    columns = [1] if n_classes == 2 else range(n_classes)
    areas = [roc_auc_score(y == c, scores[:, c]) for c in columns if len(set(y == c)) == 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "accuracy": accuracy_score(y, predicted),
            "balanced_accuracy": balanced_accuracy_score(y, predicted),
            "f1_macro": f1_score(y, predicted, average="macro"),
            "auroc": float(np.mean(areas)) if areas else np.nan,
        }


def simulated(
    rng: np.random.Generator, n_groups: int, per_group: int, n_classes: int, skill: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores and groups; each group has its own difficulty, so its samples are alike."""
    groups = np.repeat(np.arange(n_groups), per_group)
    y = rng.integers(0, n_classes, len(groups))
    logits = rng.normal(size=(len(y), n_classes))
    logits[np.arange(len(y)), y] += skill * rng.normal(1, 1, n_groups)[groups]
    scores = np.exp(logits)
    return y, scores / scores.sum(axis=1, keepdims=True), groups


@st.composite
def grouped_cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    n_classes, n = draw(st.integers(2, 4)), draw(st.integers(2, 25))
    y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, n_classes - 1)))
    scores = draw(hnp.arrays(np.float64, (n, n_classes), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
    groups = draw(hnp.arrays(np.int64, n, elements=st.integers(0, draw(st.integers(1, n)))))
    return y, scores, groups, draw(st.integers(0, 2**32))


@settings(max_examples=40)
@given(grouped_cases())
def test_each_resample_equals_sklearn_on_resampled_arrays(case: tuple) -> None:
    y, scores, groups, seed = case
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return
    ours = resample(y, {"": scores}, groups, n_boot=8, seed=seed)[""]
    (weights,) = group_weights(len(names), 8, seed, chunk=8)
    for b in range(8):
        drawn = np.repeat(np.arange(len(y)), weights[group, b])
        expected = plain_scores(y[drawn], scores[drawn])
        if len(set(y)) < scores.shape[1]:
            expected["auroc"] = np.nan
        for metric, value in expected.items():
            assert ours[metric].draws[b] == pytest.approx(value, abs=1e-12, nan_ok=True), metric


def test_large_groups_equal_sklearn_on_resampled_arrays() -> None:
    y, scores, groups = simulated(np.random.default_rng(3), 30, 40, 5)
    ours = resample(y, {"": scores}, groups, n_boot=5, seed=1)[""]
    (weights,) = group_weights(30, 5, 1, chunk=5)
    for b in range(5):
        drawn = np.repeat(np.arange(len(y)), weights[groups, b])
        expected = plain_scores(y[drawn], scores[drawn])
        assert {m: ours[m].draws[b] for m in METRICS["classes"]} == pytest.approx(expected, abs=1e-12)


def test_weights_are_multinomial_and_independent_of_the_chunk() -> None:
    weights = np.concatenate(list(group_weights(7, 4000, 5, chunk=64)), axis=1)
    assert np.array_equal(weights, np.concatenate(list(group_weights(7, 4000, 5, chunk=13)), axis=1))
    assert (weights.sum(axis=0) == 7).all()
    assert weights.mean(axis=1) == pytest.approx(np.ones(7), abs=0.06)
    assert np.cov(weights)[0, 0] == pytest.approx(1 - 1 / 7, abs=0.06)
    assert np.cov(weights)[0, 1] == pytest.approx(-1 / 7, abs=0.04)


@given(
    hnp.arrays(np.int64, 20, elements=st.integers(-3, 3)),
    hnp.arrays(np.int64, 20, elements=st.integers(0, 4)),
    hnp.arrays(np.int32, (5, 3), elements=st.integers(0, 9)),
)
def test_weight_sums_equal_a_loop(keys: np.ndarray, groups: np.ndarray, weights: np.ndarray) -> None:
    weights = weights[: groups.max() + 1]
    sums = WeightSums(keys, groups)
    expected = [[weights[groups[keys == key], b].sum() for b in range(3)] for key in sums.keys]
    assert np.array_equal(sums(weights), expected)


def test_order_of_samples_and_names_of_groups_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    y, scores, groups = simulated(rng, 12, 10, 3)
    names = np.array([f"patient-{g:02d}" for g in groups])
    shuffled = rng.permutation(len(y))
    expected = score(y, scores, groups, n_boot=100)
    assert score(y[shuffled], scores[shuffled], names[shuffled], n_boot=100) == expected
    assert score(y, scores, names.astype(object), n_boot=100) == expected


def test_duplicated_samples_of_a_group_do_not_narrow() -> None:
    y, scores, groups = simulated(np.random.default_rng(1), 20, 5, 2)
    once = score(y, scores, groups, n_boot=400)
    again = score(np.tile(y, 8), np.tile(scores, (8, 1)), np.tile(groups, 8), n_boot=400)
    as_single = score(np.tile(y, 8), np.tile(scores, (8, 1)), np.arange(8 * len(y)), n_boot=400)
    for metric in METRICS["classes"]:
        # Half a sample that is added for the interval weighs less beside eight times as many.
        assert again[metric].ci_low == pytest.approx(once[metric].ci_low, abs=0.01)
        assert again[metric].ci_high == pytest.approx(once[metric].ci_high, abs=0.01)
        width = again[metric].ci_high - again[metric].ci_low
        assert as_single[metric].ci_high - as_single[metric].ci_low < 0.6 * width


def test_one_group_has_a_value_and_no_interval() -> None:
    y, scores, groups = simulated(np.random.default_rng(1), 1, 30, 2)
    for interval in [*score(y, scores, groups).values(), *differences(y, scores, 1 - scores, groups).values()]:
        assert np.isfinite(interval.value)
        assert np.isnan([interval.ci_low, interval.ci_high]).all()


def test_auroc_of_a_set_that_lacks_a_class_is_undefined_and_the_rest_stands() -> None:
    scored = score(np.array([0, 0, 1, 1]), np.eye(3)[[0, 1, 1, 1]], np.arange(4))
    assert np.isnan([scored["auroc"].value, scored["auroc"].ci_low, scored["auroc"].ci_high]).all()
    assert scored["accuracy"].value == 0.75


def test_resamples_without_a_class_are_counted() -> None:
    y = np.array([0, 1, 1, 1])
    replicates = resample(y, {"": np.eye(2)[y]}, np.arange(4), n_boot=2000)[""]["auroc"]
    assert set(replicates.draws[~np.isnan(replicates.draws)]) == {1.0}
    assert replicates.undefined_share == np.isnan(replicates.draws).mean()
    assert replicates.undefined_share == pytest.approx(0.75**4 + 0.25**4, abs=0.03)


def test_coverage_of_a_clustered_case() -> None:
    """Each group's accuracy is drawn about .7; the 95 % interval must hold .7 about 95 times of 100."""
    rng = np.random.default_rng(7)
    held = naive = 0
    for seed in range(300):
        truth = rng.beta(7, 3, 60)
        groups = np.repeat(np.arange(60), 20)
        hit = rng.random(1200) < truth[groups]
        y = rng.integers(0, 2, 1200)
        scores = np.eye(2)[np.where(hit, y, 1 - y)]
        by_group, by_sample = (
            score(y, scores, unit, n_boot=300, seed=seed, metrics=["accuracy"])["accuracy"]
            for unit in (groups, np.arange(1200))
        )
        held += by_group.ci_low <= 0.7 <= by_group.ci_high
        naive += by_sample.ci_low <= 0.7 <= by_sample.ci_high
    assert 0.90 <= held / 300 <= 0.985
    assert naive / 300 < 0.85


def test_paired_uses_the_same_resamples_for_both() -> None:
    rng = np.random.default_rng(2)
    y, a, groups = simulated(rng, 25, 8, 3)
    b = a + rng.normal(0, 0.02, a.shape)
    same = differences(y, a, a, groups, n_boot=200)
    assert {interval.value for interval in same.values()} == {0.0}
    forth, back = differences(y, a, b, groups, n_boot=200), differences(y, b, a, groups, n_boot=200)
    alone_a, alone_b = score(y, a, groups, n_boot=200), score(y, b, groups, n_boot=200)
    for metric in METRICS["classes"]:
        assert forth[metric].value == pytest.approx(alone_a[metric].value - alone_b[metric].value, abs=1e-15)
        assert (forth[metric].ci_low, forth[metric].ci_high) == pytest.approx(
            (-back[metric].ci_high, -back[metric].ci_low), abs=1e-12
        )
        assert forth[metric].ci_high - forth[metric].ci_low < 0.5 * (alone_a[metric].ci_high - alone_a[metric].ci_low)


def test_paired_equals_a_loop_over_resampled_arrays() -> None:
    rng = np.random.default_rng(5)
    y, a, groups = simulated(rng, 15, 6, 3)
    b = rng.dirichlet(np.ones(3), len(y))
    (weights,) = group_weights(15, 40, 9, chunk=40)
    drawn = [np.repeat(np.arange(len(y)), weights[groups, i]) for i in range(40)]
    loops = [(plain_scores(y[d], a[d]), plain_scores(y[d], b[d])) for d in drawn]
    both = resample(y, {"a": a, "b": b}, groups, n_boot=40, seed=9)
    for metric in METRICS["classes"]:
        expected = [of_a[metric] - of_b[metric] for of_a, of_b in loops]
        assert (both["a"][metric] - both["b"][metric]).draws == pytest.approx(expected, abs=1e-12)


def test_chunks_of_one_resample_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    y, scores, groups = simulated(np.random.default_rng(2), 25, 8, 3)
    expected = score(y, scores, groups, n_boot=150)
    monkeypatch.setattr("bench.metrics.bootstrap._CHUNK_ELEMENTS", 1)
    found = score(y, scores, groups, n_boot=150)
    for metric, interval in expected.items():
        assert astuple(found[metric]) == pytest.approx(astuple(interval), abs=1e-12)


def test_draws_of_patients_are_those_of_scipys_bootstrap_in_distribution() -> None:
    """Patients of equally many tiles: the accuracy is the mean of their accuracies, which scipy resamples."""
    rng = np.random.default_rng(8)
    hit = rng.random((25, 8)) < rng.beta(6, 3, 25)[:, None]
    y = rng.integers(0, 2, hit.size)
    scores = np.eye(2)[np.where(hit.ravel(), y, 1 - y)]
    ours = resample(y, {"": scores}, np.repeat(np.arange(25), 8), metrics=["accuracy"], n_boot=8000)[""]["accuracy"]
    theirs = stats.bootstrap((hit.mean(axis=1),), np.mean, n_resamples=8000, method="percentile", rng=rng)
    assert ours.draws.std(ddof=1) == pytest.approx(theirs.standard_error, rel=0.05)
    low, high = np.quantile(ours.draws, [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)
    assert np.sqrt((ours.influence**2).sum()) == pytest.approx(theirs.standard_error, rel=0.1)
