"""When the training of a MIL network ends, and whose weights it leaves."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from protocol_helpers import cohort

from bench import protocols
from bench.protocols import Bags, abmil, abmil_training
from bench.protocols.abmil_losses import Objective
from bench.protocols.abmil_schedule import Schedule
from bench.protocols.abmil_training import train


def slides(n: int, seed: int) -> Bags:
    """Small bags of two classes, hard enough that later epochs only learn the training side by heart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    tiles = [rng.normal(size=(4, 6)).astype(np.float32) + 0.2 * label for label in labels]
    ids = np.array([f"{seed}-{i:03d}" for i in range(n)])
    return Bags(ids, ids, tiles, labels.astype(np.int64))


@pytest.mark.parametrize(
    ("values", "patience", "min_epochs", "epochs", "kept"),
    [
        # patience is the number of epochs after the best one, and every improvement starts it anew
        ([3, 2, 4, 4, 4, 0], 3, 0, 5, 1),
        ([3, 4, 4, 2, 4, 4, 4, 0], 3, 0, 7, 3),
        ([3, 4, 0, 0, 0, 0], 1, 0, 2, 0),
        # an equal value is no improvement, and the earliest epoch is kept
        ([2, 2, 2, 2, 1], 3, 0, 4, 0),
        # never before min_epochs, and then at once
        ([1, 2, 2, 2, 2, 2, 0], 2, 6, 6, 0),
        ([1, 2, 2, 0.5, 2, 0], 2, 5, 6, 5),
        ([5, 4, 3, 2, 1, 0], 1, 0, 6, 5),
        # without patience all epochs are trained
        ([1, 2, 2, 2, 2, 2], None, 0, 6, 0),
    ],
)
def test_training_ends_when_patience_does_with_the_weights_of_the_best_epoch(
    monkeypatch: pytest.MonkeyPatch,
    values: list[float],
    patience: int | None,
    min_epochs: int,
    epochs: int,
    kept: int,
) -> None:
    weights: list[dict[str, torch.Tensor]] = []

    def validate(network: torch.nn.Module, *_: Any) -> float:
        weights.append(copy.deepcopy(network.state_dict()))
        return values[len(weights) - 1]

    monkeypatch.setattr(abmil_training, "_validate", validate)
    bags, val = slides(10, 0), slides(4, 1)
    torch.manual_seed(0)
    network = abmil.build(abmil.Config(dim=4, attention_dim=3, dropout=0.0), bags.dim, 2)
    how = Schedule(
        epochs=len(values),
        patience=patience,
        min_epochs=min_epochs,
        learning_rate=0.01,
        schedule="constant",
        precision="float32",
    )
    history = train(network, bags, val, Objective(2), how, 0, torch.device("cpu"))
    assert len(history.training_loss) == len(history.validation) == epochs
    assert history.validation == values[:epochs]
    assert history.best_epoch == kept
    left = network.state_dict()
    for epoch, of_epoch in enumerate(weights):
        assert all(torch.equal(left[name], value) for name, value in of_epoch.items()) == (epoch == kept)


SMALL = {"kind": "abmil", "dim": 8, "attention_dim": 4, "batch": 4, "learning_rate": 0.02, "precision": "float32"}


@pytest.mark.slow
def test_the_best_epoch_predicts_as_a_training_of_that_length() -> None:
    train_bags, val, test = slides(24, 0), slides(16, 1), slides(10, 2)
    settings = {**SMALL, "schedule": "constant"}
    best = protocols.configured({**settings, "epochs": 20, "patience": None}).fit_predict(train_bags, val, test, 0)
    losses = best.info["validation"]
    assert best.info["best_epoch"] == int(np.argmin(losses))
    assert 0 < best.info["best_epoch"] < 19
    shorter = protocols.configured({**settings, "epochs": best.info["best_epoch"] + 1, "keep": "last"})
    assert shorter.fit_predict(train_bags, val, test, 0).scores.tobytes() == best.scores.tobytes()
    at_the_end = protocols.configured({**settings, "epochs": 20, "keep": "last"}).fit_predict(train_bags, val, test, 0)
    assert at_the_end.scores.tobytes() != best.scores.tobytes()
    assert at_the_end.info["best_epoch"] == 19


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_without_a_validation_side_all_bags_are_trained_for_as_many_epochs_as_the_best_has(schedule: str) -> None:
    train_bags, test = slides(30, 3), slides(10, 2)
    settings = {**SMALL, "schedule": schedule, "epochs": 20, "patience": None}
    plain = protocols.configured({**settings, "refit": False}).fit_predict(train_bags, None, test, 0)
    refit = protocols.configured(settings).fit_predict(train_bags, None, test, 0)
    assert refit.info["refit"] is True
    assert refit.info["epochs"] == plain.info["best_epoch"] + 1 < 20
    for name in ("best_epoch", "validation", "training_loss", "temperature", "temperature_samples"):
        assert refit.info[name] == plain.info[name]
    assert "notes" not in refit.info
    assert plain.info["refit"] is False
    assert "learned from 24 of the 30 training groups (80%)" in " ".join(plain.info["notes"])
    assert plain.scores.tobytes() != refit.scores.tobytes()
    if schedule == "constant":
        alone = protocols.configured({**settings, "epochs": refit.info["epochs"], "keep": "last"})
        assert alone.fit_predict(train_bags, None, test, 0).scores.tobytes() == refit.scores.tobytes()


def test_with_a_validation_side_nothing_is_trained_again() -> None:
    sides = slides(24, 0), slides(16, 1), slides(10, 2)
    settings = {"kind": "abmil", "dim": 8, "attention_dim": 4, "epochs": 3}
    first, other = (
        protocols.configured({**settings, "refit": refit}).fit_predict(*sides, 0) for refit in (True, False)
    )
    assert first.scores.tobytes() == other.scores.tobytes()
    assert "refit" not in first.info
    assert "learned from" not in " ".join(other.info.get("notes", []))


def test_the_mini_batch_probe_says_of_how_many_groups_it_learned() -> None:
    train_side, val, test = (cohort(n, seed=seed) for n, seed in ((90, 0), (60, 1), (30, 2)))
    head = protocols.configured({"kind": "linear_sgd", "steps": 20})
    says = "learned from 24 of the 30 training groups (80%)"
    assert any(says in note for note in head.fit_predict(train_side, None, test, 0).info["notes"])
    assert "learned from" not in " ".join(head.fit_predict(train_side, val, test, 0).info.get("notes", []))
