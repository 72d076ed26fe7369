"""How near images are to clean ones of the same tiles: PSNR, SSIM and LPIPS, batch by batch on a device.

    PSNR    10 log10(255^2 / mean squared difference over pixels and channels), dB
    SSIM    Wang, Bovik, Sheikh & Simoncelli 2004, IEEE Trans. Image Process. 13, 600-612: Gaussian window of 11 px and
            sigma 1.5, K1 = .01, K2 = .03, range 255; the mean over channels and over the pixels whose window lies in
            the tile
    LPIPS   `bench.frontends.perceptual`, where its weights are there

The first two are scikit-image's `peak_signal_noise_ratio` and `structural_similarity` with `gaussian_weights=True,
sigma=1.5, use_sample_covariance=False`. The PSNR of two tiles that are the same in every pixel is infinite, and no mean
could be made of it: it counts as `HIGHEST_PSNR`, which a tile of 226 px has when one of its values is off by 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bench.frontends.perceptual import SMALLEST_FOR_LPIPS
from registry.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.frontends.base import Images
    from bench.frontends.perceptual import Features, Lpips

    Values = Float[Tensor, "tile channel height width"]

MEASURES = "psnr to 100 dB; ssim 11 px sigma 1.5"
"""What identifies the definitions."""

HIGHEST_PSNR = 100.0
WINDOW = 11
_SIGMA, _RANGE = 1.5, 255.0
_C1, _C2 = (0.01 * _RANGE) ** 2, (0.03 * _RANGE) ** 2
_AT_ONCE = {"cpu": 2**18, "cuda": 2**25}
"""Values of tiles that are filtered at once: on a CPU so few that their float64 maps stay in its cache."""
_LPIPS_AT_ONCE = {"cuda": 32}
"""Tiles whose features are computed at once; elsewhere one, so that no value depends on the other tiles of a batch."""


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
    lpips : Lpips or None
        None where it is not measured.
    """

    def __init__(self, tiles: Images, lpips: Lpips | None = None):
        check_size(*tiles.shape[-2:])
        if tiles.device.type == "mps":  # has no float64
            tiles = tiles.cpu()
        self._tiles, self._lpips = tiles.contiguous(), lpips
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

    def lpips(self, others: Images) -> Float[np.ndarray, " tile"]:
        """From 0, of tiles that are the same; NaN where it is not measured and of tiles below 31 px; float64 [B]."""
        import torch

        network = self._lpips
        if network is None or min(self._tiles.shape[-2:]) < SMALLEST_FOR_LPIPS:
            return np.full(len(self._tiles), np.nan)
        parts = self._beside(others).split(self._lpips_step)
        with torch.no_grad():
            found = [
                network.distance(own, network.features(other)) for own, other in zip(self._features, parts, strict=True)
            ]
        return np.asarray(torch.cat(found).cpu().numpy())

    @cached_property
    def _features(self) -> list[Features]:
        """Those of LPIPS of the clean tiles, part by part."""
        import torch

        assert self._lpips is not None
        with torch.no_grad():
            return [self._lpips.features(part) for part in self._tiles.split(self._lpips_step)]

    @property
    def _lpips_step(self) -> int:
        return _LPIPS_AT_ONCE.get(self._tiles.device.type, 1)

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
