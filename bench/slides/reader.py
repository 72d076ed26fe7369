"""The tiles of a grid on a slide as pixels at the requested resolution."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from bench.slides.opening import open_slide
from bench.slides.pixels import UnreadableRegion
from bench.slides.resampling import Resample, Resampler
from bench.slides.scratch import Copy, Scratch
from bench.slides.slide import Slide
from bench.slides.tiling import Grid
from bench.tiles import Exceptions, OpenTiles
from registry.errors import UserError


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
            except UserError as error:
                failed[row] = error
            except Exception as error:  # any error is one of this tile, and names the slide
                failed[row] = self._unreadable(row, error)
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
        self._resampler.read_into(out, *self._place(row))

    def _place(self, row: int) -> tuple[int, int]:
        """Top left corner of a tile in pixels of the grid's level."""
        x, y = self.grid.coords[row].tolist()
        fx, fy = self.slide.downsample(self.grid.level)
        return round(x / fx), round(y / fy)

    def _unreadable(self, row: int, error: Exception) -> UnreadableRegion:
        level, window = self.grid.level, self.grid.window
        return UnreadableRegion(self.slide.path, level, *self._place(row), round(window[0]), round(window[1]), error)


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
    scratch : Scratch or None
        Where the slide is copied before it is read; None reads it where it is.
    """

    def __init__(
        self, path: str, mpp: float | None, grid: Grid, resample: Resample = "exact", scratch: Scratch | None = None
    ):
        self.path, self.mpp, self.grid, self.resample = path, mpp, grid, resample
        self._scratch = scratch
        self._copy: Copy | None = None

    def __len__(self) -> int:
        return len(self.grid)

    def prepare(self) -> None:
        """Nothing: a slide is read as it is."""

    def fetch(self, stopped: threading.Event) -> None:
        """Copy the slide to the scratch folder, if there is one that takes it; waits for room there."""
        if self._scratch is not None and self._copy is None:
            self._copy = self._scratch.copy(self.path, stopped)

    def drop(self) -> None:
        """Remove the copy."""
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.drop()

    @contextmanager
    def open(self) -> Iterator[OpenTiles]:
        """Open the slide, or its copy. Raises as `bench.slides.open_slide`."""
        copy = self._copy
        if copy is None:
            with open_slide(self.path, self.mpp) as slide:
                yield SlideTiles(slide, self.grid, self.resample)
            return
        try:
            slide = open_slide(copy.path, self.mpp)
        except UserError as error:
            raise _of_original(error, copy, self.path) from error
        tiles = _CopiedTiles(SlideTiles(slide, self.grid, self.resample), copy, self.path)
        try:
            yield tiles
        finally:
            tiles.close()


class _CopiedTiles:
    """The open tiles of a copy, which is closed and removed as soon as each of them was read once.

    A batch that its last tiles share with the next slide is complete later, and that slide may wait for the room.
    """

    def __init__(self, tiles: SlideTiles, copy: Copy, path: str):
        self._tiles, self._copy, self._path = tiles, copy, path
        self._left, self._open = len(tiles), True
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a tile, px."""
        return self._tiles.shape

    def read_into(self, out: UInt8[np.ndarray, "tile size size 3"], rows: range) -> Exceptions:
        """As `SlideTiles.read_into`; what cannot be read is named by the original's path."""
        found = self._tiles.read_into(out, rows)
        for error in found.unreadable.values():
            error.args = _of_original(error, self._copy, self._path).args
        with self._lock:
            self._left -= len(rows)
            complete = self._left <= 0
        if complete:
            self.close()
        return found

    def close(self) -> None:
        """Close and remove the copy."""
        with self._lock:
            was_open, self._open = self._open, False
        if was_open:
            self._tiles.slide.close()
            self._copy.drop()


def _of_original(error: UserError, copy: Copy, path: str) -> UserError:
    """The same error with the path of the slide in place of its copy's."""
    named = str(error).replace(str(copy.path), path)
    return UserError(named.replace(str(copy.path.parent), str(Path(path).parent)))
