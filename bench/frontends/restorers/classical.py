"""Filters: bicubic smoothing, unsharp masking, median, and Wiener deconvolution."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from bench.frontends.base import WeightSources
from bench.frontends.restorers.base import NoSettings, Restorer
from bench.frontends.restorers.nlm import NonLocalMeans, NonLocalMeansSettings
from bench.frontends.restorers.pixels import Pixels, blurred, from_uint8, gaussian_taps, noise_level, to_uint8
from bench.frontends.restorers.settings import setting, settings_of

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds


@dataclass(frozen=True)
class BicubicSettings:
    """Settings of `bicubic`.

    Attributes
    ----------
    factor : float
        By which height and width are made smaller before they are brought back.
    """

    factor: float = setting(2.0, 1.0, 16.0)


class Bicubic(Restorer):
    """Bicubic interpolation to a smaller size and back, with Pillow's kernel.

    A tile that a corruption has made smaller comes back at its own size already, so that bicubic interpolation as the
    baseline of super-resolution is the row without a restorer. What is left of it for a tile that keeps its size is
    this: a smoothing that leaves no detail below `factor` px.
    """

    settings: BicubicSettings

    def function(self, device: torch.device) -> Apply:
        factor = self.settings.factor

        def apply(tiles: Images, seeds: Seeds) -> Images:
            height, width = tiles.shape[-2:]
            small = (max(1, round(height / factor)), max(1, round(width / factor)))
            return to_uint8(_resized(_resized(from_uint8(tiles), small), (height, width)))

        return apply


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return F.interpolate(pixels, size, mode="bicubic", antialias=True)


@dataclass(frozen=True)
class UnsharpSettings:
    """Settings of `unsharp`.

    Attributes
    ----------
    sigma : float
        Of the Gaussian, px.
    amount : float
        How much of the difference to the blurred tile is added.
    """

    sigma: float = setting(2.0, 0.1, 20.0)
    amount: float = setting(1.0, 0.0, 10.0)


class Unsharp(Restorer):
    """Unsharp masking, as scikit-image's `unsharp_mask` on each channel."""

    settings: UnsharpSettings

    def function(self, device: torch.device) -> Apply:
        own = self.settings

        def apply(tiles: Images, seeds: Seeds) -> Images:
            pixels = from_uint8(tiles)
            return to_uint8(pixels + (pixels - blurred(pixels, own.sigma)) * own.amount)

        return apply


class Median(Restorer):
    """The median of a square of each channel, the outermost pixels repeated beyond the border."""

    side: ClassVar[int] = 3

    def function(self, device: torch.device) -> Apply:
        def apply(tiles: Images, seeds: Seeds) -> Images:
            return median(tiles, self.side)

        return apply


class Median5(Median):
    """The same of 5 x 5 px."""

    side = 5


