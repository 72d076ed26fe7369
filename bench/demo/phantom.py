"""Phantom tissue: the concentrations of haematoxylin and eosin of a made-up section, at any resolution.

Nothing here is data of a patient. Six tissues are drawn from simple rules in micrometres, so that the same tissue can
be looked at through any scanner and at any mpp. Tiles and slides of the built-in cohort share this renderer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from bench.demo.nuclei import Nucleus, Stamp, draw, paint, scatter

Field = Float[np.ndarray, "high wide"]

_REACH = 2  # elements of the region map by which the soft border of a region sticks out
_EDGE = 2.0  # micrometres over which one tissue gives way to the next


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
class _Layer:
    """One tissue over one window: ground of the two stains, and nuclei to paint on it (pixels of the window)."""

    haematoxylin: Field
    eosin: Field
    nuclei: list[tuple[Float[np.ndarray, "n 2"], np.ndarray, list[Stamp]]]


def noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Field:
    """Smooth random field of about zero mean and unit variance whose blobs are about `scale` pixels wide."""
    high, wide = shape
    if scale <= 1:
        return rng.standard_normal(shape, dtype=np.float32)
    grid = rng.standard_normal((int(high / scale) + 4, int(wide / scale) + 4), dtype=np.float32)
    y, x = rng.uniform(1, 2, 2)
    box = (x, y, x + wide / scale, y + high / scale)
    return 1.3 * np.asarray(Image.fromarray(grid).resize((wide, high), Image.Resampling.BICUBIC, box=box))


def _smooth_step(field: Field, edge: float, width: float) -> Field:
    return np.clip((field - edge) / width + 0.5, 0, 1)


def _nearest(
    shape: tuple[int, int], points: Float[np.ndarray, "n 2"], count: int, step: int
) -> list[Float[np.ndarray, "high wide"]]:
    """Distances in pixels to the nearest `count` points, found on every `step`-th pixel and interpolated."""
    high, wide = shape
    rows, columns = -(-high // step) + 1, -(-wide // step) + 1
    grid = np.indices((rows, columns)).reshape(2, -1).T * float(step)
    distance = cKDTree(points).query(grid, k=count)[0].reshape(rows, columns, count).astype(np.float32)
    box = (0.5, 0.5, 0.5 + wide / step, 0.5 + high / step)
    return [
        np.asarray(Image.fromarray(distance[..., k]).resize((wide, high), Image.Resampling.BILINEAR, box=box))
        for k in range(count)
    ]


def _at(field: Field, centres: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, n]:
    row = centres[:, 0].astype(int).clip(0, field.shape[0] - 1)
    column = centres[:, 1].astype(int).clip(0, field.shape[1] - 1)
    return field[row, column]


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


def _tumour(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> _Layer:
    """Sheets of crowded, uneven nuclei; the lower the grade the more irregular lumens between them."""
    lumen = _smooth_step(noise(shape, 26 / mpp, rng), 1.25 + 1.6 * traits.grade, 0.12)
    texture = noise(shape, 5 / mpp, rng)
    body = 1 - 0.9 * lumen
    haematoxylin = (0.17 + 0.05 * texture) * body
    eosin = (0.42 + 0.10 * texture + 0.04 * noise(shape, 1.5 / mpp, rng)) * body
    kind = _sized(_tumour_nucleus(traits), traits)
    stamps = draw(kind, 40, mpp, rng)
    centres = scatter(shape, 2.25 * kind.radius / mpp, rng, jitter=0.24)
    sparse = _at(noise(shape, 30 / mpp, rng), centres)
    keep = (_at(lumen, centres) < 0.05) & (rng.random(len(centres)) < 0.93 - 0.15 * (sparse > 0.8))
    centres = centres[keep]
    return _Layer(haematoxylin, eosin, [(centres, _any(len(centres), stamps, rng), stamps)])


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
    gaps = _smooth_step(np.cos(0.61 * phase), 0.90, 0.10) * _smooth_step(noise(shape, 22 / mpp, rng), 0.7, 0.4)
    return eosin * (1 - 0.85 * gaps), across


def _stroma(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> _Layer:
    """Wavy pink fibres with spindle nuclei along them and a few lymphocytes."""
    eosin, across = _fibres(shape, mpp, traits, rng)
    haematoxylin = np.full(shape, 0.05, np.float32)
    turns = np.linspace(0, np.pi, 24, endpoint=False)
    stamps = draw(_sized(FIBROBLAST, traits), len(turns), mpp, rng, angles=turns)
    centres = scatter(shape, 15 / np.sqrt(traits.cellularity) / mpp, rng)
    step = max(1, round(3 / mpp))
    down, right = np.array([step, 0]), np.array([0, step])
    slope_y = _at(across, centres + down) - _at(across, centres - down)
    slope_x = _at(across, centres + right) - _at(across, centres - right)
    along = np.arctan2(slope_x, -slope_y) + rng.normal(0, 0.15, len(centres))
    which = np.rint(along / np.pi * len(turns)).astype(int) % len(turns)
    cells = draw(_sized(LYMPHOCYTE, traits), 12, mpp, rng)
    guests = scatter(shape, 34 / mpp, rng)
    guests = guests[_at(noise(shape, 60 / mpp, rng), guests) > 0.4]
    return _Layer(haematoxylin, eosin, [(centres, which, stamps), (guests, _any(len(guests), cells, rng), cells)])


def _lymphocytes(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> _Layer:
    """Densely packed small, round, dark and even nuclei with hardly any cytoplasm."""
    texture = noise(shape, 4 / mpp, rng)
    haematoxylin = 0.10 + 0.04 * texture
    eosin = 0.27 + 0.10 * texture + 0.05 * noise(shape, 14 / mpp, rng)
    kind = _sized(LYMPHOCYTE, traits)
    stamps = draw(kind, 24, mpp, rng)
    centres = scatter(shape, 2.5 * kind.radius / mpp, rng, jitter=0.17)
    thin = _at(noise(shape, 25 / mpp, rng), centres) > 1.0
    centres = centres[rng.random(len(centres)) < np.where(thin, 0.55, 0.92)]
    large = draw(Nucleus(4.4, 0.12, 1.15, 0.06, 0.5, 0.2, 0.12, 0.4), 8, mpp, rng)
    others = scatter(shape, 32 / mpp, rng)
    return _Layer(
        haematoxylin,
        eosin,
        [(centres, _any(len(centres), stamps, rng), stamps), (others, _any(len(others), large, rng), large)],
    )


def _adipose(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> _Layer:
    """Large empty polygons with thin walls and a rare flat nucleus in a wall."""
    step = max(1, round(1.5 / mpp))
    first, second = _nearest(shape, scatter(shape, traits.fat_cell / mpp, rng, jitter=0.16), 2, step)
    wall = (second - first) * np.float32(0.5 * mpp) + 0.8 * noise(shape, 14 / mpp, rng)
    thickness = 1.3 + 1.1 * _smooth_step(noise(shape, 45 / mpp, rng), 0.6, 1.0)
    lining = 1 - np.clip(wall / thickness, 0, 1)
    eosin = 0.02 + 0.55 * lining
    haematoxylin = 0.01 + 0.08 * lining
    stamps = draw(_sized(FIBROBLAST, traits), 24, mpp, rng)
    centres = scatter(shape, 9 / mpp, rng)
    centres = centres[(_at(wall, centres) < 0.8) & (rng.random(len(centres)) < 0.35)]
    return _Layer(haematoxylin, eosin, [(centres, _any(len(centres), stamps, rng), stamps)])


def _mucosa(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> _Layer:
    """Round glands: a lumen, pale goblet cells, a ring of even nuclei; loose stroma with lymphocytes between them."""
    glands = scatter(shape, 2.25 * traits.gland / mpp, rng, jitter=0.06)
    (distance,) = _nearest(shape, glands, 1, max(1, round(2 / mpp)))
    wobble = 2.6 * noise(shape, 16 / mpp, rng)
    depth = distance * np.float32(mpp) + wobble
    outer, inner = traits.gland, 0.34 * traits.gland
    inside = 1 - _smooth_step(depth, outer, 1.2)
    lumen = 1 - _smooth_step(depth, inner, 1.2)
    eosin, _ = _fibres(shape, mpp, traits, rng)
    cells = 0.45 + 0.07 * noise(shape, 3 / mpp, rng)
    (goblet,) = _nearest(shape, scatter(shape, 9.5 / mpp, rng), 1, max(1, round(1 / mpp)))
    vacuole = 1 - _smooth_step(goblet * np.float32(mpp), 3.3, 1.5)
    vacuole *= (depth < outer - 8.5) & (depth > inner + 1)
    eosin = 0.8 * eosin * (1 - inside) + cells * inside * (1 - 0.75 * vacuole) * (1 - 0.93 * lumen)
    haematoxylin = (0.05 + 0.14 * inside + 0.05 * vacuole) * (1 - 0.85 * lumen)
    count = max(6, round(2 * np.pi * (outer - 4.5) / 6.6))
    turn = (np.arange(count) * 2 * np.pi / count)[None, :] + rng.normal(0, 0.07, (len(glands), count))
    reach = (outer - 4.5 + rng.normal(0, 0.7, turn.shape)) / mpp
    ring = (glands[:, None, :] + np.stack([np.sin(turn), np.cos(turn)], axis=-1) * reach[..., None]).reshape(-1, 2)
    turn = turn.ravel()
    correction = _at(wobble, ring) / mpp
    ring -= np.stack([np.sin(turn), np.cos(turn)], axis=-1) * correction[:, None]
    near = np.abs(_at(depth, ring) - (outer - 4.5)) < 2.5
    turns = np.linspace(0, np.pi, 24, endpoint=False)
    stamps = draw(_sized(EPITHELIAL, traits), len(turns), mpp, rng, angles=turns)
    which = np.rint(turn[near] / np.pi * len(turns)).astype(int) % len(turns)
    round_cells = draw(_sized(LYMPHOCYTE, traits), 12, mpp, rng)
    guests = scatter(shape, 10 / mpp, rng)
    guests = guests[(_at(depth, guests) > outer + 2.5) & (rng.random(len(guests)) < 0.6)]
    return _Layer(
        haematoxylin, eosin, [(ring[near], which, stamps), (guests, _any(len(guests), round_cells, rng), round_cells)]
    )


def _necrosis(shape: tuple[int, int], mpp: float, traits: Traits, rng: np.random.Generator) -> _Layer:
    """Granular pink debris with nuclear dust and pale ghosts of nuclei."""
    grain = noise(shape, 1.2 / mpp, rng)
    cloud = noise(shape, 20 / mpp, rng)
    eosin = 0.46 + 0.11 * grain + 0.08 * cloud + 0.06 * noise(shape, 4 / mpp, rng)
    haematoxylin = 0.10 + 0.04 * grain + 0.04 * cloud
    dust = draw(Nucleus(1.0, 0.4, 1.2, 0.2, 0.85), 24, mpp, rng)
    specks = scatter(shape, 6 / mpp, rng, jitter=0.5)
    specks = specks[rng.random(len(specks)) < 0.12 + 0.5 * (_at(cloud, specks) > 0.6)]
    ghosts = draw(_sized(Nucleus(3.6, 0.25, 1.3, 0.2, 0.26, clumps=0.1), traits), 16, mpp, rng)
    pale = scatter(shape, 15 / mpp, rng)
    return _Layer(
        haematoxylin,
        eosin,
        [(pale, _any(len(pale), ghosts, rng), ghosts), (specks, _any(len(specks), dust, rng), dust)],
    )


_TEXTURES: dict[Tissue, Callable[[tuple[int, int], float, Traits, np.random.Generator], _Layer]] = {
    Tissue.TUMOUR: _tumour,
    Tissue.STROMA: _stroma,
    Tissue.LYMPHOCYTES: _lymphocytes,
    Tissue.ADIPOSE: _adipose,
    Tissue.MUCOSA: _mucosa,
    Tissue.NECROSIS: _necrosis,
}


def render(
    regions: UInt8[np.ndarray, "rows columns"],
    downsample: int,
    shape: tuple[int, int],
    mpp: float,
    traits: Traits,
    rng: np.random.Generator,
) -> tuple[Field, Field]:
    """Render a section.

    Parameters
    ----------
    regions
        Values of `Tissue`, one for every `downsample` x `downsample` pixels of the section.
    shape
        Rows and columns of the section in pixels.
    mpp
        Micrometres per pixel of the section.

    Returns
    -------
    Concentrations of haematoxylin and eosin, float32 `[rows, columns]`, 0 on glass, about 1 in a dark nucleus.
    """
    haematoxylin, eosin = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    nuclei = []
    for tissue, texture in _TEXTURES.items():
        pieces, count = ndimage.label(regions == tissue)
        for number, (rows, columns) in enumerate(ndimage.find_objects(pieces, count), start=1):
            near = np.s_[
                max(0, rows.start - _REACH) : rows.stop + _REACH, max(0, columns.start - _REACH) : columns.stop + _REACH
            ]
            where = tuple(slice(part.start * downsample, part.stop * downsample) for part in near)
            high, wide = haematoxylin[where].shape
            own = ndimage.gaussian_filter((pieces[near] == number).astype(np.float32), 1.0, mode="nearest")
            box = (0, 0, wide / downsample, high / downsample)
            own = np.asarray(Image.fromarray(own).resize((wide, high), Image.Resampling.BILINEAR, box=box))
            weight = _smooth_step(own, 0.5, min(1.0, _EDGE / (np.sqrt(2 * np.pi) * mpp * downsample)))
            layer = texture((high, wide), mpp, traits, rng)
            haematoxylin[where] += weight * layer.haematoxylin
            eosin[where] += weight * layer.eosin
            for centres, which, stamps in layer.nuclei:
                keep = _at(weight, centres) > 0.5
                nuclei.append((centres[keep] + (where[0].start, where[1].start), which[keep], stamps))
    for centres, which, stamps in nuclei:
        paint(haematoxylin, eosin, centres, which, stamps)
    return haematoxylin.clip(0), eosin.clip(0)
