"""A plugin of the tests: networks of nine means of a tile, which take no time, and one that fails."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

PATH = Path(__file__)
DIM = 9


class Means(nn.Module):
    """Means of the colour channels over the tile, its upper half and its left half."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(DIM))

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        height, width = tiles.shape[2:]
        parts = (tiles, tiles[:, :, : height // 2], tiles[:, :, :, : width // 2])
        return torch.cat([part.mean((2, 3)) for part in parts], dim=1) * self.factor


class Faulty(nn.Module):
    """Raises what no one expects."""

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError("a fault of the network")


def _card(name: str, network: str, options: dict | None = None) -> ModelCard:
    return ModelCard(
        name=name,
        family="tiny",
        title=f"Stand-in {name}",
        dim=DIM,
        params=0,
        paper="none",
        url="none",
        licence="none",
        architecture=Architecture(builder=f"{PATH.stem}:{network}"),
        preprocessing=Preprocessing(
            size=64, mpp=None, tile_size=224, resize=64, crop=False, mean=(0, 0, 0), std=(1, 1, 1), multiple_of=1
        ),
        weights=Weights(layout="none"),
        pretraining=Pretraining(method="none", data="none"),
        options=options or {},
    )


CARDS = (
    _card("tiny_a", "Means"),
    _card("tiny_b", "Means"),
    _card("tiny_faulty", "Faulty"),
    _card("tiny_with_option", "Means", {"pool": {"mean": {}, "max": {}}}),
)
