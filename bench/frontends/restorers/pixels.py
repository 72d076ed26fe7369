"""Parts of filters: pixels as numbers from 0 to 1, mirrored borders, Gaussians, and the noise of a tile."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

Pixels = Float[Tensor, "tile 3 height width"]

# high-pass filter of the wavelet of Daubechies with two vanishing moments
_DB2 = (-0.48296291314469025, 0.836516303737469, -0.22414386804185735, -0.12940952255092145)
_MAD = 0.6744897501960817  # median of the absolute value of a standard normal number
_FLAT = 1e-6  # a detail below this (of 0..1) is that of a flat place, of saturated pixels say, but for rounding


def from_uint8(tiles: UInt8[Tensor, "tile 3 height width"]) -> Pixels:
    """float32 from 0 to 1."""
    return tiles.float() / 255


def to_uint8(pixels: Pixels) -> UInt8[Tensor, "tile 3 height width"]:
    """The nearest of 256 levels, what is beyond them clipped."""
    return (pixels.clamp(0, 1) * 255).round().to(torch.uint8)


def mirrored(pixels: Pixels, radius: int) -> Pixels:
    """Pixels with a border of `radius` px on which they are mirrored, the outermost repeated: c b a | a b c."""
    for axis in (-2, -1):
        side = pixels.shape[axis]
        places = torch.arange(-radius, side + radius, device=pixels.device) % (2 * side)
        pixels = pixels.index_select(axis, torch.minimum(places, 2 * side - 1 - places))
    return pixels


def gaussian_taps(sigma: float) -> list[float]:
    """Weights of a Gaussian cut at four standard deviations, which sum to 1."""
    radius = int(4 * sigma + 0.5)
    weights = [math.exp(-0.5 * (x / sigma) ** 2) for x in range(-radius, radius + 1)]
    return [weight / sum(weights) for weight in weights]


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    """Under a Gaussian, its borders mirrored."""
    taps = torch.tensor(gaussian_taps(sigma), device=pixels.device, dtype=pixels.dtype)
    height, width = pixels.shape[-2:]
    radius = len(taps) // 2
    flat = mirrored(pixels, radius).flatten(0, 1)[:, None]
    flat = F.conv2d(F.conv2d(flat, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))
    return flat.view(*pixels.shape[:2], height, width)


def noise_level(pixels: Pixels) -> Float[Tensor, " tile"]:
    """Standard deviation of the noise of each tile, on the scale of its pixels: mean over the channels.

    It is the median of the finest diagonal wavelet coefficients over 0.6745 (Donoho and Johnstone, Biometrika 1994), as
    scikit-image's `estimate_sigma`; coefficients of flat, such as saturated, places are left out.
    """
    high = torch.tensor(_DB2, device=pixels.device, dtype=pixels.dtype)
    flat = pixels.flatten(0, 1)[:, None]
    details = F.conv2d(flat, (high[:, None] * high)[None, None], stride=2).abs().flatten(1)
    medians = details.masked_fill(details < _FLAT, math.nan).nanmedian(dim=1).values.nan_to_num(0)
    return medians.view(pixels.shape[:2]).mean(dim=1) / _MAD
