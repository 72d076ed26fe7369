"""How near images are to clean ones of the same tiles: PSNR and SSIM, batch by batch on a device.

    PSNR    10 log10(255^2 / mean squared difference over pixels and channels), dB
    SSIM    Wang, Bovik, Sheikh & Simoncelli 2004, IEEE Trans. Image Process. 13, 600-612: Gaussian window of 11 px and
            sigma 1.5, K1 = .01, K2 = .03, range 255; the mean over channels and over the pixels whose window lies in
            the tile

They are scikit-image's `peak_signal_noise_ratio` and `structural_similarity` with `gaussian_weights=True, sigma=1.5,
use_sample_covariance=False`. The PSNR of two tiles that are the same in every pixel is infinite, and no mean could be
made of it: it counts as `HIGHEST_PSNR`, which a tile of 226 px has when one of its values is off by 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from registry.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.frontends.base import Images

    Values = Float[Tensor, "tile channel height width"]

MEASURES = "psnr to 100 dB; ssim 11 px sigma 1.5"
"""What identifies the definitions."""

HIGHEST_PSNR = 100.0
WINDOW = 11
_SIGMA, _RANGE = 1.5, 255.0
_C1, _C2 = (0.01 * _RANGE) ** 2, (0.03 * _RANGE) ** 2
_AT_ONCE = {"cpu": 2**18, "cuda": 2**25}
"""Values of tiles that are filtered at once: on a CPU so few that their float64 maps stay in its cache."""


def check_size(height: int, width: int) -> None:
    """Tiles must hold the window of SSIM.

    Raises
    ------
    UserError
        If they are smaller.
    """
    if min(height, width) < WINDOW:
        raise UserError(
            f"Tiles of {width} x {height} px are smaller than the window of SSIM, {WINDOW} px: measure restoration on "
            "larger tiles."
        )


class Clean:
    """Clean tiles, against which others are measured; what is of them alone is computed once.

    Parameters
    ----------
    tiles : uint8 [B, 3, H, W]
        Of `WINDOW` px at least in height and width.
    """

    def __init__(self, tiles: Images):
        check_size(*tiles.shape[-2:])
        if tiles.device.type == "mps":  # has no float64
            tiles = tiles.cpu()
        self._tiles = tiles.contiguous()
        channels, height, width = tiles.shape[1:]
        self._step = max(1, _AT_ONCE.get(tiles.device.type, _AT_ONCE["cpu"]) // (channels * height * width))
        self._of_parts = [_moments(self._tiles[part].double()) for part in self._parts()]

    def psnr(self, others: Images) -> Float[np.ndarray, " tile"]:
        """In dB, at most `HIGHEST_PSNR`; float64 [B]."""
        import torch

        others, found = self._beside(others), []
        for part in self._parts():
            own, other = (tiles[part].to(torch.int32) for tiles in (self._tiles, others))
            found.append((own - other).square().sum((1, 2, 3), dtype=torch.int64))
        squares = torch.cat(found).cpu().numpy() / math.prod(self._tiles.shape[1:])
        with np.errstate(divide="ignore"):
            return np.minimum(10 * np.log10(_RANGE**2 / squares), HIGHEST_PSNR)

    def ssim(self, others: Images) -> Float[np.ndarray, " tile"]:
        """From -1 to 1; float64 [B]."""
        import torch

        others, found = self._beside(others), []
        for part, (mean, variance) in zip(self._parts(), self._of_parts, strict=True):
            own, other = (tiles[part].double() for tiles in (self._tiles, others))
            other_mean, other_variance = _moments(other)
            covariance = _smooth(own * other) - mean * other_mean
            similar = (2 * mean * other_mean + _C1) * (2 * covariance + _C2)
            most = (mean.square() + other_mean.square() + _C1) * (variance + other_variance + _C2)
            found.append((similar / most).mean((1, 2, 3)))
        return np.asarray(torch.cat(found).cpu().numpy())

    def _parts(self) -> Iterator[slice]:
        for start in range(0, len(self._tiles), self._step):
            yield slice(start, start + self._step)

    def _beside(self, others: Images) -> Images:
        """On the device of the clean tiles, and laid out as these are."""
        return others.to(self._tiles.device).contiguous()


def _window() -> list[float]:
    weights = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / _SIGMA) ** 2)
    return list((weights / weights.sum()).tolist())


def _smooth(values: Values) -> Values:
    """The Gaussian mean in each window that lies in the tile, first along rows and then along columns."""
    weights = _window()
    for axis in (3, 2):
        size = values.shape[axis] - WINDOW + 1
        total = values.narrow(axis, 0, size) * weights[0]
        for place, weight in enumerate(weights[1:], 1):
            total.add_(values.narrow(axis, place, size), alpha=weight)
        values = total
    return values


def _moments(values: Values) -> tuple[Values, Values]:
    """Mean and variance in each window."""
    mean = _smooth(values)
    return mean, _smooth(values.square()) - mean.square()
