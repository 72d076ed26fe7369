"""The chain of degradations that LPFM was trained to undo: blur, downsampling, noise, and bilinear back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .convolution import FRACTION_BITS, filtered, whole_numbers
from .draws import normals, uniforms
from .levels import Level

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds

_SIDE = 41  # of the kernel, px
_GRID_BITS = 12  # values between the steps are multiples of 2^-12 of a grey level, so that sums are exact
_WEIGHT_BITS = 16


def lpfm_chain(level: Level, device: torch.device) -> Apply:
    """Every tile draws its blur, its factor and its noise from the ranges of the level.

    The blur is a Gaussian of 41 x 41 px with one sigma, or, for half of the tiles, with two of them at an angle from
    -180 to 180 degrees. Then every side is divided by the factor (bilinear, not antialiased), normal noise is added,
    values are clipped, and the tile gets its size back (bilinear).
    """
    low_sigma, high_sigma, low_factor, high_factor, low_noise, high_noise = level

    def apply(tiles: Images, seeds: Seeds) -> Images:
        drawn = uniforms(seeds, "lpfm_chain", 6)
        across, along = (low_sigma + (high_sigma - low_sigma) * drawn[:, 1:3]).T
        along = np.where(drawn[:, 0] < 0.5, across, along)
        angles = np.pi * (2 * drawn[:, 3] - 1)
        kernels = np.array([whole_numbers(gaussian(*each)) for each in zip(across, along, angles, strict=True)])
        blurred = filtered(tiles, torch.from_numpy(kernels).to(device), "reflect")
        on_grid = blurred.mul_(2.0 ** (_GRID_BITS - FRACTION_BITS)).round_()
        factors = low_factor + (high_factor - low_factor) * drawn[:, 4]
        noises = low_noise + (high_noise - low_noise) * drawn[:, 5]
        each = [_rest(tile, seeds[i : i + 1], float(factors[i]), float(noises[i])) for i, tile in enumerate(on_grid)]
        whole = torch.stack(each) * 2.0**-_GRID_BITS
        return whole.round_().clamp_(0, 255).to(torch.uint8)

    return apply


def gaussian(across: float, along: float, angle: float) -> Float[np.ndarray, "41 41"]:
    """A Gaussian of two sigmas (px), turned by an angle (radians)."""
    y, x = np.mgrid[:_SIDE, :_SIDE] - _SIDE // 2
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * ((u / across) ** 2 + (v / along) ** 2))
    return kernel / kernel.sum()


def bilinear(size: int, target: int) -> Float[np.ndarray, "target size"]:
    """Weights of bilinear interpolation without antialiasing (OpenCV's INTER_LINEAR), times 2^16 and rounded."""
    places = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
    below = np.minimum(places.astype(int), max(size - 2, 0))
    above = np.rint((places - below) * 2**_WEIGHT_BITS)
    matrix = np.zeros((target, size))
    matrix[np.arange(target), below] = 2**_WEIGHT_BITS - above
    matrix[np.arange(target), np.minimum(below + 1, size - 1)] += above
    return matrix


def _rest(
    tile: Float[Tensor, "3 height width"], seed: Seeds, factor: float, sigma: float
) -> Float[Tensor, "3 height width"]:
    """The steps after the blur, of one tile, in multiples of 2^-12 of a grey level."""
    height, width = tile.shape[-2:]
    small = _resized(tile, max(1, int(height // factor)), max(1, int(width // factor)))
    noise = normals(seed, "lpfm_chain", small.numel(), tile.device).reshape(small.shape)
    noisy = (small + (sigma * 2.0**_GRID_BITS * noise).round_()).clamp_(0, 255 * 2.0**_GRID_BITS)
    return _resized(noisy, height, width)


def _resized(tile: Float[Tensor, "3 row column"], height: int, width: int) -> Float[Tensor, "3 height width"]:
    rows = torch.from_numpy(bilinear(tile.shape[-2], height)).to(tile.device)
    columns = torch.from_numpy(bilinear(tile.shape[-1], width)).to(tile.device)
    down = (rows @ tile).mul_(2.0**-_WEIGHT_BITS).round_()
    return (down @ columns.T).mul_(2.0**-_WEIGHT_BITS).round_()
