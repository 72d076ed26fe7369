"""The multiple-instance heads on every kind of target: what can be learned is, and again the same."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from protocol_helpers import mil
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, roc_auc_score

from bench import protocols
from bench.protocols import KINDS, Bags, abmil, networks
from bench.protocols.abmil_losses import MultiLabel, objective
from bench.protocols.survival import concordance
from registry.errors import UserError

SETTINGS = abmil.Config(
    dim=24, attention_dim=8, dropout=0.1, epochs=15, batch=10, pack_tiles=1000, learning_rate=5e-3, schedule="constant"
)


def truth(kind: str, hidden: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels of each kind from two hidden numbers a slide."""
    u, v = hidden.T
    if kind == "classes":
        return (u > 0).astype(np.int64)
    if kind == "ordinal":
        return np.searchsorted([-0.8, 0.0, 0.8], u)
    if kind == "regression":
        return np.stack([100 + 20 * u, v - 3], axis=1)
    if kind == "survival":
        time = rng.exponential(np.exp(-2 * u))
        censored = rng.exponential(2.0, len(u))
        return np.stack([np.minimum(time, censored) + 1e-3, time <= censored], axis=1).astype(np.float64)
    return (hidden > 0.3).astype(np.int64)


def slides(kind: str, n: int, seed: int) -> tuple[Bags, np.ndarray]:
    """Bags whose marked tiles, a third, show the two hidden numbers; gives both."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    features = []
    for numbers in hidden:
        x = rng.normal(size=(int(rng.integers(9, 25)), 8)).astype(np.float32)
        marked = np.arange(0, len(x), 3)
        x[marked, 2] += 5
        x[marked[:, None], [0, 1]] += 2 * numbers
        features.append(x)
    ids = np.array([f"{seed}-{i:03d}" for i in range(n)])
    return Bags(ids, ids, features, truth(kind, hidden, rng), kind=kind), hidden


def skill(kind: str, predictions: protocols.Predictions, hidden: np.ndarray) -> float:
    """From 0 for chance to 1; survival's is that of the risks' order against the true one."""
    y, scores = predictions.y_true, predictions.scores
    if kind == "classes":
        return 2 * float(balanced_accuracy_score(y, scores.argmax(axis=1))) - 1
    if kind == "ordinal":
        return float(cohen_kappa_score(y, scores.argmax(axis=1), weights="quadratic"))
    if kind == "regression":
        return float(min(np.corrcoef(y[:, t], scores[:, t])[0, 1] for t in range(2)))
    if kind == "survival":
        return float(spearmanr(hidden[:, 0], scores[:, 0])[0])
    return 2 * float(min(roc_auc_score(y[:, c], scores[:, c]) for c in range(2))) - 1


def learned(config: abmil.Config, kind: str) -> float:
    (train, _), (val, _), (test, hidden) = slides(kind, 120, 0), slides(kind, 40, 1), slides(kind, 80, 2)
    predictions = abmil.fit_predict(train, val, test, config, 0)
    assert predictions.kind == kind
    assert len(predictions.scores) == 80
    assert (predictions.calibrated is not None) == (kind in ("classes", "ordinal"))
    if kind == "regression":  # in the units of the targets
        assert (np.abs(predictions.scores.mean(0) - test.labels.mean(0)) < test.labels.std(0) / 2).all()
    return skill(kind, predictions, hidden)


def test_attention_learns_the_order_by_cox_too() -> None:
    assert learned(replace(SETTINGS, survival_loss="cox", batch=30), "survival") > 0.6


# The kinds share the losses and the networks the training: among the fast tests ABMIL learns all kinds, and another
# network classes and, but for those that take long, columns of numbers.
FAST = {("abmil", kind) for kind in KINDS} | set(itertools.product(networks.names(), ("classes", "regression")))
FAST -= {("transmil", "classes"), ("transmil", "regression"), ("dsmil", "regression"), ("clam_mb", "classes")}
FAST -= {("abmil_multihead", "classes"), ("abmil_multihead", "regression")}


def pairs() -> list[object]:
    """Every network with every kind; those that train for long are slow, those that only refuse a kind are not."""
    found = []
    for network, kind in itertools.product(networks.names(), KINDS):
        takes = kind in abmil.kinds_of(mil(**{**vars(SETTINGS), "network": network}))
        slow = takes and (network, kind) not in FAST
        found.append(pytest.param(network, kind, marks=[pytest.mark.slow] if slow else []))
    return found


OF_NETWORKS: dict[str, dict[str, Any]] = {
    "dsmil": {"learning_rate": 2e-2},  # without layers before its attention, it starts from smaller gradients
    "transmil": {"epochs": 5},  # each takes three times as long, and the labels are learned by then
}


@pytest.mark.slow
@pytest.mark.parametrize(("network", "kind"), pairs())
def test_every_network_learns_the_kinds_that_it_takes(network: str, kind: str) -> None:
    config = mil(**{**vars(SETTINGS), "network": network, **OF_NETWORKS.get(network, {})})
    if kind not in abmil.kinds_of(config):
        (train, _), (test, _) = slides(kind, 20, 0), slides(kind, 20, 1)
        with pytest.raises(UserError, match=f"kind classes, ordinal, but the task's are of the kind {kind}"):
            protocols.Head("abmil", config).fit_predict(train, None, test, 0)
    else:
        assert learned(config, kind) > (0.6 if network == "abmil" else 0.4)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_bytes_whatever_the_order_of_slides_and_tiles(kind: str) -> None:
    (train, _), (test, _) = slides(kind, 40, 0), slides(kind, 24, 1)
    config = replace(SETTINGS, epochs=2, bag_size=12)
    first = abmil.fit_predict(train, None, test, config, 3)
    again = abmil.fit_predict(train, None, test, config, 3)
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.info == again.info
    assert "inner folds" in first.info["chosen_by"]
    rng = np.random.default_rng(0)
    moved = replace(test, features=[bag[rng.permutation(len(bag))] for bag in test.features])
    other = abmil.fit_predict(train.take(rng.permutation(40)), None, moved, config, 3)
    np.testing.assert_allclose(other.scores, first.scores, rtol=1e-4, atol=1e-5)
    assert abmil.fit_predict(train, None, test, config, 4).scores.tobytes() != first.scores.tobytes()


@pytest.mark.parametrize("loss", ["cox", "discrete"])
def test_higher_risk_is_the_earlier_event(loss: str) -> None:
    (train, _), (test, hidden) = slides("survival", 120, 0), slides("survival", 80, 1)
    config = replace(SETTINGS, survival_loss=loss, batch=30, keep="last")
    risk = abmil.fit_predict(train, None, test, config, 0).scores[:, 0]
    own, perfect = (concordance(test.labels[:, 0], test.labels[:, 1] > 0, r) for r in (risk, hidden[:, 0]))
    assert own > 0.5 + 0.7 * (perfect - 0.5)


def test_balanced_labels_weigh_presence_and_absence_alike() -> None:
    (train, _), (test, _) = slides("multilabel", 40, 0), slides("multilabel", 40, 1)
    goal = objective(train.table(), None, test.table(), "balanced", "discrete", 4)
    assert isinstance(goal, MultiLabel)
    target = goal.target(train.labels, torch.device("cpu"))
    logits = torch.zeros(40, 2, requires_grad=True)
    goal.loss(logits, target).backward()
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.sum(0), 0, atol=1e-6)  # at one half, both sides pull alike
    plain = replace(goal, weights=None).loss(torch.full((40, 2), 0.3), target)
    expected = np.mean(np.where(train.labels, np.log1p(np.exp(-0.3)), np.log1p(np.exp(0.3))))
    assert plain.item() == pytest.approx(expected, rel=1e-5)


def one_event(labels: np.ndarray) -> np.ndarray:
    """Survival in which only the first event is seen."""
    return np.stack([labels[:, 0], np.arange(len(labels)) == labels[:, 1].argmax()], axis=1)


@pytest.mark.parametrize(
    ("kind", "spoil", "change", "says"),
    [
        ("survival", None, {"survival_loss": "cox", "batch": 1}, "set batch to 16 or more, or survival_loss=discrete"),
        ("survival", None, {"intervals": 1}, "intervals=1"),
        ("survival", lambda y: y * [1, 0], {}, "No training sample has an event"),
        ("survival", one_event, {}, "events of the training set are of too"),
        ("regression", lambda y: y * [1, 0], {}, "same value of the target 1"),
        ("regression", lambda y: np.where(np.arange(40)[:, None] == 3, np.nan, y), {}, "not finite \\(0-003\\)"),
        ("multilabel", lambda y: y + 1, {}, "not 0 or 1"),
        ("multilabel", lambda y: y * [1, 0], {}, "no sample has the label 1"),
        ("multilabel", None, {"class_weight": "some"}, "class_weight=some"),
        ("ordinal", lambda y: y.astype(float), {}, "not class indices"),
        ("ordinal", lambda y: np.where(y == 2, 1, y), {}, "training set has no sample of class 2"),
    ],
)
def test_labels_that_cannot_be_learned_are_named(
    kind: str, spoil: object, change: dict[str, object], says: str
) -> None:
    (train, _), (test, _) = slides(kind, 40, 0), slides(kind, 40, 1)
    if spoil is not None:
        train = replace(train, labels=spoil(train.labels))  # type: ignore[operator]
    with pytest.raises(UserError, match=says) as raised:
        abmil.fit_predict(train, None, test, replace(SETTINGS, epochs=1, **change), 0)
    assert "\n" not in str(raised.value)


def test_a_validation_side_without_events_cannot_choose() -> None:
    (train, _), (val, _), (test, _) = (slides("survival", 40, seed) for seed in range(3))
    censored = replace(val, labels=val.labels * [1, 0])
    with pytest.raises(UserError, match="keep=last"):
        abmil.fit_predict(train, censored, test, replace(SETTINGS, epochs=1), 0)
    assert np.isfinite(
        abmil.fit_predict(train, censored, test, replace(SETTINGS, epochs=1, keep="last"), 0).scores
    ).all()


def test_pooled_bags_of_each_kind_through_the_heads_for_vectors() -> None:
    for kind, head in (("multilabel", "linear"), ("regression", "ridge"), ("ordinal", "ridge"), ("survival", "cox")):
        if head == "cox":
            pytest.importorskip("sksurv")
        (train, _), (test, hidden) = slides(kind, 120, 0), slides(kind, 80, 1)
        own = protocols.configured({"kind": "pooled", "head": head})
        predictions = own.fit_predict(train, None, test, 0)
        assert predictions.kind == kind
        assert skill(kind, predictions, hidden) > 0.4
        again = own.fit_predict(train, None, test, 0)
        assert again.scores.tobytes() == predictions.scores.tobytes()
