"""The network of `small_unet`: weights of classical filters and a correction for every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from bench.frontends.restorers.filter_bank import FILTERS, filtered

if TYPE_CHECKING:
    from torch import Tensor

    Maps = Float[Tensor, "tile channel height width"]
    Pixels = Float[Tensor, "tile 3 height width"]

BLENDING = 64  # channels of the network that weighs the filters for a tile


@dataclass(frozen=True)
class Shape:
    """Size of the network.

    Attributes
    ----------
    width
        Channels of the finest level; every further level has twice as many.
    depths
        Blocks of each level on the way down, the finest first; on the way up it is as many but for the coarsest.
    """

    width: int = 32
    depths: Sequence[int] = (2, 2, 4)

    @property
    def multiple(self) -> int:
        """What height and width of the network's input must be a multiple of, in px."""
        return 2 ** len(self.depths)


class Block(nn.Module):
    """Two convolutions and a weight of each channel from its mean over the tile, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.weigh = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: Maps) -> Maps:
        change = self.second(functional.gelu(self.first(maps)))
        return maps + change * torch.sigmoid(self.weigh(change.mean((2, 3), keepdim=True)))


class SmallNetwork(nn.Module):
    """A U-Net on pixels folded by two, without normalisation over a batch.

    Its output is ``x + r + sum_k (v_k + w_k) (f_k(x) - x)``: `f_k` are the filters of the bank, `v_k` their weights for
    the tile, `w_k` those for every pixel, `r` a correction of every channel of a pixel. Negative weights of a Gaussian
    sharpen. `v` follows from how much each filter changes the tile and from its noise, by a small network that soon
    learns which filters suit which degradation. The last layers start at zero, so that an untrained network returns its
    input.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        widths = [shape.width * 2**level for level in range(len(shape.depths))]
        self.head = nn.Conv2d(4 * (3 * (1 + FILTERS) + 1), shape.width, 3, padding=1)
        self.down = nn.ModuleList(_blocks(*level) for level in zip(widths, shape.depths, strict=True))
        self.shrink = nn.ModuleList(nn.Conv2d(width, 2 * width, 2, stride=2) for width in widths[:-1])
        self.grow = nn.ModuleList(nn.Conv2d(2 * width, 4 * width, 1) for width in widths[:-1])
        self.up = nn.ModuleList(_blocks(*level) for level in zip(widths[:-1], shape.depths[:-1], strict=True))
        self.blend = nn.Sequential(
            nn.Linear(FILTERS + 2, BLENDING),
            nn.GELU(),
            nn.Linear(BLENDING, BLENDING),
            nn.GELU(),
            nn.Linear(BLENDING, FILTERS),
        )
        self.tail = nn.Conv2d(shape.width, 4 * (3 + FILTERS), 3, padding=1)
        for last in (self.tail, self.blend[-1]):
            for value in last.parameters():
                nn.init.zeros_(value)

    def forward(self, tiles: Pixels, locally: bool = True) -> Pixels:
        """Restored pixels of tiles in 0..1; height and width are multiples of `shape.multiple`.

        Without `locally` they are ``x + sum_k v_k (f_k(x) - x)``.
        """
        every, noise = filtered(tiles)
        changes = [one - tiles for one in every]
        weights = self.blend(_described(tiles, changes, noise)).float()
        restored = tiles
        for number, change in enumerate(changes):
            restored = restored + weights[:, number].view(-1, 1, 1, 1) * change
        if not locally:
            return restored
        level = (10 * noise).view(-1, 1, 1, 1).expand(-1, 1, *tiles.shape[2:])
        folded = functional.pixel_unshuffle(torch.cat([4 * (tiles - 0.5), level, *(10 * one for one in changes)], 1), 2)
        maps = self.head(folded.contiguous(memory_format=torch.channels_last))
        skipped = []
        for blocks, shrink in zip(self.down[:-1], self.shrink, strict=True):
            maps = blocks(maps)
            skipped.append(maps)
            maps = shrink(maps)
        maps = self.down[-1](maps)
        for blocks, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            maps = blocks(functional.pixel_shuffle(grow(maps), 2) + skipped.pop())
        mixture = functional.pixel_shuffle(self.tail(maps), 2).float()
        restored = restored + mixture[:, :3]
        for number, change in enumerate(changes, 3):
            restored = restored + mixture[:, number : number + 1] * change
        return restored


def _described(tiles: Pixels, changes: Sequence[Pixels], noise: Float[Tensor, " tile"]) -> Float[Tensor, "tile number"]:
    """What the weights for a tile follow from, about in -2..2: logs of how much it varies, is noisy and is changed."""
    sizes = [one.square().mean((1, 2, 3)).sqrt() for one in changes]
    return torch.log(torch.stack([tiles.std((1, 2, 3)), noise, *sizes], 1) + 1e-3) + 3.5


def _blocks(width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(*(Block(width) for _ in range(depth)))
