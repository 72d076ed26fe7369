"""Plain PNG tiles: 8-bit RGB, not interlaced, without transparency.

libpng through imagecodecs takes little more than half the time of Pillow for them. Whatever is not plain, or not
complete to the byte, is left to Pillow.
"""

from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np
from jaxtyping import UInt8

from bench.tiles.plain import NotPlain, place_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB = struct.Struct(">II5B")  # width, height, bits, colours, compression, filter, interlacing
PLAIN = (8, 2, 0, 0, 0)
# Chunks that change no pixel, of which the needed ones are first.
CHUNKS = frozenset([b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tEXt", b"tIME", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD"])
DEFLATE_RATIO = 1040  # bytes of a picture that a byte of zlib can hold at most, 1032, and some room for the filters


def decode_plain(
    out: UInt8[np.ndarray, "height width 3"], data: bytes, max_px: int
) -> UInt8[np.ndarray, "other_height other_width 3"]:
    """The picture of a PNG: in `out`, which is returned, where this is of its size and contiguous.

    Raises
    ------
    NotPlain
        If it is anything but a complete picture of 8-bit RGB, of at most `max_px`; `out` may be filled in part.
    """
    height, width = _size_of_plain(data)
    if height * width * 3 > DEFLATE_RATIO * len(data):
        raise NotPlain(f"{width} x {height} px in {len(data)} bytes")
    picture = place_of(out, height, width, max_px)
    try:
        imagecodecs.png_decode(data, out=picture)
    except (ValueError, RuntimeError) as error:
        raise NotPlain(str(error)) from error
    return picture


def _size_of_plain(data: bytes) -> tuple[int, int]:
    """Height and width, after a look at every chunk and its check sum."""
    at, seen, view = len(SIGNATURE), b"", memoryview(data)
    height = width = 0
    while seen != b"IEND":
        if at + 12 > len(data):
            raise NotPlain("the file ends before its last chunk")
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        body = view[at + 4 : at + 8 + length]
        check = data[at + 8 + length : at + 12 + length]
        if kind not in CHUNKS or len(check) != 4 or zlib.crc32(body) != int.from_bytes(check):
            raise NotPlain(f"chunk {kind!r}")
        if (kind == b"IHDR") != (not seen):
            raise NotPlain("a header that is not the first chunk, or another")
        if kind == b"IHDR":
            if length != RGB.size:
                raise NotPlain("a short header")
            width, height, *form = RGB.unpack(body[4:])
            if tuple(form) != PLAIN or not width or not height:
                raise NotPlain(f"form {form}")
        at, seen = at + 12 + length, kind
    return height, width
