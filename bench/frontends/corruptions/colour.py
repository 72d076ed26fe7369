"""Shifts of colour: in HSV, and of the stains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torchvision.transforms.v2 import functional

from .draws import uniforms
from .levels import Level
from .rounding import nearest_levels

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds

_RGB_OF_HED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Optical densities of haematoxylin, eosin and DAB in red, green and blue (Ruifrok and Johnston 2001)."""

_DARKEST = 1e-6  # Tellez et al. add it to every value, for the logarithm


def brightness(level: Level, device: torch.device) -> Apply:
    """More value at the same hue and saturation, so a pixel is scaled as its largest value is; black turns grey."""
    more = 255 * level[0]

    def apply(tiles: Images, seeds: Seeds) -> Images:
        rgb = tiles.double()
        value = rgb.amax(dim=1, keepdim=True)
        raised = (value + more).clamp_(max=255)
        return nearest_levels(torch.where(value > 0, rgb * raised / value.clamp(min=1), raised))

    return apply


def saturation(level: Level, device: torch.device) -> Apply:
    """More saturation at the same hue and value, so the way of each value down from the largest is stretched."""
    (more,) = level
    red = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64, device=device)[:, None, None]

    def apply(tiles: Images, seeds: Seeds) -> Images:
        rgb = tiles.double()
        value = rgb.amax(dim=1, keepdim=True)
        chroma = value - rgb.amin(dim=1, keepdim=True)
        raised = torch.minimum(chroma + more * value, value)
        way = torch.where(chroma > 0, (value - rgb) / chroma.clamp(min=1), red)
        return nearest_levels(value - way * raised)

    return apply


def hue(level: Level, device: torch.device) -> Apply:
    """The hue turned by a part of a turn, at the same saturation and value."""
    (turns,) = level

    def apply(tiles: Images, seeds: Seeds) -> Images:
        return nearest_levels(functional.adjust_hue(tiles.double() / 255, turns) * 255)

    return apply


def stain(level: Level, device: torch.device) -> Apply:
    """Each of the stains haematoxylin, eosin and DAB of a tile multiplied by a number near 1 and shifted by one near 0.

    With the densities ``d = -ln(p + 1e-6)`` of a pixel, the stains are ``s = d M^-1`` and the new densities
    ``(alpha s + beta) M``. So a new value is a product of powers of the three old ones, and is read from a table for
    each of them.
    """
    (half_width,) = level

    def apply(tiles: Images, seeds: Seeds) -> Images:
        drawn = half_width * (2 * uniforms(seeds, "stain", 6) - 1)
        tables = np.array([_powers(1 + numbers[:3], numbers[3:]) for numbers in drawn])
        flat = torch.from_numpy(tables).to(device).reshape(-1, 3)
        first = 256 * torch.arange(3 * len(tiles), device=device).reshape(-1, 3, 1, 1)
        places = first + tiles
        each = []
        for new in range(3):
            factors = flat[:, new][places]
            each.append(factors[:, 0] * factors[:, 1] * factors[:, 2])
        return nearest_levels((torch.stack(each, dim=1) - _DARKEST) * 255)

    return apply


def _powers(alpha: Float[np.ndarray, " stain"], beta: Float[np.ndarray, " stain"]) -> Float[np.ndarray, "old 256 new"]:
    """What a level of each old value contributes, as a factor, to each new value."""
    exponents = np.linalg.inv(_RGB_OF_HED) @ np.diag(alpha) @ _RGB_OF_HED
    logarithms = np.log(np.arange(256) / 255 + _DARKEST)
    factors = np.exp(logarithms[None, :, None] * exponents[:, None, :])
    factors[0] *= np.exp(-(beta @ _RGB_OF_HED))
    return factors
