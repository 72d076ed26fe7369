"""One tile from an image file or a row of an HDF5 array, by Pillow and h5py: what every faster way must equal."""

from __future__ import annotations

import os
from typing import IO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from bench.tiles.arrays import ImageArray
from registry.errors import UserError

Image.MAX_IMAGE_PIXELS = None  # a benchmark's own images are not an attack, however large

# A block of 8 x 8 px takes one bit or more in a JPEG, so a byte holds at most 512 px; Pillow fills the rest with grey.
JPEG_PX_A_BYTE = 1024

UNREADABLE = (
    *(OSError, SyntaxError, ValueError, IndexError, KeyError, RuntimeError, MemoryError),
    Image.DecompressionBombError,
)


def decode_tile(path: str, index: int = -1) -> UInt8[np.ndarray, "height width 3"]:
    """Read one tile as 8-bit RGB.

    Parameters
    ----------
    path : str
        A TIFF, PNG, JPEG or WebP file, or an HDF5 file with one array of images.
    index : int
        Row of the HDF5 array; -1 for an image file.

    Raises
    ------
    UserError
        If the file is missing, truncated or no 8-bit image.
    """
    try:
        if index < 0:
            return decode_image(path)
        with ImageArray(path) as array:
            return array.row(index)
    except UNREADABLE as error:
        raise unreadable(path, index, error) from error


def decode_image(image_file: str | IO[bytes]) -> UInt8[np.ndarray, "height width 3"]:
    """An image as 8-bit RGB, on white where it is transparent; raises one of `UNREADABLE`."""
    with Image.open(image_file) as image:
        if image.format in ("JPEG", "MPO") and image.fp is not None:
            here = image.fp.tell()
            check_claim(image.height, image.width, image.fp.seek(0, os.SEEK_END))
            image.fp.seek(here)
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"{image.mode} pixels, not 8-bit colour")
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image_rgba = image.convert("RGBA")
            white = Image.new("RGBA", image_rgba.size, "white")
            return np.asarray(Image.alpha_composite(white, image_rgba).convert("RGB"))
        return np.asarray(image.convert("RGB"))


def check_claim(height: int, width: int, n_bytes: int) -> None:
    """Refuse a JPEG whose header claims far more pixels than its bytes can hold, before any memory is taken.

    Raises
    ------
    ValueError
        If the picture cannot be complete.
    """
    if height * width > JPEG_PX_A_BYTE * n_bytes:
        raise ValueError(f"its header claims {width} x {height} px, more than its {n_bytes} bytes can hold")


def unreadable(path: str, index: int, error: BaseException) -> UserError:
    """The error of a tile that cannot be read, and why."""
    where = f"{path} (row {index})" if index >= 0 else path
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return UserError(
        f"The tile {where} cannot be read ({reason}): mend or remove it, or set on_corrupt=skip to leave such tiles "
        "out."
    )
