"""A loss that compares the bags of a step, whose gradients come bag by bag."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from protocol_helpers import mil

from bench.protocols import Bags, abmil
from bench.protocols.abmil_losses import Cox
from bench.protocols.abmil_schedule import Schedule
from bench.protocols.abmil_training import train


def survivors(slides: int, dim: int = 6) -> Bags:
    rng = np.random.default_rng(0)
    tiles = [rng.normal(size=(n, dim)).astype(np.float32) for n in rng.integers(5, 30, slides)]
    labels = np.stack([rng.permutation(slides) + 1.0, rng.random(slides) < 0.7], axis=1)
    ids = np.array([f"{i:03d}" for i in range(slides)])
    return Bags(ids, ids, tiles, labels, kind="survival")


@pytest.mark.parametrize("network", ["abmil", "transmil"])
@pytest.mark.parametrize("bag_size", [None, 12])
def test_gradients_of_a_cox_step_are_the_joint_ones_and_no_two_bags_are_held_together(
    network: str, bag_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bags, cpu = survivors(10), torch.device("cpu")
    torch.manual_seed(0)
    fitted = abmil.build(mil(network, dim=16, attention_dim=8, dropout=0.4), bags.dim, 1)
    joint, goal = copy.deepcopy(fitted), Cox(1, "survival", separable=False)
    joint.train()

    rng = np.random.default_rng(3)
    order = rng.permutation(len(bags))
    torch.manual_seed(1)
    logits = []
    for slide in order:
        x = bags.read(slide)
        if bag_size is not None and len(x) > bag_size:
            x = x[np.sort(rng.choice(len(x), bag_size, replace=False))]
        logits.append(joint(torch.from_numpy(x), torch.zeros(len(x), dtype=torch.int64), 1).logits)
    goal.loss(torch.cat(logits), goal.target(bags.labels[order], cpu)).backward()

    held = []
    forward = type(fitted).forward
    monkeypatch.setattr(
        type(fitted), "forward", lambda self, x, bag, n, labels=None: held.append(n) or forward(self, x, bag, n, labels)
    )
    torch.manual_seed(1)
    how = Schedule(epochs=1, batch=len(bags), bag_size=bag_size, keep="last", precision="float32")
    train(fitted, bags, None, goal, how, 3, cpu)
    assert set(held) == {1}
    for (name, own), expected in zip(fitted.named_parameters(), joint.parameters(), strict=True):
        assert own.grad is not None, name
        torch.testing.assert_close(own.grad, expected.grad, atol=1e-7, rtol=1e-5)
