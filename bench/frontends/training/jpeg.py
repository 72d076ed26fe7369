"""The loss of JPEG on the device, a quality for each tile: cosine transform, quantisation, halved colour."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch.nn.functional import avg_pool2d, interpolate

if TYPE_CHECKING:
    from torch import Tensor

    Pixels = Float[Tensor, "tile 3 height width"]

# ITU-T T.81, annex K.1: quantisation of brightness and of colour at quality 50
_BRIGHTNESS = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_COLOUR = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32),
)
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))


def jpeg(tiles: Pixels, quality: Float[Tensor, " tile"]) -> Pixels:
    """Tiles as they are after JPEG.

    Parameters
    ----------
    tiles : float tensor [B, 3, H, W]
        RGB in 0..1; H and W multiples of 16.
    quality : float tensor [B]
        From 1 to 100, as libjpeg scales its tables.

    Returns
    -------
    float tensor [B, 3, H, W], not rounded and not cut off to 0..1.
    """
    to_ycc = torch.tensor(_TO_YCC, dtype=tiles.dtype, device=tiles.device)
    ycc = torch.einsum("ij,bjhw->bihw", to_ycc, tiles * 255)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
    brightness = _quantised(ycc[:, :1] - 128, _table(_BRIGHTNESS, scale)) + 128
    colour = _quantised(avg_pool2d(ycc[:, 1:], 2), _table(_COLOUR, scale))
    colour = interpolate(colour, scale_factor=2, mode="bilinear")
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(to_ycc), torch.cat([brightness, colour], 1)) / 255


def _table(entries: tuple[int, ...], scale: Float[Tensor, " tile"]) -> Float[Tensor, "tile 1 1 8 1 8"]:
    table = torch.tensor(entries, dtype=scale.dtype, device=scale.device).view(8, 8)
    return (table * scale.view(-1, 1, 1) + 0.5).floor().clamp(1, 255).view(-1, 1, 1, 8, 1, 8)


def _quantised(planes: Float[Tensor, "tile channel height width"], table: Tensor) -> Tensor:
    cosines = _cosines().to(planes)
    count, channels, height, width = planes.shape
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8)
    waves = torch.einsum("ui,bcyixj,vj->bcyuxv", cosines, blocks, cosines)
    waves = (waves / table).round() * table
    return torch.einsum("ui,bcyuxv,vj->bcyixj", cosines, waves, cosines).reshape(planes.shape)


@cache
def _cosines() -> Float[Tensor, "8 8"]:
    wave, place = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    cosines = torch.cos((2 * place + 1) * wave * math.pi / 16) / 2
    cosines[0] /= math.sqrt(2)
    return cosines
