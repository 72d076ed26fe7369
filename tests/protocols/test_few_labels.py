"""Few-shot, prototypes, retrieval and label efficiency against plain loops."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_helpers import cohort, logistic_oracle
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from bench import protocols
from bench.metrics import METRIC_SETS, score
from bench.protocols import Samples, draws, label_efficiency, prototype, retrieval, simpleshot
from registry.errors import UserError


def units(x: np.ndarray, centre: np.ndarray) -> np.ndarray:
    moved = x.astype(np.float64) - centre
    return moved / np.sqrt((moved**2).sum(1))[:, None]


@pytest.mark.parametrize("memory_gib", [1e-9, 1.0])
@pytest.mark.parametrize("shots", [1, 4])
def test_simpleshot_is_a_loop_over_episodes(memory_gib: float, shots: int) -> None:
    train, test = cohort(120, separation=0.4), cohort(60, seed=1, separation=0.4)
    config = simpleshot.Config(shots=[shots], episodes=50, memory_gib=memory_gib)
    predictions = simpleshot.fit_predict(train, None, test, config, 2)
    support = simpleshot.draw_support(train.labels, 3, 4, 50, 2)
    centre = train.features.mean(0, dtype=np.float64)
    x, q = units(train.features, centre), units(test.features, centre)
    votes, oracle = np.zeros((60, 3)), defaultdict(list)
    for episode in support:
        means = np.array([x[rows[:shots]].mean(0) for rows in episode])
        odds = np.exp(-np.array([((means - one) ** 2).sum(1) for one in q]))
        predicted = odds.argmax(1)
        votes[np.arange(60), predicted] += 1 / 50
        oracle["balanced_accuracy"].append(balanced_accuracy_score(test.labels, predicted))
        oracle["accuracy"].append(accuracy_score(test.labels, predicted))
        oracle["f1_macro"].append(f1_score(test.labels, predicted, average="macro"))
        probabilities = odds / odds.sum(1, keepdims=True)
        oracle["auroc"].append(roc_auc_score(test.labels, probabilities, multi_class="ovr"))
    assert predictions.metrics.keys() == oracle.keys()
    for name, values in oracle.items():
        own = predictions.metrics[name]
        assert own["value"] == pytest.approx(np.mean(values), abs=1e-5 if name == "auroc" else 1e-12)
        assert own["ci_low"] == pytest.approx(np.quantile(values, 0.025), abs=1e-4 if name == "auroc" else 1e-12)
        assert own["interval"] == "episodes"
    assert predictions.averages_draws
    np.testing.assert_allclose(predictions.scores, votes, atol=1e-12)
    again = simpleshot.fit_predict(train, None, test, config, 2)
    assert again.scores.tobytes() == predictions.scores.tobytes()


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 30), st.sampled_from(["classes", "ordinal"]))
def test_metrics_of_many_draws_are_those_of_each(seed: int, classes: int, samples: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, samples)
    scores = rng.integers(1, 5, (6, samples, classes)).astype(float)  # with many equal ones
    scores /= scores.sum(axis=2, keepdims=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draws, "AT_ONCE", 2 * samples)
        found = draws.metrics_of_draws(labels, scores.argmax(axis=2), scores, kind)
    assert found.keys() == METRIC_SETS[kind].metrics.keys()
    for i, own in enumerate(scores):
        expected = score(labels, own, np.arange(samples), kind=kind, n_boot=0)
        for name, values in found.items():
            assert values[i] == pytest.approx(expected[name].value, abs=1e-12, nan_ok=True), name


def test_a_metric_without_a_form_for_many_draws_is_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 3, 40), rng.dirichlet(np.ones(3), (5, 40))
    fast = draws.metrics_of_draws(labels, scores.argmax(axis=2), scores, "classes")
    monkeypatch.setattr(draws, "OF_CONFUSIONS", {})
    slow = draws.metrics_of_draws(labels, scores.argmax(axis=2), scores, "classes")
    for name, values in fast.items():
        np.testing.assert_allclose(slow[name], values, atol=1e-12)


def test_fewer_shots_take_the_first_supports_of_more() -> None:
    labels = np.repeat([0, 1], [30, 12])
    most = simpleshot.draw_support(labels, 2, 12, 20, 5)
    for shots in (1, 4, 8):
        np.testing.assert_array_equal(simpleshot.draw_support(labels, 2, shots, 20, 5), most[:, :, :shots])


@pytest.mark.parametrize(
    ("own", "field", "expected"),
    [
        ({"kind": "simpleshot", "shots": [8, 1]}, "shots", {"few-1shot": [1], "few-8shot": [8]}),
        ({"kind": "label_efficiency", "percent": [2.5]}, "percent", {"few-2.5pct": [2.5]}),
    ],
)
def test_each_number_of_shots_or_share_is_a_row(own: dict[str, Any], field: str, expected: dict[str, Any]) -> None:
    made = protocols.rows_of({"few": protocols.configured(own), "knn": protocols.configured({"kind": "knn"})})
    assert {name: getattr(head.config, field) for name, head in made.items() if name != "knn"} == expected
    assert made["knn"].head_type == "knn"
    inner = {name: value for name, value in own.items() if name != "kind"}
    pooled = protocols.configured({"kind": "pooled", "head": own["kind"], "settings": inner})
    assert {name: head.config.settings[field] for name, head in protocols.rows_of({"few": pooled}).items()} == expected


def test_a_protocol_with_the_name_of_another_row_is_refused() -> None:
    heads = {"few": {"kind": "simpleshot", "shots": [1]}, "few-1shot": {"kind": "knn"}}
    with pytest.raises(UserError, match="few-1shot has the name of a row of another protocol"):
        protocols.rows_of({name: protocols.configured(settings) for name, settings in heads.items()})


def test_support_is_of_its_class_and_without_repeats() -> None:
    labels = np.array([0, 1, 1, 0, 2, 2, 2, 0, 1])
    support = simpleshot.draw_support(labels, 3, 3, 200, 0)
    for c in range(3):
        assert (labels[support[:, c]] == c).all()
        assert (np.diff(np.sort(support[:, c], axis=1), axis=1) > 0).all()


def test_more_shots_help_and_too_many_are_refused() -> None:
    train, test = cohort(120), cohort(60, seed=1)
    values = [
        simpleshot.fit_predict(train, None, test, simpleshot.Config(shots=[n], episodes=100), 0).metrics
        for n in (1, 2, 4, 8, 16)
    ]
    scores = [metrics["balanced_accuracy"]["value"] for metrics in values]
    assert scores == sorted(scores)
    with pytest.raises(UserError, match="10 training samples of class 0, fewer than 16 shots: leave 16 out of the"):
        simpleshot.fit_predict(cohort(30), None, test, simpleshot.Config(shots=[16]), 0)


def test_prototype_is_the_nearest_mean() -> None:
    train, val, test = cohort(90), cohort(30, seed=2), cohort(60, seed=1)
    predictions = prototype.fit_predict(train, val, test, prototype.Config(), 0)
    both, labels = np.concatenate([train.features, val.features]), np.concatenate([train.labels, val.labels])
    centre = both.mean(0, dtype=np.float64)
    x, q = units(both, centre), units(test.features, centre)
    means = np.array([x[labels == c].mean(0) for c in range(3)])
    squares = ((q[:, None] - means) ** 2).sum(2)
    np.testing.assert_allclose(predictions.scores, np.exp(-squares) / np.exp(-squares).sum(1)[:, None], rtol=1e-9)


def test_retrieval_by_hand() -> None:
    angles = np.array([0.1, 0.2, 0.3, 0.4, 2.0])
    database = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    train = Samples(np.array(list("abcde")), np.array(list("abcde")), database, np.array([0, 1, 0, 1, 0]))
    query = np.array([[1, 0], [1, 0]], dtype=np.float32)
    test = Samples(np.array(["q", "r"]), np.array(["q", "r"]), query, np.array([0, 1]))
    metrics = retrieval.fit_predict(train, None, test, retrieval.Config(k=[1, 2, 4]), 0).metrics
    # Retrieved: 0 1 0 1. Class 0 has three samples, class 1 two.
    assert metrics["top_1"]["value"] == 0.5
    assert metrics["top_2"]["value"] == 1
    assert metrics["map_at_1"]["value"] == 0.5
    assert metrics["map_at_4"]["value"] == pytest.approx(((1 + 2 / 3) / 3 + (1 / 2 + 2 / 4) / 2) / 2)
    assert metrics["majority_1"]["value"] == 0.5
    assert metrics["majority_2"]["value"] == 0  # one each: a tie is not correct
    assert metrics["majority_4"]["value"] == 0


def test_retrieval_of_equal_distances_counts_the_other_class_first() -> None:
    same = np.tile(np.array([[1.0, 0.5]], dtype=np.float32), (4, 1))
    ids = np.array(list("abcd"))
    train = Samples(ids, ids, np.concatenate([same, -same])[[0, 1, 2, 4]], np.array([0, 0, 1, 1]))
    test = Samples(np.array(["q", "r"]), np.array(["q", "r"]), same[:2], np.array([0, 1]))
    metrics = retrieval.fit_predict(train, None, test, retrieval.Config(k=[1, 3]), 0).metrics
    assert metrics["top_1"]["value"] == 0
    with pytest.raises(UserError, match="set k of the protocol"):
        retrieval.fit_predict(train, None, test, retrieval.Config(k=[10]), 0)


def train_by_id(samples: Samples) -> Samples:
    """The samples in the order of their ids."""
    return samples.take(np.argsort(samples.ids, kind="stable"))


def test_label_efficiency_fits_each_share() -> None:
    train, test = cohort(240, separation=0.6), cohort(200, seed=1, separation=0.6)
    of_few, of_all = (
        label_efficiency.fit_predict(train, None, test, label_efficiency.Config(percent=[p], repeats=4), 0)
        for p in (5, 100)
    )
    fitted = logistic_oracle(train.features, train.labels, 1.0)
    np.testing.assert_allclose(of_all.scores, fitted.predict_proba(test.features.astype(float)), atol=1e-4)
    few, all_ = of_few.metrics["balanced_accuracy"], of_all.metrics["balanced_accuracy"]
    assert few["value"] < all_["value"]
    assert few["ci_low"] < few["ci_high"]
    assert all_["ci_low"] == all_["ci_high"]
    assert few["interval"] == all_["interval"] == "repeats"
    assert of_few.averages_draws
    assert of_all.info["samples"] == [240] * 4
    fits = []
    for repeat in range(4):
        subset = label_efficiency.nested_subsets(train_by_id(train), [0.05], np.random.default_rng([0, repeat]))[0]
        part = train_by_id(train).take(subset)
        guess = logistic_oracle(part.features, part.labels, 1.0).predict(test.features.astype(float))
        fits.append(balanced_accuracy_score(test.labels, guess))
    assert few["value"] == pytest.approx(np.mean(fits), abs=1e-9)


def test_subsets_are_whole_nested_groups_with_every_class() -> None:
    samples = replace(cohort(300, classes=4), groups=np.array([f"g{i // 7}" for i in range(300)]))
    shares = [0.01, 0.1, 0.5, 1.0]
    for seed in range(20):
        subsets = label_efficiency.nested_subsets(samples, shares, np.random.default_rng(seed))
        for share, subset in zip(shares, subsets, strict=True):
            assert set(samples.labels[subset]) == {0, 1, 2, 3}
            assert not set(samples.groups[subset]) & set(samples.groups[~subset])
            assert subset.sum() >= share * 300
            assert subset.sum() <= max(share * 300 + 7, 28)
        for small, large in pairwise(subsets):
            assert not (small & ~large).any()
        assert subsets[-1].all()


def test_shares_of_the_labels_are_drawn_by_the_seed_and_by_the_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = cohort(240, separation=0.6), cohort(60, seed=1, separation=0.6)
    config = label_efficiency.Config(percent=[10, 30], repeats=3)
    draw = label_efficiency.nested_subsets
    drawn: list[bytes] = []

    def watched(*arguments: object) -> list[np.ndarray]:
        subsets = draw(*arguments)  # type: ignore[arg-type]
        drawn.append(np.stack(subsets).tobytes())
        return subsets

    monkeypatch.setattr(label_efficiency, "nested_subsets", watched)
    first, again, *others = (label_efficiency.fit_predict(train, None, test, config, seed) for seed in (0, 0, 1, 2))
    assert drawn[:3] == drawn[3:6]
    assert len(set(drawn)) == 9  # three repeats of three seeds: no repeat of a seed is that of another
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.metrics == again.metrics
    assert len({made.scores.tobytes() for made in (first, *others)}) == 3
