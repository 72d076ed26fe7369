"""The preset abmil_hipt against HIPT's own network and training loop (make_abmil_hipt.py)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mil_helpers import as_bags, bags, fill, golden, outputs, preset, summary

from bench.protocols import abmil
from bench.protocols.abmil_training import train

GOLDEN = golden("abmil_hipt")


@pytest.mark.parametrize("dim", [16, 384])
def test_the_preset_is_the_authors_code(dim: int) -> None:
    tiles, labels = bags(0, GOLDEN["sizes"].tolist(), dim), GOLDEN["labels"].tolist()
    config = preset("abmil_hipt", epochs=3, **({"dim": 384} if dim == 384 else {}))
    side = as_bags(tiles, labels)
    goal = config.objective(side.table(), None, side.table())
    torch.manual_seed(1)
    network = abmil.build(config, dim, goal.logits)
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    spread = [float(one.weight.detach().std()) * math.sqrt(sum(one.weight.shape) / 2) for one in layers]
    np.testing.assert_allclose(spread, GOLDEN[f"{dim}_initial_sd"], atol=0.15)  # 1 of many draws of either
    np.testing.assert_allclose(spread[:3], 1, atol=0.02)
    assert all(not one.bias.any() for one in layers)
    assert not GOLDEN[f"{dim}_initial_bias"].any()
    fill(network)
    logits, attention = outputs(network, tiles)
    np.testing.assert_allclose(logits, GOLDEN[f"{dim}_logits"], atol=2e-6)
    np.testing.assert_allclose(attention, GOLDEN[f"{dim}_attention"], atol=1e-6)
    torch.manual_seed(2)
    train(network, side, None, goal, config, 3, torch.device("cpu"))
    trained = outputs(network, tiles)[0]
    np.testing.assert_allclose(trained, GOLDEN[f"{dim}_trained_logits"], atol=1e-5)
    np.testing.assert_allclose(
        summary(dict(network.named_parameters())), GOLDEN[f"{dim}_trained"], rtol=1e-5, atol=1e-4
    )
    assert np.abs(trained - logits).max() > 1e-2


def test_a_bag_is_drawn_as_probably_as_theirs() -> None:
    labels = GOLDEN["labels"]
    weights = 1 / np.bincount(labels)[labels]
    np.testing.assert_allclose(weights / weights.sum(), GOLDEN["weights"], rtol=1e-12)
