"""One image file of a tile, decoded straight into its place in a batch.

The common formats have decoders without Pillow's work beside the decoding, and with its pixels: JPEG is decoded by
libjpeg-turbo, the library that Pillow uses, through simplejpeg. Whatever they refuse or warn of goes to Pillow, whose
pixels and errors hold. Formats are told by their first bytes.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np
import simplejpeg
from jaxtyping import UInt8

from bench.tiles import png, tiff
from bench.tiles.contents import read_contents
from bench.tiles.decode import UNREADABLE, Look, check_claim, decode_image, decode_tile

JPEG = b"\xff\xd8\xff"
COLOURS = ("YCbCr", "Gray", "RGB")  # of JPEG; the others are converted by Pillow's own rules

Decoder = Callable[[np.ndarray, bytes, int], np.ndarray]  # the place, the file, and pixels at most


def read_image_into(
    out: UInt8[np.ndarray, "height width 3"], path: str, look: Look | None = None
) -> UInt8[np.ndarray, "other_height other_width 3"] | None:
    """Fill `out` with the tile of an image file, or give the tile where it is of another size.

    `look` has the largest size of a tile, and is told what was found beside the pixels.

    Raises
    ------
    UserError
        As `decode_tile`; `out` may be filled in part.
    """
    look = look or Look()
    try:
        return decode_into(out, read_contents(path), look)
    except UNREADABLE:
        return placed(out, decode_tile(path, look=look))  # what Pillow makes of the file itself, or its error


def decode_into(
    out: UInt8[np.ndarray, "height width 3"], encoded: bytes, look: Look | None = None
) -> UInt8[np.ndarray, "other_height other_width 3"] | None:
    """Fill `out` with the tile of an image file's bytes, or give the tile where it is of another size.

    Raises
    ------
    one of `bench.tiles.decode.UNREADABLE`
        If they are no 8-bit image; `out` may be filled in part.
    """
    look = look or Look()
    decoder = _decoder(encoded)
    if decoder is not None:
        with contextlib.suppress(*UNREADABLE):
            return placed(out, decoder(out, encoded, look.max_px))
    return placed(out, decode_image(io.BytesIO(encoded), look))


def placed(
    out: UInt8[np.ndarray, "height width 3"], tile: UInt8[np.ndarray, "other_height other_width 3"]
) -> UInt8[np.ndarray, "other_height other_width 3"] | None:
    """Copy a tile to its place if it is not there, or give it back where it is of another size."""
    if tile is out:
        return None
    if tile.shape != out.shape:
        return tile
    out[...] = tile
    return None


def _jpeg(out: np.ndarray, encoded: bytes, max_px: int) -> np.ndarray:
    """A JPEG, in `out` where this is of its size and contiguous; ValueError if simplejpeg refuses or warns of it."""
    height, width, colours, _ = simplejpeg.decode_jpeg_header(encoded)
    if colours not in COLOURS:
        raise ValueError(f"colours {colours}")
    if (height, width) == out.shape[:2] and out.flags.c_contiguous:
        simplejpeg.decode_jpeg(encoded, "RGB", buffer=out)
        return out
    check_claim(height, width, len(encoded))
    Look(max_px).check(height, width)
    return simplejpeg.decode_jpeg(encoded, "RGB")


DECODERS: tuple[tuple[bytes, Decoder], ...] = (
    (JPEG, _jpeg),
    (png.SIGNATURE, png.decode_plain),
    *((head, tiff.decode_plain) for head in tiff.ORDERS),
)


def _decoder(encoded: bytes) -> Decoder | None:
    return next((decoder for head, decoder in DECODERS if encoded.startswith(head)), None)
