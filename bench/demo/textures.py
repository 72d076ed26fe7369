"""The six tissues of the phantom: stain concentrations and nuclei of a window, by simple rules in micrometres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float

from bench.demo.fields import Field, nearest, noise, smooth_step, value_at
from bench.demo.nuclei import Nucleus, Stamp, draw, scatter


class Tissue(IntEnum):
    """The classes; the numbers are the values of a truth mask."""

    GLASS = 0
    TUMOUR = 1
    STROMA = 2
    LYMPHOCYTES = 3
    ADIPOSE = 4
    MUCOSA = 5
    NECROSIS = 6

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Traits:
    """What differs between the tissues of two patients.

    Attributes
    ----------
    grade : float
        0..1; a high-grade tumour has larger, more uneven, more crowded nuclei and forms no glands.
    nuclear_size : float
        Factor on every nuclear radius.
    fibre : float
        Width of a stroma fibre in micrometres.
    cellularity : float
        Factor on the number of cells in stroma.
    gland : float
        Outer radius of a mucosal gland in micrometres.
    fat_cell : float
        Distance of the centres of two fat cells in micrometres.
    """

    grade: float
    nuclear_size: float
    fibre: float
    cellularity: float
    gland: float
    fat_cell: float

    @classmethod
    def of(cls, rng: np.random.Generator) -> Traits:
        """Draw one patient."""
        return cls(
            grade=rng.uniform(),
            nuclear_size=float(np.exp(rng.normal(0, 0.07))),
            fibre=rng.uniform(5.0, 10.0),
            cellularity=rng.uniform(0.6, 1.6),
            gland=rng.uniform(24, 32),
            fat_cell=rng.uniform(38, 62),
        )


@dataclass
class Layer:
    """One tissue over one window: ground of the two stains, and nuclei to paint on it (pixels of the window)."""

    haematoxylin: Field
    eosin: Field
    nuclei: list[tuple[Float[np.ndarray, "n 2"], np.ndarray, list[Stamp]]]


def _any(count: int, stamps: list[Stamp], rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, len(stamps), count)


LYMPHOCYTE = Nucleus(radius=3.1, spread=0.08, elongation=1.08, irregularity=0.04, darkness=0.95, clumps=0.22)
FIBROBLAST = Nucleus(radius=2.9, spread=0.16, elongation=3.4, irregularity=0.08, darkness=0.78, clumps=0.12)
EPITHELIAL = Nucleus(
    radius=3.5, spread=0.09, elongation=1.6, irregularity=0.05, darkness=0.62, rim=0.15, clumps=0.10, nucleoli=0.1
)


def _tumour_nucleus(traits: Traits) -> Nucleus:
    return Nucleus(
        radius=4.3 + 1.3 * traits.grade,
        spread=0.16 + 0.14 * traits.grade,
        elongation=1.35,
        irregularity=0.12 + 0.12 * traits.grade,
        darkness=0.55,
        rim=0.25,
        clumps=0.17,
        nucleoli=0.35 + 0.5 * traits.grade,
    )


def _sized(kind: Nucleus, traits: Traits) -> Nucleus:
    return Nucleus(**{**vars(kind), "radius": kind.radius * traits.nuclear_size})


def _tumour(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> Layer:
    """Sheets of crowded, uneven nuclei; the lower the grade the more irregular lumens between them."""
    lumen = smooth_step(noise(shape, 26 / mpp, rng), 1.25 + 1.6 * traits.grade, 0.12)
    texture = noise(shape, 5 / mpp, rng)
    body = 1 - 0.9 * lumen
    haematoxylin = (0.17 + 0.05 * texture) * body
    eosin = (0.42 + 0.10 * texture + 0.04 * noise(shape, 1.5 / mpp, rng)) * body
    kind = _sized(_tumour_nucleus(traits), traits)
    stamps = draw(kind, 40, mpp, rng)
    centres = scatter(shape, 2.25 * kind.radius / mpp, rng, jitter=0.24)
    sparse = value_at(noise(shape, 30 / mpp, rng), centres)
    keep = (value_at(lumen, centres) < 0.05) & (rng.random(len(centres)) < 0.93 - 0.15 * (sparse > 0.8))
    centres = centres[keep]
    return Layer(haematoxylin, eosin, [(centres, _any(len(centres), stamps, rng), stamps)])


def _fibres(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> tuple[Field, Field]:
    """Eosin of wavy fibres, and the coordinate across them in micrometres."""
    y = np.arange(shape[0], dtype=np.float32)[:, None] * np.float32(mpp)
    x = np.arange(shape[1], dtype=np.float32)[None, :] * np.float32(mpp)
    turn = rng.uniform(0, np.pi)
    across = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    across = across + 11 * noise(shape, 70 / mpp, rng) + 2.2 * noise(shape, 17 / mpp, rng)
    phase = across * np.float32(2 * np.pi / traits.fibre)
    wave = np.cos(phase) + 0.7 * np.cos(2.3 * phase + 2 * noise(shape, 25 / mpp, rng))
    eosin = 0.50 + 0.11 * wave + 0.07 * noise(shape, 3.5 / mpp, rng)
    gaps = smooth_step(np.cos(0.61 * phase), 0.90, 0.10) * smooth_step(noise(shape, 22 / mpp, rng), 0.7, 0.4)
    return eosin * (1 - 0.85 * gaps), across


def _stroma(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> Layer:
    """Wavy pink fibres with spindle nuclei along them and a few lymphocytes."""
    eosin, across = _fibres(shape, mpp, traits, rng)
    haematoxylin = np.full(shape, 0.05, np.float32)
    turns = np.linspace(0, np.pi, 24, endpoint=False)
    stamps = draw(_sized(FIBROBLAST, traits), len(turns), mpp, rng, angles=turns)
    centres = scatter(shape, 15 / np.sqrt(traits.cellularity) / mpp, rng)
    step = max(1, round(3 / mpp))
    down, right = np.array([step, 0]), np.array([0, step])
    slope_y = value_at(across, centres + down) - value_at(across, centres - down)
    slope_x = value_at(across, centres + right) - value_at(across, centres - right)
    along = np.arctan2(slope_x, -slope_y) + rng.normal(0, 0.15, len(centres))
    which = np.rint(along / np.pi * len(turns)).astype(int) % len(turns)
    cells = draw(_sized(LYMPHOCYTE, traits), 12, mpp, rng)
    guests = scatter(shape, 34 / mpp, rng)
    guests = guests[value_at(noise(shape, 60 / mpp, rng), guests) > 0.4]
    return Layer(haematoxylin, eosin, [(centres, which, stamps), (guests, _any(len(guests), cells, rng), cells)])


def _lymphocytes(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> Layer:
    """Densely packed small, round, dark and even nuclei with hardly any cytoplasm."""
    texture = noise(shape, 4 / mpp, rng)
    haematoxylin = 0.10 + 0.04 * texture
    eosin = 0.27 + 0.10 * texture + 0.05 * noise(shape, 14 / mpp, rng)
    kind = _sized(LYMPHOCYTE, traits)
    stamps = draw(kind, 24, mpp, rng)
    centres = scatter(shape, 2.5 * kind.radius / mpp, rng, jitter=0.17)
    thin = value_at(noise(shape, 25 / mpp, rng), centres) > 1.0
    centres = centres[rng.random(len(centres)) < np.where(thin, 0.55, 0.92)]
    large = draw(Nucleus(4.4, 0.12, 1.15, 0.06, 0.5, 0.2, 0.12, 0.4), 8, mpp, rng)
    others = scatter(shape, 32 / mpp, rng)
    return Layer(
        haematoxylin,
        eosin,
        [(centres, _any(len(centres), stamps, rng), stamps), (others, _any(len(others), large, rng), large)],
    )


def _adipose(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> Layer:
    """Large empty polygons with thin walls and a rare flat nucleus in a wall."""
    step = max(1, round(1.5 / mpp))
    first, second = nearest(shape, scatter(shape, traits.fat_cell / mpp, rng, jitter=0.16), 2, step)
    wall = (second - first) * np.float32(0.5 * mpp) + 0.8 * noise(shape, 14 / mpp, rng)
    thickness = 1.3 + 1.1 * smooth_step(noise(shape, 45 / mpp, rng), 0.6, 1.0)
    lining = 1 - np.clip(wall / thickness, 0, 1)
    eosin = 0.02 + 0.55 * lining
    haematoxylin = 0.01 + 0.08 * lining
    stamps = draw(_sized(FIBROBLAST, traits), 24, mpp, rng)
    centres = scatter(shape, 9 / mpp, rng)
    centres = centres[(value_at(wall, centres) < 0.8) & (rng.random(len(centres)) < 0.35)]
    return Layer(haematoxylin, eosin, [(centres, _any(len(centres), stamps, rng), stamps)])


def _mucosa(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> Layer:
    """Round glands: a lumen, pale goblet cells, a ring of even nuclei; loose stroma with lymphocytes between them."""
    glands = scatter(shape, 2.25 * traits.gland / mpp, rng, jitter=0.06)
    (distance,) = nearest(shape, glands, 1, max(1, round(2 / mpp)))
    wobble = 2.6 * noise(shape, 16 / mpp, rng)
    depth = distance * np.float32(mpp) + wobble
    outer, inner = traits.gland, 0.34 * traits.gland
    inside = 1 - smooth_step(depth, outer, 1.2)
    lumen = 1 - smooth_step(depth, inner, 1.2)
    eosin, _ = _fibres(shape, mpp, traits, rng)
    cells = 0.45 + 0.07 * noise(shape, 3 / mpp, rng)
    (goblet,) = nearest(shape, scatter(shape, 9.5 / mpp, rng), 1, max(1, round(1 / mpp)))
    vacuole = 1 - smooth_step(goblet * np.float32(mpp), 3.3, 1.5)
    vacuole *= (depth < outer - 8.5) & (depth > inner + 1)
    eosin = 0.8 * eosin * (1 - inside) + cells * inside * (1 - 0.75 * vacuole) * (1 - 0.93 * lumen)
    haematoxylin = (0.05 + 0.14 * inside + 0.05 * vacuole) * (1 - 0.85 * lumen)
    count = max(6, round(2 * np.pi * (outer - 4.5) / 6.6))
    turn = (np.arange(count) * 2 * np.pi / count)[None, :] + rng.normal(0, 0.07, (len(glands), count))
    reach = (outer - 4.5 + rng.normal(0, 0.7, turn.shape)) / mpp
    ring = (glands[:, None, :] + np.stack([np.sin(turn), np.cos(turn)], axis=-1) * reach[..., None]).reshape(-1, 2)
    turn = turn.ravel()
    correction = value_at(wobble, ring) / mpp
    ring -= np.stack([np.sin(turn), np.cos(turn)], axis=-1) * correction[:, None]
    near = np.abs(value_at(depth, ring) - (outer - 4.5)) < 2.5
    turns = np.linspace(0, np.pi, 24, endpoint=False)
    stamps = draw(_sized(EPITHELIAL, traits), len(turns), mpp, rng, angles=turns)
    which = np.rint(turn[near] / np.pi * len(turns)).astype(int) % len(turns)
    round_cells = draw(_sized(LYMPHOCYTE, traits), 12, mpp, rng)
    guests = scatter(shape, 10 / mpp, rng)
    guests = guests[(value_at(depth, guests) > outer + 2.5) & (rng.random(len(guests)) < 0.6)]
    return Layer(
        haematoxylin, eosin, [(ring[near], which, stamps), (guests, _any(len(guests), round_cells, rng), round_cells)]
    )


def _necrosis(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> Layer:
    """Granular pink debris with nuclear dust and pale ghosts of nuclei."""
    grain = noise(shape, 1.2 / mpp, rng)
    cloud = noise(shape, 20 / mpp, rng)
    eosin = 0.46 + 0.11 * grain + 0.08 * cloud + 0.06 * noise(shape, 4 / mpp, rng)
    haematoxylin = 0.10 + 0.04 * grain + 0.04 * cloud
    dust = draw(Nucleus(1.0, 0.4, 1.2, 0.2, 0.85), 24, mpp, rng)
    specks = scatter(shape, 6 / mpp, rng, jitter=0.5)
    specks = specks[rng.random(len(specks)) < 0.12 + 0.5 * (value_at(cloud, specks) > 0.6)]
    ghosts = draw(_sized(Nucleus(3.6, 0.25, 1.3, 0.2, 0.26, clumps=0.1), traits), 16, mpp, rng)
    pale = scatter(shape, 15 / mpp, rng)
    return Layer(
        haematoxylin,
        eosin,
        [(pale, _any(len(pale), ghosts, rng), ghosts), (specks, _any(len(specks), dust, rng), dust)],
    )


TEXTURES: dict[Tissue, Callable[[tuple[int, int], float, Traits, np.random.Generator], Layer]] = {
    Tissue.TUMOUR: _tumour,
    Tissue.STROMA: _stroma,
    Tissue.LYMPHOCYTES: _lymphocytes,
    Tissue.ADIPOSE: _adipose,
    Tissue.MUCOSA: _mucosa,
    Tissue.NECROSIS: _necrosis,
}
