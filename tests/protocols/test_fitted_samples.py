"""The samples that heads are fitted to, what their seed draws, ties of alphas, and shares of samples of no episode."""

import importlib.util

import numpy as np
import pytest

from bench.protocols import Samples, configured


def samples(n, seed, labels):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 6)).astype(np.float32)
    names = np.array([f"{seed}-{number:02d}" for number in range(n)])
    kind = "regression" if labels == "regression" else "survival"
    values = features[:, :1] + rng.normal(size=(n, 1))
    if kind == "survival":
        features = features[:, :1]
        values = np.column_stack([np.exp(-values[:, 0]), np.arange(n) % 3 > 0]).astype(float)
    return Samples(names, names, features, values, ("y",), kind)


def both(one, other):
    """The samples of two sides as one."""
    parts = [
        np.concatenate([getattr(side, name) for side in (one, other)])
        for name in ("ids", "groups", "features", "labels")
    ]
    return Samples(*parts, one.classes, one.kind)


@pytest.mark.parametrize("kind", ["ridge_hest", "forest", "boosted"])
def test_validation_samples_are_learned_from_and_the_seed_draws(kind):
    if kind == "boosted" and importlib.util.find_spec("xgboost") is None:
        pytest.skip("XGBoost is not installed")
    few = {"forest": {"trees": 3}, "boosted": {"n_estimators": 3}}.get(kind, {})
    head = configured({"kind": kind, "pca": None} | few)
    train, val, test = (samples(n, seed, "regression") for n, seed in ((24, 0), (12, 1), (8, 2)))
    found = head.fit_predict(train, val, test, 0).scores

    assert np.array_equal(found, head.fit_predict(both(train, val), None, test, 0).scores)
    assert not np.array_equal(found, head.fit_predict(train, None, test, 0).scores)
    assert np.array_equal(found, head.fit_predict(train, val, test, 1).scores) == (kind == "ridge_hest")


def test_of_alphas_that_order_alike_the_largest_is_taken():
    head = configured({"kind": "cox", "l1_ratio": 0, "alphas": [0.1, 3.0, 1.0]})
    found = head.fit_predict(samples(24, 0, "survival"), samples(12, 1, "survival"), samples(8, 2, "survival"), 0)

    assert len(set(found.info["validation_c_index"])) == 1
    assert found.info["alpha"] == 3.0


def test_test_samples_that_no_episode_drew_have_equal_shares():
    rng = np.random.default_rng(0)
    train, test = (
        Samples(
            names, names, rng.normal(size=(12, 4)).astype(np.float32), np.arange(12) % 3, ("a", "b", "c"), "classes"
        )
        for names in (np.array([f"{side}{number}" for number in range(12)]) for side in "tq")
    )
    head = configured({"kind": "simpleshot", "shots": [1], "episodes": 1, "queries": 1})

    shares = head.fit_predict(train, None, test, 0).scores

    assert shares.sum(axis=1) == pytest.approx(np.ones(12))
    assert (shares == 1 / 3).all(axis=1).sum() == 9
