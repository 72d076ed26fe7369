"""The tiles of a grid on a slide as pixels at the requested resolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
from jaxtyping import UInt8

from bench.slides.pixels import UnreadableRegion
from bench.slides.resampling import Resample, Resampler
from bench.slides.slide import Slide, open_slide
from bench.slides.tiling import Grid
from bench.tiles import Exceptions


class SlideTiles:
    """The tiles of a grid on an open slide, in the grid's order; several threads may read them at once.

    Parameters
    ----------
    slide : Slide
    grid : Grid
    resample : {"exact", "fast"}
        How windows that are not of the tile's size are brought to it (`bench.slides.resampling`).
    """

    def __init__(self, slide: Slide, grid: Grid, resample: Resample = "exact"):
        self.slide, self.grid = slide, grid
        self._resampler = Resampler(slide, grid.level, grid.window, grid.size, resample)

    def __len__(self) -> int:
        return len(self.grid)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a tile, px."""
        return self.grid.size, self.grid.size

    def prepare(self) -> None:
        """Nothing: a slide is read as it is."""

    def open(self) -> AbstractContextManager[SlideTiles]:
        """The same tiles: the slide is open."""
        return nullcontext(self)

    def read_into(self, out: UInt8[np.ndarray, "tile size size 3"], rows: range) -> Exceptions:
        """Fill ``out[i]`` with the tile ``rows[i]``; those that cannot be decoded are exceptions."""
        failed = {}
        for place, row in enumerate(rows):
            try:
                self._read_into(out[place], row)
            except UnreadableRegion as error:
                failed[row] = error
        return Exceptions(failed)

    def tile(self, row: int) -> UInt8[np.ndarray, "size size 3"]:
        """One tile.

        Raises
        ------
        UnreadableRegion
            If a part of it cannot be decoded.
        """
        out = np.empty((self.grid.size, self.grid.size, 3), np.uint8)
        self._read_into(out, row)
        return out

    def _read_into(self, out: UInt8[np.ndarray, "size size 3"], row: int) -> None:
        grid, (x, y) = self.grid, self.grid.coords[row].tolist()
        fx, fy = self.slide.downsample(grid.level)
        place = (round(x / fx), round(y / fy))
        self._resampler.read_into(out, *place)


class SlideFileTiles:
    """The tiles of a grid on a slide that is open only while they are read: a cohort has thousands of files.

    Parameters
    ----------
    path : str
    mpp : float or None
        Microns per level-0 pixel, where the file does not say or is wrong.
    grid : Grid
    resample : {"exact", "fast"}
        As for `SlideTiles`.
    """

    def __init__(self, path: str, mpp: float | None, grid: Grid, resample: Resample = "exact"):
        self.path, self.mpp, self.grid, self.resample = path, mpp, grid, resample

    def __len__(self) -> int:
        return len(self.grid)

    def prepare(self) -> None:
        """Nothing: a slide is read as it is."""

    @contextmanager
    def open(self) -> Iterator[SlideTiles]:
        """Open the slide. Raises as `bench.slides.open_slide`."""
        with open_slide(self.path, self.mpp) as slide:
            yield SlideTiles(slide, self.grid, self.resample)
