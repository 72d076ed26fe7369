"""Which tissue lies where on a phantom slide."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from bench.demo.fields import noise
from bench.demo.textures import Tissue

Map = UInt8[np.ndarray, "rows columns"]
_LEAST_UM2 = 2500.0
_LEAST_TUMOUR_UM2 = 20_000.0


def lay_out(shape: tuple[int, int], spacing: float, tumour_share: float, rng: np.random.Generator) -> Map:
    """Draw the regions of one slide: one to three irregular pieces of tissue on glass, none touching the border.

    Parameters
    ----------
    shape
        Rows and columns of the map.
    spacing
        Micrometres per element of the map.
    tumour_share
        Share of the tissue that is tumour, its necrosis counted in; 0 for a normal slide. On a small slide it is raised
        so far that the tumour fills more than a tile.

    Returns
    -------
    Values of `Tissue`.
    """
    pieces = _pieces(shape, spacing, rng)
    regions = np.zeros(shape, np.uint8)
    regions[pieces > 0] = Tissue.STROMA

    slope = _slope(shape, rng) + 0.45 * noise(shape, 350 / spacing, rng)
    tissue = pieces > 0
    regions[tissue & (slope > _level(slope, tissue, rng.uniform(0.15, 0.35)))] = Tissue.MUCOSA
    regions[tissue & (-slope > _level(-slope, tissue, rng.uniform(0.08, 0.25)))] = Tissue.ADIPOSE
    crowd = noise(shape, 130 / spacing, rng)
    regions[tissue & (crowd > _level(crowd, tissue, rng.uniform(0.03, 0.10)))] = Tissue.LYMPHOCYTES

    if tumour_share > 0:
        growth = _growth(pieces, spacing, rng)
        tumour_share = min(0.7, max(tumour_share, _LEAST_TUMOUR_UM2 / (np.count_nonzero(tissue) * spacing**2)))
        tumour = tissue & (growth > _level(growth, tissue, tumour_share))
        regions[tumour] = Tissue.TUMOUR
        if rng.random() < 0.5:
            core = growth + 0.3 * noise(shape, 90 / spacing, rng)
            regions[tumour & (core > _level(core, tumour, rng.uniform(0.05, 0.25)))] = Tissue.NECROSIS
    elif rng.random() < 0.4:
        ulcer = _growth(pieces, spacing, rng)
        regions[tissue & (ulcer > _level(ulcer, tissue, rng.uniform(0.01, 0.05)))] = Tissue.NECROSIS
    return _without_specks(regions, spacing)


def _pieces(shape: tuple[int, int], spacing: float, rng: np.random.Generator) -> Map:
    """Numbered pieces of tissue side by side along the longer side."""
    count = int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    y, x = y / shape[0], x / shape[1]
    if shape[0] > shape[1]:
        along, across = y, x
    else:
        along, across = x, y
    rough = 0.22 * noise(shape, 280 / spacing, rng) + 0.05 * noise(shape, 50 / spacing, rng)
    pieces = np.zeros(shape, np.uint8)
    for number in range(count):
        middle = (number + 0.5) / count
        half = rng.uniform(0.40, 0.46) / count
        distance = np.hypot(
            (along - middle - rng.uniform(-0.04, 0.04) / count) / half,
            (across - rng.uniform(0.44, 0.56)) / rng.uniform(0.32, 0.42),
        )
        edge = np.minimum(0.5 - np.abs(along - middle) * count, np.minimum(across, 1 - across))
        wall = 9 * np.clip(0.09 - edge, 0, None) + 100 * (edge < 0.015)
        pieces[distance + rough + wall < 1] = number + 1
    return pieces


def _slope(shape: tuple[int, int], rng: np.random.Generator) -> Float[np.ndarray, "rows columns"]:
    """-1..1 across the slide in a random direction."""
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32)
    return x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))


def _growth(pieces: Map, spacing: float, rng: np.random.Generator) -> Float[np.ndarray, "rows columns"]:
    """A hill with a ragged foot, its top somewhere within the tissue."""
    rows, columns = np.nonzero(ndimage.binary_erosion(pieces > 0, iterations=max(1, round(60 / spacing))))
    if not len(rows):
        rows, columns = np.nonzero(pieces)
    top = rng.integers(len(rows))
    y, x = np.mgrid[: pieces.shape[0], : pieces.shape[1]].astype(np.float32)
    distance = np.hypot(y - rows[top], x - columns[top]) * np.float32(spacing / 300)
    return -distance + 0.45 * noise(pieces.shape, 160 / spacing, rng) + 0.08 * noise(pieces.shape, 40 / spacing, rng)


def _level(field: Float[np.ndarray, "rows columns"], where: Bool[np.ndarray, "rows columns"], share: float) -> float:
    """The value that `share` of the field exceeds within `where`."""
    return float(np.quantile(field[where], 1 - share))


def _without_specks(regions: Map, spacing: float) -> Map:
    """Give regions below the least area to the tissue that lies nearest."""
    small = np.zeros(regions.shape, bool)
    for tissue in np.unique(regions):
        pieces, _ = ndimage.label(regions == tissue)
        area = np.bincount(pieces.ravel()) * spacing**2
        small |= (area < _LEAST_UM2)[pieces] & (pieces > 0)
    nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return regions[tuple(nearest)]
