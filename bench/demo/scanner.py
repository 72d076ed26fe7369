"""Two made-up scanners: from stain concentrations to RGB by Beer-Lambert, each with its own colour and sharpness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

_BAND = 128  # rows done at a time, so that a slide's pixels stay in the processor's cache


@dataclass(frozen=True)
class Scanner:
    """Stain and optics of one centre.

    Attributes
    ----------
    haematoxylin, eosin : tuple of float
        Optical density (base 10) of red, green and blue at concentration 1; unit vectors.
    strength : tuple of float
        Factors on the concentrations of haematoxylin and eosin.
    white : tuple of float
        RGB of empty glass, 0..255.
    blur : float
        Standard deviation of the point spread in micrometres.
    noise : float
        Standard deviation of the sensor's noise in grey levels.
    """

    name: str
    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    strength: tuple[float, float]
    white: tuple[float, float, float]
    blur: float
    noise: float


SCANNERS = (
    # Near the reference vectors in the public code of Macenko et al., ISBI 2009.
    Scanner("scanner_a", (0.573, 0.724, 0.384), (0.165, 0.880, 0.446), (0.95, 0.62), (244, 243, 244), 0.28, 1.5),
    # Between those and the vectors of Ruifrok & Johnston, Anal Quant Cytol Histol 23 (2001) 291.
    Scanner("scanner_b", (0.622, 0.709, 0.332), (0.140, 0.908, 0.395), (0.80, 0.72), (236, 231, 240), 0.50, 2.5),
)


@dataclass(frozen=True)
class Stain:
    """One stained section in one scanner: its optical densities per unit of concentration, `[stain, rgb]`."""

    density: Float[np.ndarray, "2 3"]
    scanner: Scanner

    @classmethod
    def of(cls, scanner: Scanner, rng: np.random.Generator) -> Stain:
        """Draw a patient's staining: vectors turned by a few degrees, strength off by some 15 %."""
        vectors = np.array([scanner.haematoxylin, scanner.eosin])
        vectors = np.abs(vectors + rng.normal(0, 0.035, vectors.shape))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        strength = np.array(scanner.strength) * np.exp(rng.normal(0, 0.15, 2))
        return cls(vectors * strength[:, None], scanner)

    def restained(self, spread: float, rng: np.random.Generator) -> Stain:
        """The same stain where the section is a little thicker or thinner; `spread` is of the log strength."""
        common = rng.normal(0, spread)
        return Stain(self.density * np.exp(common + rng.normal(0, spread, (2, 1))), self.scanner)


def scan(
    haematoxylin: Float[np.ndarray, "high wide"],
    eosin: Float[np.ndarray, "high wide"],
    mpp: float,
    stain: Stain,
    rng: np.random.Generator,
    defocus: float = 0.0,
) -> UInt8[np.ndarray, "high wide 3"]:
    """Photograph a section.

    Parameters
    ----------
    defocus
        Further blur in micrometres, added in quadrature.
    """
    scanner = stain.scanner
    sigma = float(np.hypot(scanner.blur, defocus)) / mpp
    halo = int(np.ceil(3 * sigma)) + 1
    high = len(haematoxylin)
    out = np.empty((*haematoxylin.shape, 3), np.uint8)
    for top in range(0, high, _BAND):
        first, stop, last = max(0, top - halo), min(high, top + _BAND), min(high, top + _BAND + halo)
        grain = rng.standard_normal((stop - top, haematoxylin.shape[1]), dtype=np.float32)
        for channel in range(3):
            light = haematoxylin[first:last] * np.float32(-np.log(10) * stain.density[0, channel])
            light += eosin[first:last] * np.float32(-np.log(10) * stain.density[1, channel])
            np.exp(light, out=light)
            seen = ndimage.gaussian_filter(light, sigma, truncate=3.0)[top - first : stop - first]
            seen *= np.float32(scanner.white[channel])
            seen += grain * np.float32(scanner.noise)
            out[top:stop, :, channel] = np.clip(np.rint(seen, out=seen), 0, 255, out=seen)
    return out
