"""Noise of a sensor: Gaussian, and of the photons that it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int64
from scipy.stats import poisson
from torch import Tensor

from .draws import normals, words
from .levels import Level
from .rounding import nearest_levels

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds


def gaussian_noise(level: Level, device: torch.device) -> Apply:
    """A normal number of its own added to every value of every pixel."""
    scale = 255 * level[0]

    def apply(tiles: Images, seeds: Seeds) -> Images:
        noise = normals(seeds, "gaussian_noise", tiles[0].numel(), device).reshape(tiles.shape)
        return nearest_levels(tiles + scale * noise)

    return apply


def shot_noise(level: Level, device: torch.device) -> Apply:
    """Every value as a count of photons, drawn by Poisson's law around the clean count.

    Counts above that of white are clipped, so a table of the law up to there, for each of the 256 clean values, gives
    the count by bisection.
    """
    photons = int(level[0])
    limits = _poisson_limits(photons).to(device)
    values = nearest_levels(torch.arange(photons + 1, dtype=torch.float64, device=device) * 255 / photons)

    def apply(tiles: Images, seeds: Seeds) -> Images:
        drawn = words(seeds, "shot_noise", tiles[0].numel(), device).reshape(tiles.shape)
        clean = tiles.long()
        counts = torch.searchsorted(limits, (clean << 32) + drawn, right=True) - clean * photons
        return values[counts]

    return apply


def _poisson_limits(photons: int) -> Int64[Tensor, " limit"]:
    """Ascending: 2^32 times (clean value + chance of at most k photons), for k from 0 to `photons` - 1."""
    clean = np.arange(256)[:, None]
    chances = poisson.cdf(np.arange(photons), clean * photons / 255)
    whole = np.minimum(np.floor(chances * 2**32), 2**32).astype(np.int64)
    return torch.from_numpy(((clean.astype(np.int64) << 32) + whole).ravel())
