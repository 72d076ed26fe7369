"""The rules of neighbours, few shots and retrieval that presets of other benchmarks need, against plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from protocol_helpers import cohort
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from bench.protocols import Bags, Samples, knn, prototype_topk, retrieval, simpleshot
from bench.protocols.episodes import support_centred
from registry.errors import UserError


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("normalise", ["samples", "means"])
@pytest.mark.parametrize(("memory", "shared"), [(1, 0.0), (2**30, 100.0)])
def test_episodes_about_their_support_are_a_loop(normalise: str, memory: int, shared: float) -> None:
    train, test = (cohort(n, seed=s, separation=0.4).features.astype(float) + shared for n, s in ((90, 0), (40, 1)))
    test[0] = train[0]
    support = simpleshot.draw_support(cohort(90).labels, 3, 4, 12, 0)
    parts = list(support_centred(train, test, support, normalise, memory, "cpu"))
    assert (len(parts) == 12) == (memory == 1)
    chosen, closeness = (np.concatenate(own) for own in zip(*parts, strict=True))
    for episode, own, near in zip(support, chosen, closeness, strict=True):
        centre = train[episode].mean((0, 1))
        about = train[episode] - centre
        means = unit(about).mean(1) if normalise == "samples" else unit(about.mean(1))
        squares = ((unit(test - centre)[:, None] - means) ** 2).sum(2)
        np.testing.assert_array_equal(own, squares.argmin(1))
        np.testing.assert_allclose(near, 0.5 * (1 - squares), atol=1e-5)


def test_queries_at_the_mean_of_the_support_are_decided_in_float64() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(6, 16))
    support = np.array([[[0, 1, 2], [3, 4, 5]]])
    centre = train.mean(0)
    test = centre + 1e-6 * rng.normal(size=(50, 16))
    ((chosen, _),) = support_centred(train, test, support, "samples", 2**20, "cpu")
    means = unit(train - centre).reshape(2, 3, 16).mean(1)
    expected = ((unit(test - centre)[:, None] - means) ** 2).sum(2).argmin(1)
    np.testing.assert_array_equal(chosen[0], expected)


def test_episodes_have_their_classes_and_queries() -> None:
    labels = np.repeat(np.arange(4), [3, 9, 9, 9])
    classes = simpleshot.draw_classes(4, 2, 300, 0)
    assert (np.diff(classes, axis=1) > 0).all()
    assert len(np.unique(classes, axis=0)) == 6
    for own, rows in zip(classes, simpleshot.draw_queries(labels, classes, 5, 0), strict=True):
        assert len(np.unique(rows)) == len(rows)
        assert np.bincount(labels[rows], minlength=4)[own].tolist() == [min(5, (labels == c).sum()) for c in own]
    np.testing.assert_array_equal(simpleshot.draw_classes(4, 9, 2, 0), [[0, 1, 2, 3]] * 2)


def test_all_classes_and_queries_of_an_episode_are_the_plain_result() -> None:
    train, test = cohort(120, separation=0.4), cohort(60, seed=1, separation=0.4)
    plain = simpleshot.Config(shots=[2], episodes=20)
    one, other = (
        simpleshot.fit_predict(train, None, test, config, 0) for config in (plain, replace(plain, ways=3, queries=60))
    )
    np.testing.assert_array_equal(one.scores, other.scores)
    for name, values in one.metrics.items():
        assert values["value"] == pytest.approx(other.metrics[name]["value"], abs=1e-12)


def test_the_majority_is_one_prediction() -> None:
    train, val, test = cohort(120, separation=0.4), cohort(60, seed=2), cohort(60, seed=1, separation=0.4)
    config = simpleshot.Config(shots=[2], episodes=30, result="majority", fit_validation=False)
    made = simpleshot.fit_predict(train, val, test, config, 0)
    votes = simpleshot.fit_predict(train, None, test, simpleshot.Config(shots=[2], episodes=30), 0)
    assert not made.metrics
    assert not made.averages_draws
    np.testing.assert_array_equal(made.scores, votes.scores)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"normalise": "means"}, "normalise=means of the simpleshot head needs centre=support"),
        ({"result": "majority", "ways": 2}, "result=majority of the simpleshot head needs episodes of all classes"),
        ({"ways": 1}, "ways=1 of the simpleshot head is out of range: it must be 2 or more"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        simpleshot.Config(**settings)  # type: ignore[arg-type]


def test_k_of_the_best_macro_f1_is_the_smallest_and_validation_is_left_out() -> None:
    train, val, test = (cohort(n, seed=s, separation=0.4) for n, s in ((150, 0), (30, 1), (60, 2)))
    config = knn.Config(ties="first", chosen_by="f1_macro", of_equals="smallest", fit_validation=False)
    made = knn.fit_predict(train, val, test, config, 0)
    models = {k: KNeighborsClassifier(k, algorithm="brute", metric="cosine") for k in config.k}
    scores = {}
    for k, model in models.items():
        model.fit(train.features.astype(float), train.labels)
        scores[k] = f1_score(val.labels, model.predict_proba(val.features.astype(float)).argmax(1), average="macro")
    np.testing.assert_allclose(made.info["validation_metric"], list(scores.values()))
    best = max(scores, key=lambda k: scores[k])  # the first of equals
    assert made.info["k"] == best
    np.testing.assert_array_equal(made.scores, models[best].predict_proba(test.features.astype(float)))
    few = cohort(6, classes=2, per_group=1)
    with pytest.raises(UserError, match="There are 6 samples to look for neighbours in, fewer than k=10"):
        knn.fit_predict(few, cohort(40, seed=1, classes=2), few, knn.Config(k=[10], fit_validation=False), 0)


def test_tied_majorities_and_the_divisor_by_hand() -> None:
    angles = np.array([0.1, 0.2, 0.3, 0.4, 2.0])
    database = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    train = Samples(np.array(list("abcde")), np.array(list("abcde")), database, np.array([1, 0, 0, 1, 0]))
    query = np.array([[1, 0], [1, 0]], dtype=np.float32)
    test = Samples(np.array(["q", "r"]), np.array(["q", "r"]), query, np.array([0, 1]))
    majority = {}
    for ties in ("wrong", "right", "first"):
        made = retrieval.fit_predict(train, None, test, retrieval.Config(k=[2, 4], ties=ties, divisor="k"), 0)
        majority[ties] = made.metrics["majority_2"]["value"]
        # Retrieved: 1 0 0 1. Precisions of class 0 at ranks 2 and 3, of class 1 at ranks 1 and 4.
        assert made.metrics["map_at_4"]["value"] == pytest.approx(((1 / 2 + 2 / 3) / 4 + (1 + 2 / 4) / 4) / 2)
        assert ("majority_f1_macro_2" in made.metrics) == (ties == "first")
    assert majority == {"wrong": 0, "right": 1, "first": 0.5}


def test_a_slide_with_fewer_tiles_than_k_votes_with_all() -> None:
    rng = np.random.default_rng(0)
    tiles = [rng.normal(size=(n, 4)).astype(np.float32) + label for label, n in ((0, 9), (3, 7), (0, 2), (3, 1))]
    ids = np.array(list("abcd"))
    bags = Bags(ids, ids, tiles, np.array([0, 1, 0, 1]))
    made = prototype_topk.fit_predict(
        bags.take(np.arange(2)), None, bags.take(np.arange(2, 4)), prototype_topk.Config(topk=5), 0
    )
    assert made.scores.argmax(1).tolist() == [0, 1]
    np.testing.assert_allclose(made.scores.sum(1), 1)
