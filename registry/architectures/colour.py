"""The colour baseline: first moments and a histogram of each channel."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ColourStatistics(nn.Module):
    """Mean, standard deviation and `bins`-bin histogram (fractions) of each channel of tiles on the 0..1 scale."""

    no_tokens = "is statistics of colour and gives no patch tokens"

    def __init__(self, bins: int = 16) -> None:
        super().__init__()
        self.bins = bins

    def forward(self, tiles: Float[Tensor, "tile channel height width"]) -> Float[Tensor, "tile feature"]:
        pixels = tiles.flatten(2)  # [tile, channel, pixel]
        place = (pixels * self.bins).long().clamp(0, self.bins - 1)
        counts = torch.zeros(*pixels.shape[:2], self.bins, device=tiles.device, dtype=tiles.dtype)
        counts = counts.scatter_add(2, place, torch.ones_like(pixels))
        statistics = [pixels.mean(2), pixels.std(2, correction=0), (counts / pixels.shape[2]).flatten(1)]
        return torch.cat(statistics, dim=1)


def colour(bins: int = 16) -> nn.Module:
    return ColourStatistics(bins)
