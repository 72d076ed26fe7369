"""kNN against scikit-learn, ties, and the memory bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_helpers import cohort
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from bench.protocols import knn
from bench.protocols.neighbours import nearest
from registry.errors import UserError


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("memory_bytes", [1, 2**14, 2**30])
def test_neighbours_are_sklearns(metric: str, memory_bytes: int) -> None:
    database, query = cohort(300).features, cohort(70, seed=1).features
    found, distances = nearest(query, database, 20, metric, memory_bytes)
    oracle = KNeighborsClassifier(20, algorithm="brute", metric="cosine" if metric == "cosine" else "euclidean")
    oracle.fit(database.astype(np.float64), np.zeros(300))
    far, expected = oracle.kneighbors(query.astype(np.float64))
    np.testing.assert_array_equal(found, expected)
    if metric == "cosine":
        np.testing.assert_allclose(distances, far, atol=1e-11)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_predictions_are_sklearns_with_k_chosen_on_validation(metric: str) -> None:
    train, val, test = (cohort(n, seed=s, separation=0.5) for n, s in ((200, 0), (100, 1), (150, 2)))
    predictions = knn.fit_predict(train, val, test, knn.Config(metric=metric), 0)
    options = {"algorithm": "brute", "metric": "cosine" if metric == "cosine" else "euclidean"}
    scores = {}
    for k in knn.Config().k:
        oracle = KNeighborsClassifier(k, **options).fit(train.features.astype(float), train.labels)
        scores[k] = balanced_accuracy_score(val.labels, _predicted(oracle, val))
    np.testing.assert_allclose(predictions.info["validation_metric"], list(scores.values()))
    k = max(k for k in scores if scores[k] == max(scores.values()))
    assert predictions.info["k"] == k
    oracle = KNeighborsClassifier(k, **options)
    oracle.fit(np.concatenate([train.features, val.features]).astype(float), np.concatenate([train.labels, val.labels]))
    np.testing.assert_allclose(predictions.scores, oracle.predict_proba(test.features.astype(float)), atol=2 * knn.TIE)
    np.testing.assert_array_equal(predictions.scores.argmax(1), _predicted(oracle, test))


def _predicted(oracle: KNeighborsClassifier, query: Samples) -> np.ndarray:
    """Scikit-learn's vote; equal votes go to the class of the nearest neighbour among the tied classes."""
    x = query.features.astype(float)
    votes, neighbours = oracle.predict_proba(x), oracle._y[oracle.kneighbors(x)[1]]
    return np.array(
        [next(c for c in own if share[c] == share.max()) for share, own in zip(votes, neighbours, strict=True)]
    )


@pytest.mark.parametrize("flip", [False, True])
def test_a_tie_does_not_favour_a_class_for_its_number(flip: bool) -> None:
    order = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    labels = 1 - order if flip else order
    shares = knn.break_ties(knn.vote_shares(labels, np.array([2]), 2), labels)[0]
    assert shares.argmax(1).tolist() == labels[:, 0].tolist()
    np.testing.assert_allclose(shares.sum(1), 1, rtol=0, atol=1e-15)
    np.testing.assert_allclose(shares, 0.5, atol=1e-9)


def test_k_is_chosen_by_what_the_task_is_ranked_by() -> None:
    train, val, test = (cohort(n, seed=s, separation=0.5, classes=2) for n, s in ((200, 0), (100, 1), (50, 2)))
    found = {}
    for metric in ("accuracy", "auroc"):
        own = [replace(side, metric=metric) for side in (train, val, test)]
        found[metric] = knn.fit_predict(*own, knn.Config(), 0).info
    of_auroc = []
    for k in knn.Config().k:
        oracle = KNeighborsClassifier(k, algorithm="brute", metric="cosine").fit(
            train.features.astype(float), train.labels
        )
        of_auroc.append(roc_auc_score(val.labels, oracle.predict_proba(val.features.astype(float))[:, 1]))
    np.testing.assert_allclose(found["auroc"]["validation_metric"], of_auroc, atol=0.02)
    assert found["auroc"]["k"] == knn.Config().k[int(np.argmax(found["auroc"]["validation_metric"]))]
    assert found["accuracy"]["validation_metric"] != found["auroc"]["validation_metric"]


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 1000), st.sampled_from(["cosine", "l2"]))
def test_equal_distances_go_to_the_lower_row(k: int, seed: int, metric: str) -> None:
    rng = np.random.default_rng(seed)
    few = rng.integers(-2, 3, size=(4, 5)).astype(np.float32) * np.float32(0.1)
    database = few[rng.integers(0, 4, 40)]
    query = rng.normal(size=(6, 5)).astype(np.float32)
    if metric == "cosine":
        norms = np.maximum(np.linalg.norm(database.astype(float), axis=1), 1e-300)
        distance = 1 - query.astype(float) @ database.astype(float).T / norms / np.linalg.norm(query, axis=1)[:, None]
    else:
        distance = ((query[:, None].astype(float) - database) ** 2).sum(2)
    expected = np.argsort(distance.round(9), axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(nearest(query, database, k, metric)[0], expected)


def test_differences_below_float32_still_decide() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=64)
    database = np.stack([base + 1e-5 * rng.normal(size=64) for _ in range(200)]).astype(np.float32)
    query = (base + 1e-5 * rng.normal(size=(5, 64))).astype(np.float32)
    q, x = (a.astype(np.longdouble) for a in (query, database))
    cosine = (q @ x.T) / np.sqrt((q * q).sum(1))[:, None] / np.sqrt((x * x).sum(1))
    expected = np.argsort((1 - cosine).astype(float).round(12), axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(nearest(query, database, 10, "cosine")[0], expected)


def test_vote_shares_count_the_nearest() -> None:
    shares = knn.vote_shares(np.array([[2, 0, 0, 1]]), np.array([1, 2, 4]), 3)
    np.testing.assert_allclose(shares[:, 0], [[0, 0, 1], [0.5, 0, 0.5], [0.5, 0.25, 0.25]])
    assert shares[1, 0].argmax() == 0


def test_of_a_sweep_only_what_there_are_samples_for_is_tried() -> None:
    made = knn.fit_predict(cohort(24, classes=2), None, cohort(20, seed=1, classes=2), knn.Config(), 0)
    assert made.info["candidates"] == [1, 3, 5, 10]


def test_fewer_samples_than_k_is_said() -> None:
    with pytest.raises(UserError, match="fewer than k=50"):
        knn.fit_predict(cohort(24, classes=2), None, cohort(20, seed=1, classes=2), knn.Config(k=[50]), 0)


def test_half_precision_features_are_accepted() -> None:
    train, test = cohort(100), cohort(40, seed=1)
    half = [replace(s, features=s.features.astype(np.float16)) for s in (train, test)]
    single = [replace(s, features=s.features.astype(np.float32)) for s in half]
    config = knn.Config(k=[5])
    np.testing.assert_array_equal(
        knn.fit_predict(half[0], None, half[1], config, 0).scores,
        knn.fit_predict(single[0], None, single[1], config, 0).scores,
    )
