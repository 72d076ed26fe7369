"""Nuclei of the phantom tissue: how they look, where they lie, how they are painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Nucleus:
    """How the nuclei of one cell type look.

    Attributes
    ----------
    radius : float
        Median radius in micrometres.
    spread : float
        Standard deviation of the logarithm of the radius: the pleomorphism.
    elongation : float
        Long over short axis, at least 1.
    irregularity : float
        Amplitude of the outline's lobes as a share of the radius.
    darkness : float
        Haematoxylin concentration of the body.
    rim : float
        Added concentration at the nuclear membrane; a vesicular nucleus has a pale body and a dark rim.
    clumps : float
        Amplitude of the chromatin's texture.
    nucleoli : float
        Share of nuclei with a nucleolus.
    """

    radius: float
    spread: float
    elongation: float
    irregularity: float
    darkness: float
    rim: float = 0.0
    clumps: float = 0.1
    nucleoli: float = 0.0


@dataclass(frozen=True)
class Stamp:
    """One nucleus ready to be painted: coverage in 0..1 and haematoxylin concentration, both `[side, side]`."""

    cover: Float[np.ndarray, "side side"]
    haematoxylin: Float[np.ndarray, "side side"]


def draw(
    kind: Nucleus, count: int, mpp: float, rng: np.random.Generator, angles: Float[np.ndarray, count] | None = None
) -> list[Stamp]:
    """Draw `count` different nuclei of one kind.

    Parameters
    ----------
    angles
        Direction of the long axis in radians, counted from x towards y; random where None.
    """
    radii = kind.radius * np.exp(rng.normal(0.0, kind.spread, count).clip(-0.8, 0.8))
    turn = rng.uniform(0, np.pi, count) if angles is None else angles
    half = int(np.ceil(radii.max() * np.sqrt(kind.elongation) * (1 + 1.5 * kind.irregularity) / mpp)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32) * mpp
    sin, cos = np.sin(turn)[:, None, None], np.cos(turn)[:, None, None]
    stretch = np.sqrt(kind.elongation)
    along, across = (x * cos + y * sin) / stretch, (y * cos - x * sin) * stretch
    theta = np.arctan2(across, along)
    outline = radii[:, None, None] * np.ones_like(theta)
    for lobes in (2, 3, 4):
        size = rng.normal(0, kind.irregularity / lobes, count)[:, None, None]
        outline *= 1 + size * np.cos(lobes * theta + rng.uniform(0, 2 * np.pi, count)[:, None, None])
    depth = np.hypot(along, across) / outline
    cover = np.clip((1 - depth) * outline / mpp + 0.5, 0, 1)
    body = kind.darkness * np.exp(rng.normal(0, 0.12, count))[:, None, None]
    body = body + kind.rim * np.exp(-(((depth - 0.92) / 0.16) ** 2))
    body += kind.clumps * _chromatin(count, 2 * half + 1, mpp, rng)
    spot = radii * rng.uniform(0.0, 0.4, count)
    place = rng.uniform(0, 2 * np.pi, count)
    gap = np.hypot(
        along - (spot * np.cos(place))[:, None, None], across - (spot * np.sin(place))[:, None, None]
    ) / np.where(rng.random(count) < kind.nucleoli, 0.24 * radii, 1e-3)[:, None, None].clip(1e-3)
    body += 0.55 * np.exp(-(np.minimum(gap, 9) ** 2))
    return [Stamp(c.astype(np.float32), h.astype(np.float32).clip(0.05)) for c, h in zip(cover, body, strict=True)]


def _chromatin(count: int, side: int, mpp: float, rng: np.random.Generator) -> Float[np.ndarray, "count side side"]:
    """Clumps of about a micrometre, the same size at every resolution."""
    cells = max(2, int(np.ceil(side * mpp / 1.0)))
    index = (np.arange(side) * mpp / 1.0).astype(int).clip(max=cells - 1)
    return rng.normal(0, 1, (count, cells, cells))[:, index][:, :, index]


def scatter(
    shape: tuple[int, int], spacing: float, rng: np.random.Generator, jitter: float = 0.3
) -> Float[np.ndarray, "n 2"]:
    """Points of a shaken hexagonal grid over `shape` pixels: crowded but seldom on top of each other.

    Parameters
    ----------
    spacing
        Distance of neighbours in pixels.
    jitter
        Standard deviation of the shake as a share of the spacing.

    Returns
    -------
    Rows and columns in pixels; some points lie up to one spacing outside.
    """
    high, wide = shape
    rows = np.arange(-spacing, high + spacing, spacing * 0.866)
    columns = np.arange(-spacing, wide + spacing, spacing)
    y = np.repeat(rows, len(columns))
    x = (columns[None, :] + np.where(np.arange(len(rows)) % 2, 0.5 * spacing, 0.0)[:, None]).ravel()
    points = np.stack([y, x], axis=1) + rng.uniform(0, spacing, 2)
    return points + rng.normal(0, jitter * spacing, points.shape)


def paint(
    haematoxylin: Float[np.ndarray, "high wide"],
    eosin: Float[np.ndarray, "high wide"],
    centres: Float[np.ndarray, "n 2"],
    which: Int[np.ndarray, n],
    stamps: Sequence[Stamp],
) -> None:
    """Paint nuclei over the two concentration fields in place; what sticks out of the field is cut off."""
    high, wide = haematoxylin.shape
    for (row, column), number in zip(np.rint(centres).astype(int).tolist(), which.tolist(), strict=True):
        stamp = stamps[number]
        side = len(stamp.cover)
        top, left = row - side // 2, column - side // 2
        a, b = max(0, -top), min(side, high - top)
        c, d = max(0, -left), min(side, wide - left)
        if a >= b or c >= d:
            continue
        cover = stamp.cover[a:b, c:d]
        clear = 1 - cover
        spot = haematoxylin[top + a : top + b, left + c : left + d]
        spot *= clear
        spot += cover * stamp.haematoxylin[a:b, c:d]
        eosin[top + a : top + b, left + c : left + d] *= 1 - 0.45 * cover
