"""The preset abmil_uni against CLAM's network in PANTHER's training of UNI features (make_abmil_uni.py)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from mil_helpers import as_bags, bags, check_stopping, fill, golden, outputs, preset, summary

from bench.protocols import abmil
from bench.protocols.abmil_schedule import learning_rate, steps_an_epoch
from bench.protocols.abmil_training import train

GOLDEN = golden("abmil_uni")
DIM, EPOCHS = int(GOLDEN["dim"]), int(GOLDEN["epochs"])
FASTER = {"epochs": EPOCHS, "learning_rate": 1e-2, "weight_decay": 0.1}


def test_the_preset_is_the_authors_code() -> None:
    n = len(GOLDEN["logits"])
    tiles = bags(0, [5 + i % 4 for i in range(n)], DIM)
    config = preset("abmil_uni", **FASTER)
    side = as_bags(tiles, [i % 2 for i in range(n)])
    goal = config.objective(side.table(), None, side.table())
    network = abmil.build(config, DIM, goal.logits)
    fill(network)
    logits, attention = outputs(network, tiles)
    np.testing.assert_allclose(logits, GOLDEN["logits"], atol=2e-6)
    np.testing.assert_allclose(attention, GOLDEN["attention"], atol=1e-6)
    np.testing.assert_allclose(logits, GOLDEN["own_network"], atol=2e-6)
    torch.manual_seed(2)
    train(network, side, None, goal, config, 3, torch.device("cpu"))
    trained = outputs(network, tiles)[0]
    np.testing.assert_allclose(trained, GOLDEN["trained_logits"], atol=1e-5)
    np.testing.assert_allclose(summary(dict(network.named_parameters())), GOLDEN["trained"], rtol=1e-5, atol=1e-4)
    assert np.abs(trained - logits).max() > 1e-1
    steps = steps_an_epoch(config, n)
    rates = [learning_rate(config, (epoch + 1) * steps, steps) for epoch in range(EPOCHS)]
    np.testing.assert_allclose(rates, GOLDEN["rates"], atol=1e-15)


def test_early_stopping_saves_and_ends_as_theirs_does() -> None:
    how = preset("abmil_uni")
    check_stopping(how, GOLDEN)
    assert set(GOLDEN["stopping_last"]) >= {14, 17}


def test_fewer_bags_than_a_step_takes_are_a_step_where_theirs_would_never_learn() -> None:
    tiles = bags(0, [4] * 5, DIM)
    config = preset("abmil_uni", **FASTER)
    side = as_bags(tiles, [0, 1, 0, 1, 0])
    goal = config.objective(side.table(), None, side.table())

    def trained(how: object) -> np.ndarray:
        network = abmil.build(config, DIM, goal.logits)
        fill(network)
        torch.manual_seed(2)
        train(network, side, None, goal, how, 3, torch.device("cpu"))
        return outputs(network, tiles)[0]

    np.testing.assert_array_equal(trained(config), trained(replace(config, rest="step")))
    assert np.abs(trained(config) - trained(replace(config, epochs=1))).max() > 1e-3
