"""Few-shot, prototypes, retrieval and label efficiency against plain loops."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from protocol_helpers import cohort, logistic_oracle
from sklearn.metrics import balanced_accuracy_score

from bench.protocols import Samples, label_efficiency, prototype, retrieval, simpleshot
from registry.errors import UserError


def units(x: np.ndarray, centre: np.ndarray) -> np.ndarray:
    moved = x.astype(np.float64) - centre
    return moved / np.sqrt((moved**2).sum(1))[:, None]


@pytest.mark.parametrize("memory_gib", [1e-9, 1.0])
def test_simpleshot_is_a_loop_over_episodes(memory_gib: float) -> None:
    train, test = cohort(120, separation=0.4), cohort(60, seed=1, separation=0.4)
    config = simpleshot.Config(shots=[1, 4], episodes=50, memory_gib=memory_gib)
    predictions = simpleshot.fit_predict(train, None, test, config, 2)
    support = simpleshot.draw_support(train.labels, 3, 4, 50, 2)
    centre = train.features.mean(0, dtype=np.float64)
    x, q = units(train.features, centre), units(test.features, centre)
    for shots in (1, 4):
        scores, votes = [], np.zeros((60, 3))
        for episode in support:
            means = np.array([x[rows[:shots]].mean(0) for rows in episode])
            predicted = np.array([np.argmin(((means - one) ** 2).sum(1)) for one in q])
            scores.append(balanced_accuracy_score(test.labels, predicted))
            votes[np.arange(60), predicted] += 1 / 50
        own = predictions.metrics[f"balanced_accuracy_{shots}shot"]
        assert own["value"] == pytest.approx(np.mean(scores), abs=1e-12)
        assert own["ci_low"] == pytest.approx(np.quantile(scores, 0.025))
    np.testing.assert_allclose(predictions.scores, votes, atol=1e-12)
    again = simpleshot.fit_predict(train, None, test, config, 2)
    assert again.scores.tobytes() == predictions.scores.tobytes()


def test_support_is_of_its_class_and_without_repeats() -> None:
    labels = np.array([0, 1, 1, 0, 2, 2, 2, 0, 1])
    support = simpleshot.draw_support(labels, 3, 3, 200, 0)
    for c in range(3):
        assert (labels[support[:, c]] == c).all()
        assert (np.diff(np.sort(support[:, c], axis=1), axis=1) > 0).all()


def test_more_shots_help_and_too_many_are_refused() -> None:
    train, test = cohort(120), cohort(60, seed=1)
    metrics = simpleshot.fit_predict(train, None, test, simpleshot.Config(episodes=100), 0).metrics
    values = [metrics[f"balanced_accuracy_{n}shot"]["value"] for n in (1, 2, 4, 8, 16)]
    assert values == sorted(values)
    with pytest.raises(UserError, match=r"10 training samples of class 0, fewer than 16 shots.*shots=\[1,2,4,8\]"):
        simpleshot.fit_predict(cohort(30), None, test, simpleshot.Config(), 0)


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


def test_label_efficiency_fits_each_share() -> None:
    train, test = cohort(240, separation=0.6), cohort(200, seed=1, separation=0.6)
    config = label_efficiency.Config(percent=[5, 100], repeats=4)
    predictions = label_efficiency.fit_predict(train, None, test, config, 0)
    fitted = logistic_oracle(train.features, train.labels, 1.0)
    np.testing.assert_allclose(predictions.scores, fitted.predict_proba(test.features.astype(float)), atol=1e-4)
    few, all_ = (predictions.metrics[f"balanced_accuracy_{p}pct"] for p in (5, 100))
    assert few["value"] < all_["value"]
    assert few["ci_low"] < few["ci_high"]
    assert all_["ci_low"] == all_["ci_high"]
    assert [row[-1] for row in predictions.info["samples"]] == [240] * 4


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
