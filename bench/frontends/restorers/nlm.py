"""Non-local means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from bench.frontends.restorers.base import Restorer
from bench.frontends.restorers.pixels import Pixels, from_uint8, noise_level, to_uint8
from bench.frontends.restorers.settings import setting
from registry.errors import UserError

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds

_CUT = 5.0  # patches that are further apart than this have no weight
_NO_NOISE = 1e-4  # noise below this (of 0..1) is less than the rounding of a tile


@dataclass(frozen=True)
class NonLocalMeansSettings:
    """Settings of `nlm`.

    Attributes
    ----------
    patch : int
        Side of the patches that are compared, px; it must be odd.
    distance : int
        How far away a patch is looked for in each direction, px.
    strength : float
        The filter's h over the standard deviation of the tile's noise. 0.8 is what scikit-image advises.
    """

    patch: int = setting(5, 1, 21)
    distance: int = setting(5, 1, 21)
    strength: float = setting(0.8, 0.01, 10.0)

    def __post_init__(self) -> None:
        if self.patch % 2 == 0:
            raise UserError(f"patch={self.patch} of the restorer nlm is even: it must be odd, such as 5.")


class NonLocalMeans(Restorer):
    """Non-local means (Buades et al., CVPR 2005) with flat patches; each tile's noise sets the strength.

    scikit-image's fast mode has the same weights of patches that are one row and one column smaller.
    """

    settings: NonLocalMeansSettings

    def check(self, height: int, width: int) -> None:
        """Refuse tiles that are smaller than the border that is mirrored for the search."""
        super().check(height, width)
        border = self.settings.distance + self.settings.patch // 2
        if min(height, width) <= border:
            raise UserError(
                f"The restorer nlm looks {border} px beyond the border of a tile, and these are {height} x {width} px: "
                "make its distance or its patch smaller, or choose larger tiles."
            )

    def function(self, device: torch.device) -> Apply:
        own = self.settings

        def apply(tiles: Images, seeds: Seeds) -> Images:
            pixels = from_uint8(tiles)
            noise = noise_level(pixels)
            smooth = non_local_means(pixels, own.patch, own.distance, own.strength * noise, noise)
            return to_uint8(torch.where(noise.view(-1, 1, 1, 1) > _NO_NOISE, smooth, pixels))

        return apply


def non_local_means(
    pixels: Pixels, patch: int, distance: int, h: Float[Tensor, " tile"], noise: Float[Tensor, " tile"]
) -> Pixels:
    """Each pixel becomes the mean of those around it, weighted by how alike the patches around the two are.

    Parameters
    ----------
    pixels : float [B, 3, H, W]
        From 0 to 1.
    patch, distance : int
        As in `NonLocalMeansSettings`.
    h, noise : float [B]
        Filter strength and standard deviation of the noise. With d the mean square of the difference of two patches,
        over their pixels and channels, the weight is exp(-max(d - 2 noise^2, 0) / h^2), and 0 below exp(-5).
    """
    height, width = pixels.shape[-2:]
    around, compared = patch // 2, 3 * patch**2
    border = distance + around
    far = F.pad(pixels, (border, border, border, border), mode="reflect")

    def moved(y: int, x: int, margin: int) -> Pixels:
        top, left = border + y - margin, border + x - margin
        return far[..., top : top + height + 2 * margin, left : left + width + 2 * margin]

    own = moved(0, 0, around).contiguous()
    floor = 2 * compared * noise.view(-1, 1, 1) ** 2
    slope = -1 / (compared * h.clamp(min=_NO_NOISE).view(-1, 1, 1) ** 2)
    gap = torch.empty_like(own)  # new memory for every shift would take most of the time
    rows, boxes = torch.empty_like(own[:, 0, :height]), torch.empty_like(pixels[:, 0])
    total, mean, part = torch.ones_like(boxes), pixels.clone(), torch.empty_like(pixels)
    for y in range(-distance, distance + 1):
        for x in range(-distance, distance + 1):
            if (y, x) == (0, 0):
                continue
            torch.sub(own, moved(y, x, around), out=gap).square_()
            over_channels = gap[:, 0].add_(gap[:, 1]).add_(gap[:, 2])
            _sum_along(over_channels, patch, -2, out=rows)
            _sum_along(rows, patch, -1, out=boxes)
            boxes.sub_(floor).clamp_(min=0).mul_(slope)
            far_away = boxes < -_CUT
            weight = boxes.exp_().masked_fill_(far_away, 0)
            total.add_(weight)
            mean.add_(torch.mul(weight[:, None], moved(y, x, 0), out=part))
    return mean / total[:, None]


def _sum_along(values: Tensor, length: int, axis: int, out: Tensor) -> None:
    """Sums of `length` neighbours along an axis, which `out` is shorter in by `length` - 1."""
    side = out.shape[axis]
    out.copy_(values.narrow(axis, 0, side))
    for i in range(1, length):
        out.add_(values.narrow(axis, i, side))
