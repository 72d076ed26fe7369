"""Where the compressed tiles of a level of a TIFF lie, and how one is decoded.

The decoder is libjpeg-turbo through simplejpeg, which takes a warning of libjpeg for an error, as OpenSlide does. (The
decoder of imagecodecs swallows them and gives grey where a tile is damaged.) JPEG 2000 goes through OpenJPEG,
everything else through tifffile.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import simplejpeg
from jaxtyping import Int

from bench.slides.pixels import block_means
from registry.errors import UserError

if TYPE_CHECKING:
    from tifffile import TiffPage

LARGEST_SEGMENT = 256 << 20  # bytes decoded at once
JPEG, J2K = (7,), (33005, 34712)  # TIFF compressions; 33005 is Aperio's JPEG 2000 in RGB
RGB, YCBCR = 2, 6  # TIFF photometric interpretations
OTHER_COLOURS = (5, 8, 9, 10)  # CMYK and three of L*a*b*
COVER_BEFORE, COVER = 1, 2  # TIFF extra samples: transparency that the colours were multiplied by, and that were not
SOI, EOI = b"\xff\xd8", b"\xff\xd9"
# The marker from which libjpeg takes the colour space: its last byte is 0 for RGB, 1 for YCbCr (ITU-T T.872, 6.5.3).
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"

Decoder = Callable[[bytes, int, np.ndarray | None], np.ndarray]
Scaled = Callable[[int, int, int], Decoder]


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
        Place and length of each tile in the file, row by row; length 0 is a tile that was never written. Where each
        colour is a plane of its own, those of the first.
    decode : callable
        (bytes, index, buffer or None) -> uint8 [h, w, 3].
    fills_buffer : bool
        Whether `decode` writes into a buffer of a tile's size.
    scaled : callable or None
        (width, height, block) -> decoder to a tile of that size, each pixel the mean of `block` x `block` ones; None
        where the format has none that is cheaper than decoding.
    further : tuple of (offsets, counts)
        Those of the other planes of colours.
    """

    width: int
    height: int
    tile_width: int
    tile_height: int
    offsets: Int[np.ndarray, " tile"]
    counts: Int[np.ndarray, " tile"]
    decode: Decoder
    fills_buffer: bool
    scaled: Scaled | None = None
    further: tuple[tuple[Int[np.ndarray, " tile"], Int[np.ndarray, " tile"]], ...] = ()

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
        tiles = -(-page.imagewidth // columns) * -(-page.imagelength // rows)
        planes = page.samplesperpixel if page.planarconfig == 2 else 1
        offsets, counts = (np.asarray(found, np.int64) for found in (page.dataoffsets, page.databytecounts))
        if not len(offsets) == len(counts) == planes * tiles:
            raise UserError(
                f"The slide {page.parent.filehandle.path} is damaged: it names the places of {len(offsets)} parts of "
                f"its pixels and the lengths of {len(counts)}, where it has {planes * tiles}; copy it again."
            )
        first, *further = zip(np.split(offsets, planes), np.split(counts, planes), strict=True)
        further = further if _transparency(page) else further[:2]
        decode, fills_buffer, scaled = (
            (_planes_decoder(page, [first[1], *(count for _, count in further)]), False, None)
            if further
            else _decoder(page)
        )
        size = (page.imagewidth, page.imagelength, columns, rows)
        return cls(*size, *first, decode, fills_buffer, scaled, tuple(further))

    def stored(self, file: int, index: int) -> bytes:
        """The compressed bytes of a tile from an open file, those of further planes behind the first.

        Raises
        ------
        ValueError
            If the file ends before them.
        OSError
        """
        parts = []
        for offsets, counts in ((self.offsets, self.counts), *self.further):
            count = int(counts[index])
            parts.append(os.pread(file, count, int(offsets[index])))
            if len(parts[-1]) < count:
                raise ValueError("the file ends before it")
        return b"".join(parts)

    def reduced(self, block: int) -> TileTable | None:
        """The table of the level as means of `block` x `block` px, without what is left over at the right and bottom.

        None where its tiles would have to be decoded in full, or do not begin where blocks do.
        """
        if self.scaled is None or self.tile_width % block or self.tile_height % block:
            return None
        width, height = self.width // block, self.height // block
        tile_width, tile_height = self.tile_width // block, self.tile_height // block
        # A column or row of tiles in which less than a block of the level lies has no pixel here.
        rows, columns = -(-height // tile_height), -(-width // tile_width)
        tiles = (np.arange(rows)[:, None] * self.across + np.arange(columns)).ravel()
        return replace(
            self,
            width=width,
            height=height,
            tile_width=tile_width,
            tile_height=tile_height,
            offsets=self.offsets[tiles],
            counts=self.counts[tiles],
            decode=self.scaled(tile_width, tile_height, block),
            scaled=None,
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
    in_one_plane = is_colour(page) and page.samplesperpixel == 3 and page.planarconfig == 1
    return page.is_tiled and in_one_plane and (is_jpeg or page.compression in J2K)


def is_colour(page: TiffPage) -> bool:
    """Whether a page holds 8-bit RGB, in one plane or in three, with or without transparency."""
    if page.samplesperpixel not in (3, 4) or page.bitspersample != 8 or page.planarconfig not in (1, 2):
        return False
    if page.samplesperpixel == 4 or page.planarconfig == 2:
        return bool(page.photometric == RGB)
    return page.photometric not in OTHER_COLOURS


def _decoder(page: TiffPage) -> tuple[Decoder, bool, Scaled | None]:
    """How a page's tiles are decoded, whether into a buffer, and how at a smaller scale."""
    if page.compression in JPEG and page.samplesperpixel == 3:
        decode_jpeg, scaled = _jpeg_decoders(page.jpegtables, page.photometric)
        return decode_jpeg, True, scaled
    if page.compression in J2K and page.samplesperpixel == 3:
        return lambda data, index, out: imagecodecs.jpeg2k_decode(data, out=out), True, None
    decode_part, transparency = _part_decoder(page), _transparency(page)

    def decode(data: bytes, index: int, out: np.ndarray | None) -> np.ndarray:
        return _on_white(decode_part(data, index), transparency)

    return decode, False, None


def _part_decoder(page: TiffPage) -> Callable[[bytes, int], np.ndarray]:
    """(bytes, number of the tile, counted on over all planes) -> uint8 [h, w, samples], by tifffile."""
    tables, decode_page = page.jpegtables, page.decode  # both read from the file, which is closed before the slide

    def decode(data: bytes, index: int) -> np.ndarray:
        decoded = decode_page(data, index, jpegtables=tables)[0]
        if decoded is None:
            raise ValueError("empty")
        return np.asarray(decoded[0])

    return decode


def _planes_decoder(page: TiffPage, counts: list[Int[np.ndarray, " tile"]]) -> Decoder:
    """Of a page whose colours are planes; `counts` are the lengths of the tiles of each."""
    decode_part, transparency = _part_decoder(page), _transparency(page)

    def decode(data: bytes, index: int, out: np.ndarray | None) -> np.ndarray:
        planes, start = [], 0
        for number, count in enumerate(counts):
            stop = start + int(count[index])
            planes.append(decode_part(data[start:stop], index + number * len(count))[..., 0])
            start = stop
        return _on_white(np.stack(planes, axis=-1), transparency)

    return decode


def _transparency(page: TiffPage) -> int | None:
    """What the fourth channel of a page is; None where it has none that says what is seen."""
    found = int(page.extrasamples[0]) if page.samplesperpixel == 4 and page.extrasamples else 0
    return found if found in (COVER_BEFORE, COVER) else None


def _on_white(pixels: np.ndarray, transparency: int | None) -> np.ndarray:
    """The colours of uint8 [h, w, 3 or 4], laid over white where they are transparent."""
    colours = pixels[..., :3]
    if transparency is None or pixels.shape[-1] < 4:
        return colours
    cover = pixels[..., 3:].astype(np.uint16)
    if transparency == COVER:
        colours = (colours * cover + 127) // 255
    return np.minimum(colours + (255 - cover), 255).astype(np.uint8)


def _jpeg_decoders(tables: bytes | None, photometric: int) -> tuple[Decoder, Scaled]:
    """The tile's own stream, with the tables that all tiles share and the colour space of the TIFF put before it."""
    shared = tables[len(SOI) : tables.rindex(EOI)] if tables else b""
    head = SOI + shared + ADOBE + (b"\x00" if photometric == RGB else b"\x01")

    def stream(data: bytes) -> bytes:
        if data[:2] != SOI:
            raise ValueError(f"not a JPEG: starts with 0x{data[:2].hex()}")
        return head + data[2:]

    def decode(data: bytes, index: int, out: np.ndarray | None) -> np.ndarray:
        return simplejpeg.decode_jpeg(stream(data), colorspace="RGB", buffer=out)

    def scaled(width: int, height: int, block: int) -> Decoder:
        """By an inverse transform to fewer pixels, which in libjpeg's arithmetic are the means of the full one's."""

        def decode_scaled(data: bytes, index: int, out: np.ndarray | None) -> np.ndarray:
            whole = stream(data)
            if simplejpeg.decode_jpeg_header(whole)[:2] == (height * block, width * block):
                return simplejpeg.decode_jpeg(whole, colorspace="RGB", min_height=height, min_width=width, buffer=out)
            # A tile of another size than the table says, such as one that is cut off where the level ends.
            means = block_means(simplejpeg.decode_jpeg(whole, colorspace="RGB"), block)
            if out is None:
                return means
            if out.shape != means.shape:
                raise ValueError(f"decodes to {means.shape}, not {out.shape}")
            out[...] = means
            return out

        return decode_scaled

    return decode, scaled
