"""Pixels of a tiled TIFF without OpenSlide's detour: compressed tiles read by index, decoded, cached and stitched."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict

import numpy as np
from jaxtyping import UInt8

from bench.slides.pixels import PixelSource, UnreadableRegion, block_means
from bench.slides.tile_table import TileTable

CACHE_BYTES = 256 << 20  # at most; two rows of 256 px tiles of a slide of 170,000 px


class TiffPixels:
    """A TIFF by its tile tables, safe to read from several threads.

    Parameters
    ----------
    path : str
    tables : list of TileTable or None
        One a level; None leaves the level to `oracle`.
    oracle : PixelSource or None
        Reads a tile that cannot be decoded here, before it is reported as corrupt.
    """

    def __init__(self, path: str, tables: list[TileTable | None], oracle: PixelSource | None):
        self.path, self.tables, self.oracle = path, tables, oracle
        self._file = os.open(path, os.O_RDONLY)
        self._decoded = _Cache(0)
        self._reduced: dict[tuple[int, int], TileTable | None] = {}

    def read_into(self, out: UInt8[np.ndarray, "height width 3"], x: int, y: int, level: int, block: int = 1) -> None:
        """Fill `out` with the window whose top left pixel is (x, y) of `level`; white outside the level.

        With a `block` of 2, 4 or 8, pixels are the means of so many px a side of the level, counted from its corner.
        """
        height, width = out.shape[:2]
        if self.tables[level] is None:
            assert self.oracle is not None
            self.oracle.read_into(out, x, y, level, block)
            return
        table = self._table(level, block)
        if table is None:
            full = np.empty((height * block, width * block, 3), np.uint8)
            self.read_into(full, x * block, y * block, level)
            out[...] = block_means(full, block)
            return
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, table.width), min(y + height, table.height)
        if (right - left, bottom - top) != (width, height):
            out[...] = 255
        if right <= left or bottom <= top:
            return
        rows = range(top // table.tile_height, -(-bottom // table.tile_height))
        # Windows come row by row, so what the next row needs is cached, and no more: memory used again is fast memory.
        self._decoded.hold((len(rows) + 1) * table.across * table.tile_width * table.tile_height * 3)
        for row in rows:
            tile_y = row * table.tile_height
            y0, y1 = max(top, tile_y), min(bottom, tile_y + table.tile_height)
            for column in range(left // table.tile_width, -(-right // table.tile_width)):
                tile_x = column * table.tile_width
                x0, x1 = max(left, tile_x), min(right, tile_x + table.tile_width)
                part = out[y0 - y : y1 - y, x0 - x : x1 - x]
                tile = self.tile(level, row * table.across + column, part, block)
                if tile is not part:
                    part[...] = 255 if tile is None else tile[y0 - tile_y : y1 - tile_y, x0 - tile_x : x1 - tile_x]

    def _table(self, level: int, block: int) -> TileTable | None:
        """The table of a level as means of blocks; None where there is none."""
        table = self.tables[level]
        if block == 1 or table is None:
            return table
        if (level, block) not in self._reduced:
            self._reduced[level, block] = table.reduced(block)
        return self._reduced[level, block]

    def tile(self, level: int, index: int, out: np.ndarray | None = None, block: int = 1) -> np.ndarray | None:
        """One decoded tile, uint8 [h, w, 3]; None if it was never written.

        With an `out` of a tile's size, a tile that is not cached is decoded into it, is not cached, and `out` returned.
        """
        table = self._table(level, block)
        assert table is not None
        if table.counts[index] == 0:
            return None
        if (cached := self._decoded.get((level, block, index))) is not None:
            return cached
        shape = (table.tile_height, table.tile_width, 3)
        straight = (
            out if table.fills_buffer and out is not None and out.shape == shape and out.flags.c_contiguous else None
        )
        try:
            decoded = table.decode(table.stored(self._file, index), index, straight)
            _, _, width, height = table.box(index)
            if decoded.shape[0] < height or decoded.shape[1] < width or decoded.shape[2:] != (3,):
                raise ValueError(f"decodes to {decoded.shape}, not {shape}")
        except Exception as error:  # decoders meet damaged bytes with any error
            return self._through_oracle(table, level, index, block, error)
        if straight is not None:
            return straight
        self._decoded.put((level, block, index), decoded)
        return decoded

    def _through_oracle(self, table: TileTable, level: int, index: int, block: int, error: Exception) -> np.ndarray:
        x, y, width, height = (length * block for length in table.box(index))
        if self.oracle is None:
            raise UnreadableRegion(self.path, level, x, y, width, height, error) from error
        tile = np.empty((height // block, width // block, 3), np.uint8)
        self.oracle.read_into(tile, x // block, y // block, level, block)
        return tile

    def close(self) -> None:
        """Close the files and drop the decoded tiles."""
        self.close_file()
        if self.oracle is not None:
            self.oracle.close()

    def close_file(self) -> None:
        """Close this reader's own file, and not that of OpenSlide."""
        os.close(self._file)
        self._decoded = _Cache(0)


class _Cache:
    """The decoded tiles used last, up to a number of bytes."""

    def __init__(self, limit: int):
        self._limit, self._held = limit, 0
        self._tiles: OrderedDict[tuple[int, int, int], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def hold(self, wanted: int) -> None:
        """Raise the limit to what is wanted, at most to `CACHE_BYTES`."""
        if wanted > self._limit:
            self._limit = min(wanted, CACHE_BYTES)

    def get(self, key: tuple[int, int, int]) -> np.ndarray | None:
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def put(self, key: tuple[int, int, int], tile: np.ndarray) -> None:
        with self._lock:
            if key in self._tiles:
                return
            self._tiles[key] = tile
            self._held += tile.nbytes
            while self._held > self._limit:
                self._held -= self._tiles.popitem(last=False)[1].nbytes
