"""Classical filters of a tile, on the device: what the small network blends, to start from the best of them."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch.nn.functional import conv2d, pad

from bench.frontends.restorers.classical import deconvolved
from bench.frontends.restorers.pixels import noise_level

if TYPE_CHECKING:
    from torch import Tensor

    Pixels = Float[Tensor, "tile 3 height width"]

GAUSSIANS = (1.0, 2.0, 4.0)  # standard deviations, px
DECONVOLVED = (0.7, 1.0, 1.4, 2.0, 3.0)  # standard deviations of the Gaussians that Wiener's filter undoes, px
FILTERS = len(GAUSSIANS) + 2 + len(DECONVOLVED)
BALANCE, PER_VARIANCE = 1e-4, 30.0  # weight of smoothness in Wiener's filter: without noise, and for its variance
REACH = math.ceil(3 * max(GAUSSIANS))  # px beyond a tile's edge, where it is mirrored

# The exchanges that bring the median of nine to place 4 (Smith, Xilinx XCELL 23, 1996).
_EXCHANGES = (
    *((1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3)),
    *((5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)),
)


def filtered(tiles: Pixels) -> tuple[list[Pixels], Float[Tensor, " tile"]]:
    """Every filter of the bank, and the noise, of each tile.

    Parameters
    ----------
    tiles : float tensor [B, 3, H, W]
        H and W above `REACH`.

    Returns
    -------
    Three Gaussians, a median of 3x3 px, a median of the latter's pixels two apart, and five of Wiener's filter; each
    [B, 3, H, W]. Then the standard deviation of the noise, [B], of pixels in 0..1.
    """
    small = median(tiles, 1)
    exact = tiles.double()
    noise = noise_level(exact)
    balance = BALANCE + PER_VARIANCE * noise**2
    sharp = (deconvolved(exact, sigma, balance).clamp(0, 1).to(tiles) for sigma in DECONVOLVED)
    return [*(gaussian(tiles, sigma) for sigma in GAUSSIANS), small, median(small, 2), *sharp], noise.to(tiles)


def gaussian(tiles: Pixels, sigma: float) -> Pixels:
    """A Gaussian cut off at three standard deviations, `sigma` px each; the tile is mirrored at its edges."""
    radius = math.ceil(3 * sigma)
    taps = _taps(sigma, radius).to(tiles)
    channels = tiles.shape[1]
    for shape, edges in (((1, 1, 1, -1), (radius, radius, 0, 0)), ((1, 1, -1, 1), (0, 0, radius, radius))):
        kernel = taps.view(shape).repeat(channels, 1, 1, 1)
        tiles = conv2d(pad(tiles, edges, "reflect"), kernel, groups=channels)
    return tiles


def median(tiles: Pixels, step: int) -> Pixels:
    """The median of a pixel and the eight around it, `step` px away; the tile is mirrored at its edges."""
    height, width = tiles.shape[-2:]
    wide = pad(tiles, (step,) * 4, "reflect")
    nine = [wide[..., y : y + height, x : x + width] for y in (0, step, 2 * step) for x in (0, step, 2 * step)]
    for low, high in _EXCHANGES:
        nine[low], nine[high] = torch.minimum(nine[low], nine[high]), torch.maximum(nine[low], nine[high])
    return nine[4]


@cache
def _taps(sigma: float, radius: int) -> Float[Tensor, " tap"]:
    along = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-(along**2) / (2 * sigma**2))
    return (weights / weights.sum()).float()
