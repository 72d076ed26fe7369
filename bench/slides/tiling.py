"""Where the tiles of a slide lie: a grid at the true resolution."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from bench.slides.slide import Slide
from bench.tiles import check_tiling
from registry.errors import UserError

if TYPE_CHECKING:
    from bench.slides.tissue import Tissue

MPP_TOLERANCE = 0.005  # the scale of a tile may be off by this; below it pixels are taken as they are, unresampled
FINER_TOLERANCE = 0.05  # a slide may be this much coarser than requested before its tiles would have to be enlarged


@dataclass(frozen=True, eq=False)
class Grid:
    """The tiles of one slide.

    Attributes
    ----------
    coords : int64 [N, 2]
        Top left corner (x, y) of each tile in level-0 px, row by row.
    tissue : float32 [N]
        Share of each tile that is tissue, 0..1.
    level : int
        That the tiles are read from.
    window : (int, int)
        Width and height that is read, px of `level`.
    window_level0 : (float, float)
        The same in level-0 px.
    size, overlap : int
        Side of a tile after resampling, and what neighbours share, px.
    mpp_asked : float
        Microns per px that were requested.
    mpp_true : (float, float)
        Microns per px of a tile after resampling, x and y.
    candidates : int
        Tiles before some were left out: those without tissue, those above `max_tiles` and, of another program's
        coordinates, those over the slide's edge.
    """

    coords: Int[np.ndarray, "tile 2"]
    tissue: Float[np.ndarray, " tile"]
    level: int
    window: tuple[int, int]
    window_level0: tuple[float, float]
    size: int
    overlap: int
    mpp_asked: float
    mpp_true: tuple[float, float]
    candidates: int

    def __len__(self) -> int:
        return len(self.coords)

    @property
    def factor(self) -> tuple[float, float]:
        """Pixels of the level per pixel of a tile in x and y; 1 is not resampled."""
        return self.window[0] / self.size, self.window[1] / self.size

    def digest(self) -> str:
        """Digest of what the tiles are: places, level, window and size."""
        geometry = f"{self.level} {self.window} {self.size} ".encode()
        return hashlib.sha256(geometry + np.ascontiguousarray(self.coords, np.int64).tobytes()).hexdigest()[:16]


def plan(
    slide: Slide,
    tile_size: int,
    mpp: float,
    *,
    overlap: int = 0,
    tissue: Tissue | None = None,
    min_tissue: float = 0.25,
    max_tiles: int | None = None,
    seed: int = 0,
    upsample: bool = False,
) -> Grid:
    """Lay a grid over a slide and select the tiles that show tissue.

    The grid starts at the top left corner; only tiles that lie entirely on the slide count. The window is an integer
    number of pixels of the level, so the scale of a tile is off by at most half a pixel in `tile_size`; `mpp_true` is
    the true one.

    Parameters
    ----------
    tile_size : int
        Side of a tile, px at `mpp`.
    mpp : float
        Microns per px requested.
    overlap : int
        What neighbouring tiles share, px at `mpp`.
    tissue : Tissue or None
        None selects all tiles.
    min_tissue : float
        Least share of a tile that must be tissue, 0..1.
    max_tiles : int or None
        At most so many tiles, chosen by `seed` without replacement, in their order.
    upsample : bool
        Whether tiles may be made from a slide that is coarser than `mpp`.

    Raises
    ------
    UserError
        If the slide is coarser than `mpp` and `upsample` is off, or a number is out of range
        (`bench.tiles.check_tiling`).
    """
    check_tiling(
        "tiling",
        size=tile_size,
        mpp=mpp,
        overlap=overlap,
        min_tissue=min_tissue,
        max_tiles=max_tiles,
        seed=seed,
    )
    if not upsample and max(slide.mpp) > mpp * (1 + FINER_TOLERANCE):
        raise UserError(
            f"The slide {slide.path} has {max(slide.mpp):.4g} microns per pixel and tiles of {mpp} are wanted: detail "
            "would be made up; set a coarser tiling.mpp, or set tiling.upsample=true of the task."
        )
    requested = tile_size * mpp / slide.mpp[0], tile_size * mpp / slide.mpp[1]
    level, window, window_level0, mpp_true = _reading(slide, requested, tile_size)
    width, height = slide.level_dimensions[level]
    step = [(tile_size - overlap) * mpp / m for m in slide.level_mpp(level)]
    columns = _starts(width, window[0], step[0])
    rows = _starts(height, window[1], step[1])
    fx, fy = slide.downsample(level)
    x, y = np.meshgrid(np.rint(columns * fx).astype(np.int64), np.rint(rows * fy).astype(np.int64))
    coords = np.stack([x.ravel(), y.ravel()], axis=1)
    share = np.ones(len(coords), np.float32) if tissue is None else tissue.share(coords, window_level0)
    chosen = np.flatnonzero((share >= min_tissue) & (share > 0))
    if max_tiles is not None and len(chosen) > max_tiles:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, max_tiles, replace=False))
    coords, share, candidates = coords[chosen], share[chosen], len(coords)
    return Grid(coords, share, level, window, window_level0, tile_size, overlap, mpp, mpp_true, candidates)


def from_coords(
    slide: Slide,
    coords: Int[np.ndarray, "tile 2"],
    window_level0: tuple[float, float],
    tile_size: int,
    overlap: int = 0,
) -> Grid:
    """The grid of tiles that another program has laid.

    Parameters
    ----------
    coords : int64 [N, 2]
        Top left corners, level-0 px.
    window_level0 : (float, float)
        Width and height of a tile, level-0 px.
    tile_size : int
        Side to which the tiles are brought.
    """
    level, window, read_level0, mpp_true = _reading(slide, window_level0, tile_size)
    coords = np.asarray(coords, np.int64).reshape(-1, 2)
    mpp = window_level0[0] * slide.mpp[0] / tile_size
    unknown = np.ones(len(coords), np.float32)
    return Grid(coords, unknown, level, window, read_level0, tile_size, overlap, mpp, mpp_true, len(coords))


def _reading(
    slide: Slide, requested_level0: tuple[float, float], tile_size: int
) -> tuple[int, tuple[int, int], tuple[float, float], tuple[float, float]]:
    """The coarsest level that has the detail, the window in its px and in level-0 px, and the true mpp of a tile."""
    fits = [
        level
        for level in range(len(slide.level_dimensions))
        if all(
            length / factor >= tile_size * (1 - MPP_TOLERANCE)
            for length, factor in zip(requested_level0, slide.downsample(level), strict=True)
        )
    ]
    level = max(fits, default=0)
    (fx, fy), (mpp_x, mpp_y) = slide.downsample(level), slide.level_mpp(level)
    wide, high = requested_level0[0] / fx, requested_level0[1] / fy
    unresampled = all(abs(length / tile_size - 1) <= MPP_TOLERANCE for length in (wide, high))
    w, h = (tile_size, tile_size) if unresampled else (max(1, round(wide)), max(1, round(high)))
    return level, (w, h), (w * fx, h * fy), (w * mpp_x / tile_size, h * mpp_y / tile_size)


def _starts(length: int, window: int, step: float) -> Int[np.ndarray, " start"]:
    """Pixels nearest to the multiples of `step` at which a window lies entirely inside; errors do not add up."""
    count = int(max(length - window, -1) // step) + 2
    starts = np.rint(np.arange(count) * step).astype(np.int64)
    return starts[starts + window <= length]
