"""The tiles of a slide as batches of pixels at the requested resolution, read ahead by threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from bench.slides.pixels import UnreadableRegion
from bench.slides.resampling import Resample, Resampler
from bench.slides.slide import Slide
from bench.slides.tiling import Grid
from bench.tiles import Batch, read_ahead

if TYPE_CHECKING:
    import torch

    _Reading = tuple[range, torch.Tensor, list[Future[list[tuple[int, UnreadableRegion]]]]]

RUN = 8  # neighbouring tiles that one thread reads: they share compressed tiles


class SlideTiles:
    """The tiles of a grid on a slide, in the grid's order.

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

    def batches(self, batch_size: int = 64, *, workers: int = 1, pin: bool = False) -> Iterator[Batch]:
        """Read the tiles in order, `batch_size` at a time.

        Parameters
        ----------
        workers : int
            Threads that read and decode.
        pin : bool
            Whether the batch lies in page-locked memory, for asynchronous copies to a GPU.

        Yields
        ------
        Batch
            Rows of the grid, and tiles as uint8 [B, 3, size, size], channels last in memory.
        """
        import torch

        side = self.grid.size

        def submit(pool: ThreadPoolExecutor, rows: range) -> _Reading:
            tiles = torch.empty((len(rows), side, side, 3), dtype=torch.uint8, pin_memory=pin)
            runs = [rows[i : i + RUN] for i in range(0, len(rows), RUN)]
            return rows, tiles, [pool.submit(self._read_run, tiles.numpy(), rows, run) for run in runs]

        for reading in read_ahead(len(self), batch_size, submit, workers=workers, name="slide"):
            yield _collected(*reading)

    def _read_run(self, tiles: np.ndarray, rows: range, run: range) -> list[tuple[int, UnreadableRegion]]:
        failed = []
        for row in run:
            try:
                self._read_into(tiles[row - rows.start], row)
            except UnreadableRegion as error:
                failed.append((row, error))
        return failed

    def _read_into(self, out: UInt8[np.ndarray, "size size 3"], row: int) -> None:
        grid, (x, y) = self.grid, self.grid.coords[row].tolist()
        fx, fy = self.slide.downsample(grid.level)
        place = (round(x / fx), round(y / fy))
        self._resampler.read_into(out, *place)


def _collected(rows: range, tiles: torch.Tensor, reading: list[Future[list[tuple[int, UnreadableRegion]]]]) -> Batch:
    import torch

    failed = dict(pair for future in reading for pair in future.result())
    good = np.array([row for row in rows if row not in failed], np.int64)
    if failed:
        tiles = tiles[torch.from_numpy(good - rows.start)]
    return Batch(good, tiles.permute(0, 3, 1, 2), failed)
