"""Pillow's antialiased resize on tensors, bit for bit, on any device that has float64.

Pillow resizes in two passes, with the coefficients of each output sample rounded to integers of 22 fractional bits and
the result of each pass rounded to 8 bits, so the order of the passes shows: across then down, but since Pillow 13 down
first where the height loses more than twice as many rows as the width loses columns (its pull request 9549). As a
product with an integer-valued float64 matrix each pass is exact (sums stay below 2**53), in whatever order the device
adds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import PIL
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

Filter = Literal["box", "bilinear", "bicubic"]

_FRACTION_BITS = 22  # 32 - 8 bits of the pixel - 2 of head room, Pillow's Resample.c
_DOWN_FIRST_IF_TALL = int(PIL.__version__.split(".")[0]) >= 13
_SUPPORT = {"box": 0.5, "bilinear": 1.0, "bicubic": 2.0}


def _kernel(x: Float[np.ndarray, " tap"], filter: Filter) -> Float[np.ndarray, " tap"]:
    if filter == "box":
        return np.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)
    x = np.abs(x)
    if filter == "bilinear":
        return np.where(x < 1.0, 1.0 - x, 0.0)
    a = -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@lru_cache(maxsize=64)
def coefficients(size: int, target: int, filter: Filter, device: torch.device) -> Float[Tensor, "target size"]:
    """Pillow's integer coefficients (times 2**22) of each output sample, as a dense float64 matrix."""
    scale = size / target
    stretch = max(scale, 1.0)
    support = _SUPPORT[filter] * stretch
    matrix = np.zeros((target, size))
    for i in range(target):
        centre = (i + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), size)
        taps = _kernel((np.arange(last - first) + first - centre + 0.5) * (1.0 / stretch), filter)
        total = np.add.accumulate(taps)[-1]  # in order, as a C loop adds
        if total != 0.0:
            taps = taps / total
        matrix[i, first:last] = np.trunc(taps * 2**_FRACTION_BITS + np.where(taps < 0, -0.5, 0.5))
    return torch.from_numpy(matrix).to(device)


def resize(
    tiles: UInt8[Tensor, "tile channel height width"], height: int, width: int, filter: Filter
) -> UInt8[Tensor, "tile channel out_height out_width"]:
    """What ``PIL.Image.resize((width, height), filter)`` gives for each tile."""
    lost_rows, lost_columns = tiles.shape[-2] - height, tiles.shape[-1] - width
    if _DOWN_FIRST_IF_TALL and lost_rows > max(0, 2 * lost_columns):
        return _across(_down(tiles, height, filter), width, filter)
    return _down(_across(tiles, width, filter), height, filter)


def _across(tiles: UInt8[Tensor, "*tile row column"], width: int, filter: Filter) -> UInt8[Tensor, "*tile row width"]:
    if tiles.shape[-1] == width:
        return tiles
    return _to_bytes(tiles.double() @ coefficients(tiles.shape[-1], width, filter, tiles.device).T)


def _down(
    tiles: UInt8[Tensor, "*tile row column"], height: int, filter: Filter
) -> UInt8[Tensor, "*tile height column"]:
    if tiles.shape[-2] == height:
        return tiles
    return _to_bytes(coefficients(tiles.shape[-2], height, filter, tiles.device) @ tiles.double())


def _to_bytes(sums: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    sums.add_(2.0 ** (_FRACTION_BITS - 1)).mul_(2.0**-_FRACTION_BITS).floor_().clamp_(0, 255)
    return sums.to(torch.uint8)
