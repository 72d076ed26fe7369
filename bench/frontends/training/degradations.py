"""Degradations with parameters of each tile's own, applied on the device: blur, downsampling, noise, JPEG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from jaxtyping import Float
from torch.nn.functional import interpolate, pad

from bench.frontends.training.jpeg import jpeg

if TYPE_CHECKING:
    from torch import Generator, Tensor

    Pixels = Float[Tensor, "tile 3 height width"]

Enlargement = Literal["bicubic", "bilinear", "nearest"]
ENLARGEMENTS: tuple[Enlargement, ...] = get_args(Enlargement)
REACH = 20  # px on each side of a blur's centre: kernels of 41x41


@dataclass(frozen=True)
class Degradation:
    """What happens to one tile, in this order; a field at its default leaves the tile as it is.

    Attributes
    ----------
    blur
        Standard deviations of a Gaussian along its two axes, px.
    turn
        Angle of the first axis, radians.
    disc
        Radius of a disc that is convolved with the tile, px: defocus.
    shrink
        By how much height and width are divided; noise comes before the tile is enlarged again.
    averaged
        Whether a smaller tile averages all pixels under each of its own, or interpolates between the nearest ones.
    enlarge
        How the smaller tile is brought to its size again.
    noise
        Standard deviation of Gaussian noise, grey levels of 255.
    shot
        Whether the noise grows with the square root of brightness; `noise` is then that of white.
    quality
        Of JPEG, 1 to 100.
    """

    blur: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    disc: float = 0.0
    shrink: float = 1.0
    averaged: bool = True
    enlarge: Enlargement = "bicubic"
    noise: float = 0.0
    shot: bool = False
    quality: float | None = None


def degrade(tiles: Pixels, degradations: Sequence[Degradation], generator: Generator) -> Pixels:
    """Degraded copies of tiles.

    Parameters
    ----------
    tiles : float tensor [B, 3, H, W]
        In 0..1; H and W multiples of 16 and above `REACH`.
    degradations
        One for each tile.
    generator
        Of the noise, on the tiles' device.

    Returns
    -------
    float tensor [B, 3, H, W]: grey levels of 255, in 0..1.
    """
    tiles = tiles.clone()
    blurred = [number for number, one in enumerate(degradations) if max(one.blur) > 0 or one.disc > 0]
    if blurred:
        tiles[blurred] = convolved(tiles[blurred], kernels([degradations[number] for number in blurred], tiles.device))
    noise = torch.randn(tiles.shape, generator=generator, device=tiles.device)
    for number, one in enumerate(degradations):
        if one.shrink > 1:
            tiles[number] = _coarsened(tiles[number : number + 1], noise[number : number + 1], one)[0]
        elif one.noise > 0:
            tiles[number] = _noisy(tiles[number], noise[number], one)
    tiles = levels(tiles)
    packed = [number for number, one in enumerate(degradations) if one.quality is not None]
    if packed:
        quality = torch.tensor([degradations[number].quality for number in packed], device=tiles.device)
        tiles[packed] = levels(jpeg(tiles[packed], quality))
    return tiles


def levels(tiles: Pixels) -> Pixels:
    """Pixels rounded to grey levels of 255 and cut off to 0..1."""
    return (tiles * 255).round().clamp(0, 255) / 255


def kernels(degradations: Sequence[Degradation], device: torch.device) -> Float[Tensor, "tile 41 41"]:
    """The kernel of each tile's blur: a Gaussian, or a disc with a soft edge of one pixel; each sums to 1."""
    along = torch.arange(-REACH, REACH + 1, dtype=torch.float32, device=device)
    y, x = torch.meshgrid(along, along, indexing="ij")
    every = []
    for one in degradations:
        if one.disc > 0:
            kernel = (one.disc + 0.5 - (x**2 + y**2).sqrt()).clamp(0, 1)
        else:
            first = math.cos(one.turn) * x + math.sin(one.turn) * y
            second = math.cos(one.turn) * y - math.sin(one.turn) * x
            wide, narrow = (max(sigma, 0.1) for sigma in one.blur)
            kernel = torch.exp(-(first**2) / (2 * wide**2) - second**2 / (2 * narrow**2))
        every.append(kernel / kernel.sum())
    return torch.stack(every)


def convolved(tiles: Pixels, kernel: Float[Tensor, "tile 41 41"]) -> Pixels:
    """Each tile convolved with its own kernel; tiles are mirrored at their edges."""
    height, width = tiles.shape[-2:]
    wide = pad(tiles, (REACH,) * 4, "reflect")
    size = (height + 2 * REACH, width + 2 * REACH)
    centred = torch.roll(
        pad(kernel, (0, size[1] - kernel.shape[2], 0, size[0] - kernel.shape[1])), (-REACH, -REACH), (1, 2)
    )
    waves = torch.fft.rfft2(wide) * torch.fft.rfft2(centred).unsqueeze(1)
    return torch.fft.irfft2(waves, s=size)[..., REACH : REACH + height, REACH : REACH + width]


def _coarsened(tile: Pixels, noise: Pixels, one: Degradation) -> Pixels:
    height, width = tile.shape[-2:]
    size = (max(1, round(height / one.shrink)), max(1, round(width / one.shrink)))
    small = interpolate(tile, size, mode="bilinear", antialias=one.averaged)
    if one.noise > 0:
        small = _noisy(small, noise[..., : size[0], : size[1]], one)
    small = small.clamp(0, 1)
    if one.enlarge == "nearest":
        return interpolate(small, (height, width), mode="nearest-exact")
    return interpolate(small, (height, width), mode=one.enlarge)


def _noisy(tile: Tensor, noise: Tensor, one: Degradation) -> Tensor:
    strength = tile.clamp(0, 1).sqrt() if one.shot else 1.0
    return tile + noise * strength * (one.noise / 255)
