"""Convolution with whole numbers: exact, so the same in every batch, order and device.

The weights of a kernel are rounded to multiples of 2^-24, which moves no result by a hundredth of a grey level. Sums of
bytes times such weights are whole numbers below 2^33. A Fourier transform in float64 gives them to about 1e-5, and
rounding makes them exact.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

FRACTION_BITS = 24
_AT_ONCE = 16  # tiles, to bound the memory of their spectra


def whole_numbers(kernel: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    """A kernel times 2^24 in whole numbers, with the sum that it has: one of sum 1 leaves a flat tile as it is."""
    scaled = np.rint(kernel * 2**FRACTION_BITS)
    scaled.flat[scaled.argmax()] += np.rint(kernel.sum() * 2**FRACTION_BITS) - scaled.sum()
    return scaled


def filtered(
    tiles: UInt8[Tensor, "tile 3 height width"],
    kernels: Float[Tensor, "kernel size size"],
    border: Literal["reflect", "replicate"],
) -> Float[Tensor, "tile 3 height width"]:
    """The sum of each pixel's neighbours times the weights of a kernel from `whole_numbers`, as OpenCV's filter2D.

    Parameters
    ----------
    tiles : uint8 tensor [B, 3, H, W]
    kernels : float64 tensor [1 or B, K, K]
        One for all tiles or one for each; K is odd.
    border : str
        What lies beyond the edge: the tile mirrored at its outer pixels, which are not repeated, or its outer pixels.

    Returns
    -------
    float64 tensor [B, 3, H, W]
        Whole numbers: 2^24 times the filtered tiles.
    """
    each = kernels.expand(len(tiles), -1, -1)
    parts = zip(tiles.split(_AT_ONCE), each.split(_AT_ONCE), strict=True)
    return torch.cat([_filtered(some, own, border) for some, own in parts])


def to_bytes(sums: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """The results of `filtered` as the nearest grey levels."""
    return sums.add(2.0 ** (FRACTION_BITS - 1)).mul_(2.0**-FRACTION_BITS).floor_().clamp_(0, 255).to(torch.uint8)


def _filtered(
    tiles: UInt8[Tensor, "tile 3 height width"], kernels: Float[Tensor, "tile size size"], border: str
) -> Float[Tensor, "tile 3 height width"]:
    height, width = tiles.shape[-2:]
    around = kernels.shape[-1] // 2
    padded = functional.pad(tiles.double(), (around,) * 4, mode=border)
    shape = [next_fast_len(side, real=True) for side in padded.shape[-2:]]
    spectrum = torch.fft.rfft2(padded, s=shape) * torch.fft.rfft2(kernels, s=shape).conj()[:, None]
    return torch.fft.irfft2(spectrum, s=shape)[..., :height, :width].round()
