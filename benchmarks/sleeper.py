"""A plugin: a stand-in for a network on a GPU, which takes its time and none of the processor's."""

from __future__ import annotations

import time

import torch
from torch import nn

from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

SECONDS = 0.2  # a batch


class Sleeper(nn.Module):
    """Channel means of tiles."""

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        time.sleep(SECONDS)
        return tiles.mean((2, 3))


CARDS = (
    ModelCard(
        name="sleeper",
        family="sleeper",
        title="Stand-in for a network on a GPU",
        dim=3,
        params=0,
        paper="none",
        url="none",
        licence="none",
        architecture=Architecture(builder="sleeper:Sleeper"),
        preprocessing=Preprocessing(size=32, mpp=None, tile_size=32, resize=32),
        weights=Weights(layout="none"),
        precision="float32",
        pretraining=Pretraining(method="none", data="none"),
    ),
)
