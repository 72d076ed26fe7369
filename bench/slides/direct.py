"""Pixels of a tiled TIFF without OpenSlide's detour: compressed tiles read by index, decoded, cached and stitched.

The decoder is libjpeg-turbo through simplejpeg, which takes a warning of libjpeg for an error, as OpenSlide does. (The
decoder of imagecodecs swallows them and gives grey where a tile is damaged.) JPEG 2000 goes through OpenJPEG,
everything else through tifffile.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import simplejpeg
from jaxtyping import Int, UInt8

from bench.slides.pixels import PixelSource, UnreadableRegion
from registry.errors import UserError

if TYPE_CHECKING:
    from tifffile import TiffPage

CACHE_BYTES = 256 << 20  # at most; two rows of 256 px tiles of a slide of 170,000 px
LARGEST_SEGMENT = 256 << 20  # bytes decoded at once
JPEG, J2K = (7,), (33005, 34712)  # TIFF compressions; 33005 is Aperio's JPEG 2000 in RGB
RGB, YCBCR = 2, 6  # TIFF photometric interpretations
SOI, EOI = b"\xff\xd8", b"\xff\xd9"
# The marker from which libjpeg takes the colour space: its last byte is 0 for RGB, 1 for YCbCr (ITU-T T.872, 6.5.3).
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"

Decoder = Callable[[bytes, int, np.ndarray | None], np.ndarray]


@dataclass(frozen=True, eq=False)
class TileTable:
    """Where the compressed tiles of one level lie, and how one is decoded.

    Attributes
    ----------
    width, height : int
        Of the level, px.
    tile_width, tile_height : int
        Of a tile; those at the right and bottom edges reach beyond the level. A strip is a tile as wide as the level.
    offsets, counts : int64 [T]
        Place and length of each tile in the file, row by row; length 0 is a tile that was never written.
    decode : callable
        (bytes, index, buffer or None) -> uint8 [h, w, 3].
    fills_buffer : bool
        Whether `decode` writes into a buffer of a tile's size.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    offsets: Int[np.ndarray, " tile"]
    counts: Int[np.ndarray, " tile"]
    decode: Decoder
    fills_buffer: bool

    @classmethod
    def of(cls, page: TiffPage) -> TileTable:
        """The table of a page of 8-bit RGB.

        Raises
        ------
        UserError
            If its tiles or strips are too large to be decoded one by one.
        """
        rows = page.tilelength if page.is_tiled else min(page.rowsperstrip or page.imagelength, page.imagelength)
        columns = page.tilewidth if page.is_tiled else page.imagewidth
        if rows * columns * 3 > LARGEST_SEGMENT:
            raise UserError(
                f"The slide {page.parent.filehandle.path} is one block of {columns} x {rows} px, which cannot be read "
                "in parts: convert it to a tiled pyramid (vips tiffsave IN OUT --tile --pyramid --compression jpeg)."
            )
        decode, fills_buffer = _decoder(page)
        return cls(
            page.imagewidth,
            page.imagelength,
            columns,
            rows,
            np.asarray(page.dataoffsets, np.int64),
            np.asarray(page.databytecounts, np.int64),
            decode,
            fills_buffer,
        )

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width // self.tile_width)

    def box(self, index: int) -> tuple[int, int, int, int]:
        """Left, top, width and height of a tile, px of the level, without what reaches beyond the level."""
        row, column = divmod(index, self.across)
        x, y = column * self.tile_width, row * self.tile_height
        return x, y, min(self.tile_width, self.width - x), min(self.tile_height, self.height - y)


def is_fast(page: TiffPage) -> bool:
    """Whether decoding this page's tiles here beats OpenSlide; benchmarks/slides.py measures it."""
    is_jpeg = page.compression in JPEG and page.photometric in (RGB, YCBCR)
    return page.is_tiled and is_colour(page) and (is_jpeg or page.compression in J2K)


def is_colour(page: TiffPage) -> bool:
    """Whether a page holds 8-bit RGB in one plane."""
    return page.samplesperpixel == 3 and page.bitspersample == 8 and page.planarconfig == 1


