"""Stain normalisation to a fixed published reference: Macenko and Reinhard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from bench.frontends.base import WeightSources
from bench.frontends.restorers.base import Restorer
from bench.frontends.restorers.settings import setting, settings_of

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds

_LIGHT = 240.0  # grey level of light that nothing has absorbed, in Macenko's code

# stain vectors (rows R, G, B; columns haematoxylin, eosin) and 99th percentiles of their concentrations, from the code
# of Macenko's method, mitkovetta/staining-normalization; torchstain has the same
_MACENKO_STAINS = ((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581))
_MACENKO_MOST = (1.9705, 1.0308)

# mean and standard deviation in l, alpha, beta of a region of TCGA-A2-A3XS-DX1 (Amgad et al., Bioinformatics 2019), the
# standard of HistomicsTK's tests and examples
_REINHARD_MEAN = (8.74108109, -0.12440419, 0.0444982)
_REINHARD_DEVIATION = (0.6135447, 0.10989545, 0.0286032)

# Ruderman et al., J. Opt. Soc. Am. A 1998, as Reinhard et al. 2001 print them
_TO_CONES = ((0.3811, 0.5783, 0.0402), (0.1967, 0.7244, 0.0782), (0.0241, 0.1288, 0.8444))
_TO_OPPONENT = ((3**-0.5, 3**-0.5, 3**-0.5), (6**-0.5, 6**-0.5, -2 * 6**-0.5), (2**-0.5, -(2**-0.5), 0.0))
_DARKEST = 0.5  # of 255: the logarithm of a black pixel would be without bound

Colours = Float[Tensor, "3 pixel"]
Tile = UInt8[Tensor, "3 height width"]


@dataclass(frozen=True)
class MacenkoSettings:
    """Settings of `macenko`.

    Attributes
    ----------
    alpha : float
        Percentile of the angles that gives a stain's vector, and 100 less it the other's.
    beta : float
        Optical density below which a pixel shows the slide's glass, in any channel.
    tissue : float
        Share of a tile's pixels that must be tissue; a tile with less comes through as it is.
    """

    alpha: float = setting(1.0, 0.0, 49.0)
    beta: float = setting(0.15, 0.0, 5.0)
    tissue: float = setting(0.05, 0.0, 1.0)


class Macenko(Restorer):
    """Macenko et al., ISBI 2009, with its authors' reference, each tile by its own stain vectors.

    A tile with too little tissue, or of one stain only, has no two stain vectors and comes through as it is.
    """

    settings: MacenkoSettings

    def function(self, device: torch.device) -> Apply:
        own = self.settings

        def apply(tiles: Images, seeds: Seeds) -> Images:
            return torch.stack([macenko(tile, own.alpha, own.beta, own.tissue) for tile in tiles])

        return apply


def macenko(tile: Tile, alpha: float, beta: float, least: float) -> Tile:
    """One tile with the stains of the reference, or as it is where it has no two stains."""
    density = -torch.log((tile.flatten(1).double() + 1) / _LIGHT)
    tissue = (density >= beta).all(dim=0)
    if not _enough(tissue, least):
        return tile
    reference = torch.tensor(_MACENKO_STAINS, dtype=density.dtype, device=density.device)
    stains = _stain_vectors(density[:, tissue], alpha)
    inner = stains.T @ stains
    if not torch.linalg.det(inner) > 1e-8:
        return tile
    amounts = torch.linalg.solve(inner, stains.T @ density)
    most = torch.quantile(amounts, 0.99, dim=1)
    if not (most > 1e-6).all():
        return tile
    amounts = amounts * (torch.tensor(_MACENKO_MOST, dtype=most.dtype, device=most.device) / most)[:, None]
    return _levels(_LIGHT * torch.exp(-reference @ amounts), tile)


def _stain_vectors(density: Colours, alpha: float) -> Float[Tensor, "3 2"]:
    """Haematoxylin and eosin: the directions at the two ends of the plane in which most of the densities lie."""
    _, vectors = torch.linalg.eigh(torch.cov(density))
    plane = vectors[:, 1:]
    across, along = plane.T @ density
    ends = torch.tensor([alpha / 100, 1 - alpha / 100], dtype=density.dtype, device=density.device)
    angles = torch.quantile(torch.atan2(along, across), ends)
    found = plane @ torch.stack([torch.cos(angles), torch.sin(angles)])
    return found if found[0, 0] > found[0, 1] else found.flip(1)


@dataclass(frozen=True)
class ReinhardSettings:
    """Settings of `reinhard`.

    Attributes
    ----------
    beta : float
        Mean optical density from which a pixel is tissue. The statistics are those of tissue, and what is lighter
        changes the less the nearer it is to glass.
    tissue : float
        Share of a tile's pixels that must be tissue; a tile with less comes through as it is.
    """

    beta: float = setting(0.15, 0.0, 5.0)
    tissue: float = setting(0.05, 0.0, 1.0)


class Reinhard(Restorer):
    """Reinhard et al., IEEE CG&A 2001: mean and deviation of the tissue's colours become those of the reference.

    The glass is left out as by HistomicsTK's `mask_out`, because its share would decide what tissue looks like. Between
    glass and tissue the change rises linearly with the density: with a step there, blurred tissue gets a light rim.
    """

    settings: ReinhardSettings

    def function(self, device: torch.device) -> Apply:
        own = self.settings

        def apply(tiles: Images, seeds: Seeds) -> Images:
            return torch.stack([reinhard(tile, own.beta, own.tissue) for tile in tiles])

        return apply


def reinhard(tile: Tile, beta: float, least: float) -> Tile:
    """One tile with the colours of the reference, or as it is where it has too little tissue or a single colour."""
    pixels = tile.flatten(1).double()
    density = -torch.log((pixels + 1) / _LIGHT).mean(dim=0)
    tissue = density >= beta
    if not _enough(tissue, least):
        return tile
    opponent = to_opponent(pixels)
    mean = opponent[:, tissue].mean(dim=1, keepdim=True)
    deviation = opponent[:, tissue].std(dim=1, keepdim=True, correction=0)
    if not (deviation > 1e-6).all():
        return tile
    wanted = torch.tensor([_REINHARD_MEAN, _REINHARD_DEVIATION], dtype=pixels.dtype, device=pixels.device)[..., None]
    changed = from_opponent((opponent - mean) / deviation * wanted[1] + wanted[0])
    share = torch.where(tissue, 1, density.clamp(min=0) / max(beta, 1e-9))
    return _levels(pixels + (changed.clamp(0, 255) - pixels) * share, tile)


def to_opponent(pixels: Colours) -> Colours:
    """l, alpha, beta of RGB from 0 to 255: decorrelated logarithms of what the cones of the eye receive."""
    cones = _matrix(_TO_CONES, pixels) @ pixels
    return _matrix(_TO_OPPONENT, pixels) @ torch.log(cones.clamp(min=_DARKEST))


def from_opponent(opponent: Colours) -> Colours:
    """RGB of l, alpha, beta; not clipped."""
    cones = torch.exp(torch.linalg.inv(_matrix(_TO_OPPONENT, opponent)) @ opponent)
    return torch.linalg.inv(_matrix(_TO_CONES, opponent)) @ cones


def _matrix(rows: tuple[tuple[float, ...], ...], like: Tensor) -> Float[Tensor, "3 3"]:
    return torch.tensor(rows, dtype=like.dtype, device=like.device)


def _enough(tissue: Bool[Tensor, " pixel"], least: float) -> bool:
    found = int(tissue.sum())
    return found >= 3 and found >= least * len(tissue)  # a plane through the origin needs three points


def _levels(colours: Colours, tile: Tile) -> Tile:
    return colours.clamp(0, 255).round().to(torch.uint8).view(tile.shape)


_KINDS: dict[str, tuple[type[Restorer], type]] = {
    "macenko": (Macenko, MacenkoSettings),
    "reinhard": (Reinhard, ReinhardSettings),
}


def restorer(name: str, settings: Mapping[str, Any], weights: WeightSources) -> Restorer:
    """The normalisation of this name."""
    kind, schema = _KINDS[name]
    return kind(name, settings_of(name, schema, settings))
