"""A plugin of the tests: networks whose features tell one tile from another, and networks that fail.

`means` of a tile are the mean of each colour channel over the tile, over its upper half and over its left half, so that
a plain loop over pixels gives the same nine numbers. `slide_means` is a slide encoder over them: the mean of the tiles'
features and of their places. The models of the names `scaled` and `slide_scaled` multiply these by the numbers of a
checkpoint. `token_means` gives as patch tokens the means of the 4 x 4 parts of a tile.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from torch import nn

from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights
from registry.tokens import NetworkTokens

PATH = Path(__file__)
DIM = 9
MEETING = "PFMBENCH_TEST_MEETING"  # folder in which the processes that embed with `meeting` wait for one another
PATIENCE_S = 300.0
PRECISIONS = {"half": {"precision": "bfloat16"}, "full": {"precision": "float32"}}  # the former is that of all cards


class Means(nn.Module):
    """Nine means of each tile, times a factor each; rounded to bfloat16 where a test says this precision."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(DIM))
        self.precision = "float32"

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        height, width = tiles.shape[2:]
        parts = (tiles, tiles[:, :, : height // 2], tiles[:, :, :, : width // 2])
        found = torch.cat([part.mean((2, 3)) for part in parts], dim=1) * self.factor
        return found if self.precision == "float32" else found.bfloat16().float()


class TokenMeans(Means):
    """The same vectors; the channel means of 4 x 4 parts of a tile are its patch tokens, and there is no attention."""

    prefix_tokens = 0
    last_attention = None

    def forward_tokens(self, tiles: torch.Tensor) -> NetworkTokens:
        parts = nn.functional.avg_pool2d(tiles, (tiles.shape[2] // 4, tiles.shape[3] // 4))
        return NetworkTokens(self(tiles), parts.flatten(2).transpose(1, 2), (parts.shape[2], parts.shape[3]))


class SlideMeans(nn.Module):
    """Means over a slide's tiles of their features and of their places in thousands of level-0 px."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(DIM + 2))

    def forward(self, features: torch.Tensor, coords: torch.Tensor, side: float) -> torch.Tensor:
        return torch.cat([features, coords.float() / 1000], dim=2).mean(1) * self.factor


class OutOfMemory(nn.Module):
    def forward(self, *_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Tight(Means):
    """Has memory for four tiles."""

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        if len(tiles) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.")
        return super().forward(tiles)


class Faulty(nn.Module):
    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("a layer is broken")


class LateFaulty(Means):
    """Gives features of tiles that are dark, and fails at the first light one."""

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        if tiles.mean() > 0.5:
            raise RuntimeError("too light")
        return super().forward(tiles)


class NotFinite(Means):
    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        return super().forward(tiles) / 0


class Meeting(Means):
    """Waits at its first batch until two processes are at theirs."""

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        folder = Path(os.environ[MEETING])
        (folder / str(os.getpid())).touch()
        began = time.monotonic()
        while len(list(folder.iterdir())) < 2:
            assert time.monotonic() - began < PATIENCE_S, "the other process never embedded"
            time.sleep(0.01)
        return super().forward(tiles)


def no_memory_at_load() -> nn.Module:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")


def _card(name: str, network: str, *, file: str = "", **more: object) -> ModelCard:
    return ModelCard(
        **{
            "name": name,
            "family": "stand-in",
            "title": f"Stand-in {name}",
            "dim": DIM,
            "params": 0,
            "paper": "none",
            "url": "none",
            "licence": "none",
            "architecture": Architecture(builder=f"{PATH.stem}:{network}"),
            "preprocessing": Preprocessing(
                size=16, mpp=0.5, tile_size=64, resize=None, crop=False, mean=(0, 0, 0), std=(1, 1, 1), multiple_of=1
            ),
            "weights": Weights(file=file) if file else Weights(layout="none"),
            "pretraining": Pretraining(method="none", data="none"),
            **more,
        }
    )


CARDS = (
    _card("means", "Means"),
    _card("token_means", "TokenMeans"),
    _card("slide_means", "SlideMeans", unit="slide", dim=DIM + 2, tile_encoder="means"),
    _card("scaled", "Means", file="scaled.pth", options={"tile_precision": PRECISIONS}),
    _card("unpublished", "Means", file="unpublished.pth"),
    _card(
        "slide_scaled",
        "SlideMeans",
        file="slide_scaled.pth",
        unit="slide",
        dim=DIM + 2,
        tile_encoder="scaled",
        options={"slide_precision": PRECISIONS},
    ),
    _card("hungry", "OutOfMemory"),
    _card("tight", "Tight"),
    _card("hungry_at_load", "no_memory_at_load"),
    _card("slide_hungry", "OutOfMemory", unit="slide", dim=DIM + 2, tile_encoder="means"),
    _card("faulty", "Faulty"),
    _card("late_faulty", "LateFaulty"),
    _card("not_finite", "NotFinite"),
    _card("meeting", "Meeting"),
)