def median(tiles: UInt8[Tensor, "tile 3 height width"], side: int) -> UInt8[Tensor, "tile 3 height width"]:
    """The median of side x side px, `side` odd.

    The smallest and the largest of one more than half of the values cannot be the median: both are dropped, one value
    comes in, and so on, until one is left.
    """
    height, width = tiles.shape[-2:]
    border = side // 2
    rows = torch.arange(-border, height + border, device=tiles.device).clamp(0, height - 1)
    columns = torch.arange(-border, width + border, device=tiles.device).clamp(0, width - 1)
    padded = tiles.index_select(-2, rows).index_select(-1, columns)
    values = [padded[..., y : y + height, x : x + width].contiguous() for y in range(side) for x in range(side)]
    at_hand, later = values[: len(values) // 2 + 2], values[len(values) // 2 + 2 :]
    while len(at_hand) > 2:
        for i in range(len(at_hand) - 1):  # the largest goes to the end
            low = torch.minimum(at_hand[i], at_hand[i + 1])
            at_hand[i], at_hand[i + 1] = low, torch.maximum(at_hand[i], at_hand[i + 1])
        at_hand.pop()
        for i in range(len(at_hand) - 1, 0, -1):  # the smallest goes to the front
            low = torch.minimum(at_hand[i - 1], at_hand[i])
            at_hand[i - 1], at_hand[i] = low, torch.maximum(at_hand[i - 1], at_hand[i])
        at_hand.pop(0)
        at_hand += [later.pop()] if later else []
    return at_hand[0]


@dataclass(frozen=True)
class WienerSettings:
    """Settings of `wiener`.

    Attributes
    ----------
    sigma : float
        Of the Gaussian that is undone, px.
    balance : float
        Weight of smoothness in a tile without noise.
    noise : float
        What the variance of a tile's noise, its pixels from 0 to 1, adds to that weight, times this.

    Notes
    -----
    `balance` and `noise` are the best of a grid on five tiles of NCT-CRC-HE and five of PatchCamelyon, blurred by a
    sigma of 1, sharp and with noise of 3 grey levels: `python -m benchmarks.restorers FOLDER FOLDER --tune`. For a
    sigma of 2 the pair is within 0.05 dB of the best. A mean over blurs of 1, 2 and 3 px would choose a sigma of 1,
    which gains under 1 dB at 2 px; therefore there are two filters.
    """

    sigma: float = setting(1.0, 0.1, 20.0)
    balance: float = setting(1e-4, 1e-9, 1e3)
    noise: float = setting(30.0, 0.0, 1e6)


@dataclass(frozen=True)
class Wiener2Settings(WienerSettings):
    """Settings of `wiener2`, which undoes a wider Gaussian."""

    sigma: float = setting(2.0, 0.1, 20.0)


class Wiener(Restorer):
    """Wiener-Hunt deconvolution of a Gaussian, its borders mirrored; smoothness is that of the Laplacian.

    It is scikit-image's `wiener` on the tile continued by its mirror images. The weight of smoothness follows the noise
    that is found in each tile.
    """

    settings: WienerSettings

    def function(self, device: torch.device) -> Apply:
        own = self.settings

        def apply(tiles: Images, seeds: Seeds) -> Images:
            pixels = from_uint8(tiles).double()
            balance = own.balance + own.noise * noise_level(pixels) ** 2
            return to_uint8(deconvolved(pixels, own.sigma, balance))

        return apply


def deconvolved(pixels: Pixels, sigma: float, balance: Float[Tensor, " tile"]) -> Pixels:
    """Wiener-Hunt deconvolution of a Gaussian in the basis of cosines, which continues a tile by its mirror images."""
    height, width = pixels.shape[-2:]
    down, across = _cosines(height).to(pixels), _cosines(width).to(pixels)
    spread = _transfer(height, sigma).to(pixels)[:, None] * _transfer(width, sigma).to(pixels)
    rough = _second_difference(height).to(pixels)[:, None] + _second_difference(width).to(pixels)
    gain = spread / (spread**2 + balance[:, None, None, None] * rough**2)
    return down.T @ ((down @ pixels @ across.T) * gain) @ across


@lru_cache(maxsize=16)
def _cosines(side: int) -> Float[Tensor, "frequency place"]:
    """The orthonormal discrete cosine transform (II)."""
    k = torch.arange(side, dtype=torch.float64)
    basis = torch.cos(math.pi / side * k[:, None] * (k + 0.5)) * math.sqrt(2 / side)
    basis[0] /= math.sqrt(2)
    return basis


@lru_cache(maxsize=16)
def _transfer(side: int, sigma: float) -> Float[Tensor, " frequency"]:
    """What a Gaussian leaves of each cosine."""
    taps = torch.tensor(gaussian_taps(sigma), dtype=torch.float64)
    places = torch.arange(len(taps)) - len(taps) // 2
    return torch.cos(math.pi / side * torch.arange(side, dtype=torch.float64)[:, None] * places) @ taps


@lru_cache(maxsize=16)
def _second_difference(side: int) -> Float[Tensor, " frequency"]:
    return 2 - 2 * torch.cos(math.pi / side * torch.arange(side, dtype=torch.float64))


_KINDS: dict[str, tuple[type[Restorer], type]] = {
    "bicubic": (Bicubic, BicubicSettings),
    "unsharp": (Unsharp, UnsharpSettings),
    "median": (Median, NoSettings),
    "median5": (Median5, NoSettings),
    "nlm": (NonLocalMeans, NonLocalMeansSettings),
    "wiener": (Wiener, WienerSettings),
    "wiener2": (Wiener, Wiener2Settings),
}


def restorer(name: str, settings: Mapping[str, Any], weights: WeightSources) -> Restorer:
    """The filter of this name."""
    kind, schema = _KINDS[name]
    return kind(name, settings_of(name, schema, settings))
