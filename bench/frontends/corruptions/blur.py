"""Blur: out of focus, by motion, and Gaussian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from .convolution import filtered, to_bytes, whole_numbers
from .draws import uniforms
from .levels import Level

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds


def defocus(level: Level, device: torch.device) -> Apply:
    """The mean over a disk with a soft edge."""
    radius, alias = level
    kernel = torch.from_numpy(whole_numbers(disk(int(radius), alias)))[None].to(device)

    def apply(tiles: Images, seeds: Seeds) -> Images:
        return to_bytes(filtered(tiles, kernel, "reflect"))

    return apply


def gaussian_blur(level: Level, device: torch.device) -> Apply:
    """A Gaussian filter cut at 4 sigma; the tile's outer pixels continue beyond its edge."""
    (sigma,) = level
    radius = int(4 * sigma + 0.5)
    along = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    along /= along.sum()
    kernel = torch.from_numpy(whole_numbers(np.outer(along, along)))[None].to(device)

    def apply(tiles: Images, seeds: Seeds) -> Images:
        return to_bytes(filtered(tiles, kernel, "replicate"))

    return apply


def motion(level: Level, device: torch.device) -> Apply:
    """Half a Gaussian along a line, at an angle from -45 to 45 degrees that is drawn for each tile."""
    radius, sigma = level

    def apply(tiles: Images, seeds: Seeds) -> Images:
        angles = 90 * uniforms(seeds, "motion", 1)[:, 0] - 45
        kernels = np.array([whole_numbers(path(int(radius), sigma, angle)) for angle in angles])
        return to_bytes(filtered(tiles, torch.from_numpy(kernels).to(device), "replicate"))

    return apply


def disk(radius: int, alias: float) -> Float[np.ndarray, "size size"]:
    """A disk of so many pixels' radius, smoothed by a Gaussian of 3 pixels a side, or 5 for radii above 8.

    As published, a disk that touches the edge of its kernel is mirrored there, so the weights add up to 1.013 for a
    radius of 8 px and to 1.011 for 10: such a tile gets that much brighter.
    """
    reach, taps = (8, 3) if radius <= 8 else (radius, 5)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    flat = (x**2 + y**2 <= radius**2) / 1.0
    along = np.exp(-((np.arange(taps) - taps // 2) ** 2) / (2 * alias**2))
    along /= along.sum()
    padded = np.pad(flat / flat.sum(), taps // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (taps, taps))
    return np.einsum("hwij,i,j->hw", windows, along, along)


def path(radius: int, sigma: float, angle: float) -> Float[np.ndarray, "size size"]:
    """Weights of the pixels on a line of 2 x `radius` + 1 steps that ends at the middle of the kernel."""
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    down = np.ceil(steps * np.sin(np.deg2rad(angle)) - 0.5).astype(int)
    right = np.ceil(steps * np.cos(np.deg2rad(angle)) - 0.5).astype(int)
    kernel = np.zeros((4 * radius + 1, 4 * radius + 1))
    np.add.at(kernel, (2 * radius + down, 2 * radius + right), weights / weights.sum())
    return kernel
