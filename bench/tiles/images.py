"""One image file of a tile, decoded straight into its place in a batch.

JPEG is decoded by libjpeg-turbo through simplejpeg, with the pixels of Pillow, which uses the same library, and without
Pillow's work beside it. Whatever simplejpeg refuses or warns of goes to Pillow, whose pixels and errors hold.
"""

from __future__ import annotations

import io

import numpy as np
import simplejpeg
from jaxtyping import UInt8

from bench.tiles.decode import UNREADABLE, check_claim, decode_image, decode_tile

JPEG = b"\xff\xd8\xff"
COLOURS = ("YCbCr", "Gray", "RGB")  # of JPEG; the others are converted by Pillow's own rules


def read_image_into(
    out: UInt8[np.ndarray, "height width 3"], path: str
) -> UInt8[np.ndarray, "other_height other_width 3"] | None:
    """Fill `out` with the tile of an image file, or give the tile where it is of another size.

    Raises
    ------
    UserError
        As `decode_tile`; `out` may be filled in part.
    """
    try:
        with open(path, "rb") as file:
            if file.peek(len(JPEG))[: len(JPEG)] == JPEG:
                return _jpeg_into(out, file.read())
            return placed(out, decode_image(file))
    except UNREADABLE:
        return placed(out, decode_tile(path))  # what Pillow makes of the file itself, or its error


def decode_into(
    out: UInt8[np.ndarray, "height width 3"], encoded: bytes
) -> UInt8[np.ndarray, "other_height other_width 3"] | None:
    """Fill `out` with the tile of an image file's bytes, or give the tile where it is of another size.

    Raises
    ------
    one of `bench.tiles.decode.UNREADABLE`
        If they are no 8-bit image; `out` may be filled in part.
    """
    if encoded[: len(JPEG)] == JPEG:
        try:
            return _jpeg_into(out, encoded)
        except (ValueError, RuntimeError):
            pass
    return placed(out, decode_image(io.BytesIO(encoded)))


def placed(
    out: UInt8[np.ndarray, "height width 3"], tile: UInt8[np.ndarray, "other_height other_width 3"]
) -> UInt8[np.ndarray, "other_height other_width 3"] | None:
    """Copy a tile to its place, or give it back where it is of another size."""
    if tile.shape != out.shape:
        return tile
    out[...] = tile
    return None


def _jpeg_into(out: np.ndarray, encoded: bytes) -> np.ndarray | None:
    height, width, colours, _ = simplejpeg.decode_jpeg_header(encoded)
    if colours not in COLOURS:
        raise ValueError(f"colours {colours}")
    if (height, width) == out.shape[:2] and out.flags.c_contiguous:
        simplejpeg.decode_jpeg(encoded, "RGB", buffer=out)
        return None
    check_claim(height, width, len(encoded))
    return placed(out, simplejpeg.decode_jpeg(encoded, "RGB"))
