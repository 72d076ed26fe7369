"""Cohorts of few samples are resampled in larger chunks and by plain matrices: the same bits as of many."""

import numpy as np
import pytest

from bench.metrics import METRIC_SETS, bootstrap, names, resample
from bench.metrics.bootstrap import WeightSums

KINDS = ("classes", "ordinal", "multilabel", "regression", "survival")


def labels_and_scores(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if kind in ("classes", "ordinal"):
        scores = rng.random((n, 3)).round(1) + 0.01
        return np.arange(n) % 3, scores / scores.sum(axis=1, keepdims=True)
    if kind == "multilabel":
        return rng.integers(0, 2, (n, 4)), rng.random((n, 4)).round(1)
    if kind == "regression":
        return rng.normal(size=(n, 2)), rng.normal(size=(n, 2))
    return np.stack([rng.exponential(size=n) + 0.01, rng.integers(0, 2, n)], axis=1), rng.normal(size=(n, 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [12, 40, 200])
def test_draws_do_not_depend_on_chunks_or_the_form_of_the_counts(
    monkeypatch: pytest.MonkeyPatch, kind: str, n: int
) -> None:
    rng = np.random.default_rng(n)
    y_true, scores = labels_and_scores(kind, n, rng)
    groups = np.arange(n) % (n // 4)
    wanted = [name for name in names(kind) if not name.endswith("_scaled")]
    found = resample(y_true, {"a": scores}, groups, kind=kind, metrics=wanted, n_boot=300)["a"]
    monkeypatch.setattr(bootstrap, "_FEW_ELEMENTS", 0)
    monkeypatch.setattr(bootstrap, "_DENSE_ELEMENTS", 0)
    plain = resample(y_true, {"a": scores}, groups, kind=kind, metrics=wanted, n_boot=300)["a"]
    for name in wanted:
        assert found[name].value == plain[name].value or np.isnan(plain[name].value)
        np.testing.assert_array_equal(found[name].influence, plain[name].influence)
        of_counts = name in METRIC_SETS[kind].metrics and kind not in ("regression", "survival")
        if of_counts:  # whole numbers are summed exactly; others in another order, by the width of a product
            np.testing.assert_array_equal(found[name].draws, plain[name].draws)
        np.testing.assert_allclose(found[name].draws, plain[name].draws, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float64])
def test_sums_of_small_and_large_counts_are_the_same(dtype: type) -> None:
    rng = np.random.default_rng(0)
    keys, groups = rng.integers(0, 9, 500), np.append(np.arange(20), rng.integers(0, 20, 480))
    sums = WeightSums(keys, groups)
    weights = rng.integers(0, 5, (20, 7)).astype(dtype)
    expected = np.array([[weights[groups[keys == key], one].sum() for one in range(7)] for key in range(9)], float)
    np.testing.assert_array_equal(sums(weights), expected)
    np.testing.assert_array_equal(sums._sparse @ weights, expected)
    assert sums(weights).dtype == np.float64
