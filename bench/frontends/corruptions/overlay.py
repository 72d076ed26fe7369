"""What lies on the glass: air bubbles, and the ink of a pen.

The shapes are our own, drawn for each tile from its seed; the published ones are pictures of a fixed size. Only sums,
products, quotients and square roots of float64 are taken, which every device rounds alike.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .draws import uniforms
from .levels import Level
from .rounding import nearest_levels

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds

_BUBBLES = 3
_AIR = (244.0, 245.0, 247.0)
_RIM = (52.0, 48.0, 58.0)
_RIM_AT, _RIM_HALF_WIDTH = 0.91, 0.14  # of the radius

_INKS = ((34.0, 21.0, 18.0), (32.0, 44.0, 128.0), (18.0, 84.0, 58.0))  # the published one, a blue, a green
_BENDS = 16  # straight pieces of a stroke


def bubbles(level: Level, device: torch.device) -> Apply:
    """Three round bubbles, bright with a dark rim where light is bent away, blended with the tile.

    Their radius is from 10 to 24 percent of the tile's shorter side; they may touch and leave the tile.
    """
    (opacity,) = level

    def apply(tiles: Images, seeds: Seeds) -> Images:
        height, width = tiles.shape[-2:]
        drawn = torch.from_numpy(uniforms(seeds, "bubbles", 3 * _BUBBLES)).to(device).reshape(-1, _BUBBLES, 3, 1, 1)
        rows, columns = _places(height, width, device)
        nearest = torch.full((len(tiles), height, width), 2.0, dtype=torch.float64, device=device)
        within = torch.zeros_like(nearest)
        for number in range(_BUBBLES):
            y, x, size = drawn[:, number].unbind(dim=1)
            radius = (0.10 + 0.14 * size) * min(height, width)
            away = ((rows - y * height) ** 2 + (columns - x * width) ** 2).sqrt()
            nearest = torch.minimum(nearest, away / radius)
            within = torch.maximum(within, (radius - away + 0.5).clamp(0, 1))
        dark = (1 - (nearest - _RIM_AT).abs() / _RIM_HALF_WIDTH).clamp(0, 1)[:, None]
        air, rim = _colours(_AIR, device), _colours(_RIM, device)
        return _painted(tiles, air - dark * (air - rim), opacity * within)

    return apply


def marking(level: Level, device: torch.device) -> Apply:
    """A bent stroke of a pen, as wide as it must be to cover a share of the tile; the ink is opaque.

    The stroke of a higher severity covers that of a lower one.
    """
    (share,) = level
    inks = torch.tensor(_INKS, dtype=torch.float64, device=device)

    def apply(tiles: Images, seeds: Seeds) -> Images:
        height, width = tiles.shape[-2:]
        drawn = uniforms(seeds, "marking", 7)
        rows, columns = _places(height, width, device)
        away = _distance(torch.from_numpy(_strokes(drawn[:, :6], height, width)).to(device), rows, columns)
        covered = max(1, round(share * height * width))
        half_width = away.flatten(1).kthvalue(covered, dim=1).values[:, None, None]
        ink = inks[torch.from_numpy((drawn[:, 6] * len(_INKS)).astype(np.int64)).to(device)]
        return _painted(tiles, ink[:, :, None, None], (half_width - away + 0.5).clamp(0, 1))

    return apply


def _places(height: int, width: int, device: torch.device) -> tuple[Float[Tensor, "height 1"], Float[Tensor, " width"]]:
    """The middles of rows and of columns, in px."""
    rows = torch.arange(height, dtype=torch.float64, device=device) + 0.5
    return rows[:, None], torch.arange(width, dtype=torch.float64, device=device) + 0.5


def _colours(rgb: tuple[float, float, float], device: torch.device) -> Float[Tensor, "3 1 1"]:
    return torch.tensor(rgb, dtype=torch.float64, device=device)[:, None, None]


def _painted(tiles: Images, paint: Float[Tensor, ...], opacity: Float[Tensor, "tile height width"]) -> Images:
    """Tiles with paint over them; where the opacity is 0 they stay bit for bit."""
    return nearest_levels(tiles + opacity[:, None] * (paint - tiles))


def _strokes(drawn: Float[np.ndarray, "tile 6"], height: int, width: int) -> Float[np.ndarray, "tile point 2"]:
    """Points (row, column) in px on a curve from the left third of each tile to the right third, or turned by 90°."""
    along = np.linspace(0, 1, _BENDS + 1)
    start, end = 0.05 + 0.25 * drawn[:, 0:1], 0.70 + 0.25 * drawn[:, 1:2]
    forward = start + (end - start) * along
    first, last, bend = (0.15 + 0.70 * drawn[:, number, None] for number in (2, 3, 4))
    across = (1 - along) ** 2 * first + 2 * along * (1 - along) * bend + along**2 * last
    turned = drawn[:, 5:6] < 0.5
    rows, columns = np.where(turned, forward, across) * height, np.where(turned, across, forward) * width
    return np.stack([rows, columns], axis=-1)


def _distance(
    points: Float[Tensor, "tile point 2"], rows: Float[Tensor, "height 1"], columns: Float[Tensor, " width"]
) -> Float[Tensor, "tile height width"]:
    """From every pixel to the nearest place on the line through the points, in px."""
    least = None
    for one, other in pairwise(points[..., None, None].unbind(dim=1)):
        (y, x), (down, right) = one.unbind(dim=1), (other - one).unbind(dim=1)
        part = ((rows - y) * down + (columns - x) * right) / (down * down + right * right)
        part = part.clamp(0, 1)
        square = (rows - y - part * down) ** 2 + (columns - x - part * right) ** 2
        least = square if least is None else torch.minimum(least, square)
    assert least is not None
    return least.sqrt()
