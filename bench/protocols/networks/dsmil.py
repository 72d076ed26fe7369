"""DSMIL (Li, Li, Eliceiri 2021, arXiv:2011.08939) as its authors' code has it today."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.protocols.abmil_losses import Objective, OneAgainstRest
from bench.protocols.base import CLASSIFIED, Samples
from bench.protocols.networks.base import AnyTarget, Output

QUERY = 128


@dataclass
class Settings(AnyTarget):
    """Settings of DSMIL's targets and of its training; its layers have the width of the features."""

    network: str = "dsmil"

    def objective(self, train: Samples, val: Samples | None, test: Samples) -> Objective:
        """As of `AnyTarget`, but that three classes or more, or two with two outputs, are each one against the rest."""
        goal = super().objective(train, val, test)
        if goal.kind in CLASSIFIED and goal.logits > 1:
            return OneAgainstRest(goal.logits, goal.kind, weights=goal.weights)
        return goal

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return DSMIL(features, logits)


class DSMIL(nn.Module):
    """Two streams of logits, which share the loss: the highest of a tile, and those of the pooled bag, which predict.

    For class c with the critical tile m = argmax_n of its tile logits: a_n proportional to exp(q_n' q_m / sqrt(128)),
    b_c = sum_n a_n x_n, and the bag's logits are a linear map of all b_c together. Queries are of two layers with a
    tanh at their end. Weights start orthogonal, biases at 0.
    """

    def __init__(self, features: int, logits: int) -> None:
        super().__init__()
        self.instance = nn.Linear(features, logits)
        self.query = nn.Sequential(nn.Linear(features, QUERY), nn.ReLU(), nn.Linear(QUERY, QUERY), nn.Tanh())
        self.bag = nn.Linear(logits * features, logits)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, tiles: Tensor, bag: Tensor, bags: int, labels: Tensor | None = None) -> Output:
        outputs = [self._one(tiles[bag == b]) for b in range(bags)]
        attention = torch.zeros(len(tiles), device=tiles.device)
        for b, (_, _, weights) in enumerate(outputs):
            attention[bag == b] = weights.float()
        return Output(
            torch.stack([of_bag for of_bag, _, _ in outputs]).float(),
            attention,
            second_stream=torch.stack([of_tile for _, of_tile, _ in outputs]).float(),
        )

    def _one(self, tiles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        instance = self.instance(tiles)
        critical = instance.argmax(0)
        queries = self.query(tiles)
        attention = torch.softmax((queries @ queries[critical].T).float() / QUERY**0.5, dim=0)
        pooled = attention.T.to(tiles.dtype) @ tiles
        return self.bag(pooled.flatten()), instance.amax(0), attention.mean(1)
