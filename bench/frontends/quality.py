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
_AT_ONCE = {"cpu": 2**20, "cuda": 2**25}
"""Values of a tile's channels that are filtered at once: each map of them is eight times as many bytes."""


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
        self._step = max(1, _AT_ONCE.get(tiles.device.type, 2**20) // (channels * height * width))
        self._rows, self._columns = _smoothing(height, tiles), _smoothing(width, tiles).T.contiguous()
        self._of_parts = [self._moments(self._tiles[part].double()) for part in self._parts()]

    def psnr(self, others: Images) -> Float[np.ndarray, " tile"]:
        """In dB, at most `HIGHEST_PSNR`; float64 [B]."""
        import torch

        found = []
        for part in self._parts():
            own, other = (tiles[part].to(torch.int32) for tiles in (self._tiles, self._near(others)))
            found.append((own - other).square().sum((1, 2, 3), dtype=torch.int64))
        squares = torch.cat(found).cpu().numpy() / math.prod(self._tiles.shape[1:])
        with np.errstate(divide="ignore"):
            return np.minimum(10 * np.log10(_RANGE**2 / squares), HIGHEST_PSNR)

    def ssim(self, others: Images) -> Float[np.ndarray, " tile"]:
        """From -1 to 1; float64 [B]."""
        import torch

        found = []
        for part, (mean, variance) in zip(self._parts(), self._of_parts, strict=True):
            own, other = (tiles[part].double() for tiles in (self._tiles, self._near(others)))
            other_mean, other_variance = self._moments(other)
            covariance = self._smooth(own * other) - mean * other_mean
            similar = (2 * mean * other_mean + _C1) * (2 * covariance + _C2)
            most = (mean.square() + other_mean.square() + _C1) * (variance + other_variance + _C2)
            found.append((similar / most).mean((1, 2, 3)))
        return np.asarray(torch.cat(found).cpu().numpy())

    def _parts(self) -> Iterator[slice]:
        for start in range(0, len(self._tiles), self._step):
            yield slice(start, start + self._step)

    def _near(self, others: Images) -> Images:
        return others.to(self._tiles.device)

    def _moments(self, values: Values) -> tuple[Values, Values]:
        """Mean and variance in each window."""
        mean = self._smooth(values)
        return mean, self._smooth(values.square()) - mean.square()

    def _smooth(self, values: Values) -> Values:
        """The Gaussian mean in each window that lies in the tile, as two products with banded matrices."""
        return self._rows @ (values.contiguous() @ self._columns)


def _smoothing(side: int, like: Tensor) -> Float[Tensor, "window side"]:
    import torch

    places = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-0.5 * (places / _SIGMA) ** 2)
    found = torch.zeros(side - WINDOW + 1, side, dtype=torch.float64)
    for place, weight in enumerate(window / window.sum()):
        found.diagonal(place).fill_(weight)
    return found.to(like.device)