def _decoder(page: TiffPage) -> tuple[Decoder, bool]:
    if page.compression in JPEG and page.photometric in (RGB, YCBCR) and page.is_tiled:
        return _jpeg_decoder(page.jpegtables, page.photometric), True
    if page.compression in J2K:
        return lambda data, index, out: imagecodecs.jpeg2k_decode(data, out=out), True

    tables = page.jpegtables

    def decode(data: bytes, index: int, out: np.ndarray | None) -> np.ndarray:
        decoded = page.decode(data, index, jpegtables=tables)[0]
        if decoded is None:
            raise ValueError("empty")
        return decoded[0]

    return decode, False


def _jpeg_decoder(tables: bytes | None, photometric: int) -> Decoder:
    """The tile's own stream, with the tables that all tiles share and the colour space of the TIFF put before it."""
    shared = tables[len(SOI) : tables.rindex(EOI)] if tables else b""
    head = SOI + shared + ADOBE + (b"\x00" if photometric == RGB else b"\x01")

    def decode(data: bytes, index: int, out: np.ndarray | None) -> np.ndarray:
        if data[:2] != SOI:
            raise ValueError(f"not a JPEG: starts with 0x{data[:2].hex()}")
        return simplejpeg.decode_jpeg(head + data[2:], colorspace="RGB", buffer=out)

    return decode


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

    def read_into(self, out: UInt8[np.ndarray, "height width 3"], x: int, y: int, level: int) -> None:
        """Fill `out` with the window whose top left pixel is (x, y) of `level`; white outside the level."""
        table = self.tables[level]
        if table is None:
            assert self.oracle is not None
            self.oracle.read_into(out, x, y, level)
            return
        height, width = out.shape[:2]
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
                tile = self.tile(level, row * table.across + column, part)
                if tile is not part:
                    part[...] = 255 if tile is None else tile[y0 - tile_y : y1 - tile_y, x0 - tile_x : x1 - tile_x]

    def tile(self, level: int, index: int, out: np.ndarray | None = None) -> np.ndarray | None:
        """One decoded tile, uint8 [h, w, 3]; None if it was never written.

        With an `out` of a tile's size, a tile that is not cached is decoded into it, is not cached, and `out` returned.
        """
        table = self.tables[level]
        assert table is not None
        count = int(table.counts[index])
        if count == 0:
            return None
        if (cached := self._decoded.get((level, index))) is not None:
            return cached
        shape = (table.tile_height, table.tile_width, 3)
        straight = (
            out if table.fills_buffer and out is not None and out.shape == shape and out.flags.c_contiguous else None
        )
        try:
            data = os.pread(self._file, count, int(table.offsets[index]))
            if len(data) < count:
                raise ValueError("the file ends before it")
            decoded = table.decode(data, index, straight)
            _, _, width, height = table.box(index)
            if decoded.shape[0] < height or decoded.shape[1] < width or decoded.shape[2:] != (3,):
                raise ValueError(f"decodes to {decoded.shape}, not {shape}")
        except (ValueError, OSError, RuntimeError) as error:
            return self._through_oracle(level, index, error)
        if straight is not None:
            return straight
        self._decoded.put((level, index), decoded)
        return decoded

    def _through_oracle(self, level: int, index: int, error: Exception) -> np.ndarray:
        table = self.tables[level]
        assert table is not None
        x, y, width, height = table.box(index)
        if self.oracle is None:
            raise UnreadableRegion(self.path, level, x, y, width, height, error) from error
        tile = np.empty((height, width, 3), np.uint8)
        self.oracle.read_into(tile, x, y, level)
        return tile

    def close(self) -> None:
        """Close the files and drop the decoded tiles."""
        os.close(self._file)
        self._decoded = _Cache(0)
        if self.oracle is not None:
            self.oracle.close()


class _Cache:
    """The decoded tiles used last, up to a number of bytes."""

    def __init__(self, limit: int):
        self._limit, self._held = limit, 0
        self._tiles: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def hold(self, wanted: int) -> None:
        """Raise the limit to what is wanted, at most to `CACHE_BYTES`."""
        if wanted > self._limit:
            self._limit = min(wanted, CACHE_BYTES)

    def get(self, key: tuple[int, int]) -> np.ndarray | None:
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def put(self, key: tuple[int, int], tile: np.ndarray) -> None:
        with self._lock:
            if key in self._tiles:
                return
            self._tiles[key] = tile
            self._held += tile.nbytes
            while self._held > self._limit:
                self._held -= self._tiles.popitem(last=False)[1].nbytes
