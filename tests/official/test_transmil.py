"""TransMIL's network, training and optimiser against what the authors' code makes of the same bags and weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mil_helpers import as_bags, bags, fill, golden, outputs, preset, summary

from bench.protocols import abmil
from bench.protocols.abmil_optimisers import OPTIMISERS
from bench.protocols.abmil_training import train

GOLDEN = golden("transmil")


@pytest.mark.parametrize("sizes", [1, pytest.param(len(GOLDEN["sizes"]), marks=pytest.mark.slow)])
def test_transmil_is_the_authors_code_from_3_tiles_to_more_than_the_landmarks(sizes: int) -> None:
    network = abmil.build(preset("transmil"), 1024, 2)
    fill(network)
    logits, attention = outputs(network, bags(0, GOLDEN["sizes"].tolist()[:sizes], 1024))
    np.testing.assert_allclose(logits, GOLDEN["logits"][:sizes], atol=2e-5)
    assert len(attention) == GOLDEN["sizes"][:sizes].sum()
    assert GOLDEN["sizes"].min() < 225 < GOLDEN["sizes"].max()


@pytest.mark.slow
def test_two_steps_of_transmils_training_are_the_authors() -> None:
    config = preset("transmil", epochs=1, keep="last")
    network = abmil.build(config, 1024, 2)
    fill(network)
    tiles = bags(1, GOLDEN["step_sizes"].tolist(), 1024)
    side = as_bags(tiles, [i % 2 for i in range(len(tiles))])
    goal = config.objective(side.table(), None, side.table())
    torch.manual_seed(2)
    train(network, side, None, goal, config, 3, torch.device("cpu"))
    np.testing.assert_allclose(outputs(network, tiles)[0], GOLDEN["trained_logits"], atol=2e-5)
    trained = summary(dict(network.named_parameters()))
    np.testing.assert_allclose(trained, GOLDEN["trained"], rtol=1e-5, atol=1e-4)
    fill(network)
    assert not np.allclose(summary(dict(network.named_parameters())), GOLDEN["trained"], rtol=1e-5, atol=1e-4)


def test_its_optimiser_is_radam_that_goes_back_to_slow_weights() -> None:
    layer = torch.nn.Linear(3, 2)
    fill(layer)
    how = preset("transmil")
    optimiser, rng = OPTIMISERS[how.optimiser](layer, 0.05, 0.1, (how.beta1, how.beta2)), np.random.default_rng(0)
    for expected in GOLDEN["optimiser"]:
        for p in layer.parameters():
            p.grad = torch.from_numpy(rng.normal(size=p.shape).astype(np.float32))
        optimiser.step()
        own = torch.cat([p.detach().flatten() for p in layer.parameters()]).numpy()
        np.testing.assert_allclose(own, expected, atol=1e-5)
