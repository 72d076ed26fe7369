"""One tile from an image file or a row of an HDF5 array, by Pillow and h5py: what every faster way must equal."""

from __future__ import annotations

import os
import textwrap
import warnings
from dataclasses import dataclass
from typing import IO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401  # the formats

from bench.tiles.arrays import ImageArray
from registry.errors import UserError

Image.MAX_IMAGE_PIXELS = None  # `Look.max_px` is the limit, and masks of slides have their own
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # what is wrong of a tile is one sentence

FORMATS = ("TIFF", "PNG", "JPEG", "WEBP")  # the documented ones: others, such as EPS, start programs
MAX_TILE_PX = 64_000_000  # of one tile, 8,000 px a side

LONGEST_REASON = 200  # characters of a decoder's error that are repeated
# A block of 8 x 8 px takes one bit or more in a JPEG, so a byte holds at most 512 px; Pillow fills the rest with grey.
JPEG_PX_A_BYTE = 1024

UNREADABLE = (Exception,)  # decoders meet damaged bytes with any error, which is one of the tile


@dataclass
class Look:
    """A look at the file of a tile: how large a picture may be, and what was found beside its pixels.

    Attributes
    ----------
    max_px : int
        Pixels of a tile at most.
    several : bool
        Whether the file holds further pictures, of an animation or of a TIFF, beside the first, which is taken.
    """

    max_px: int = MAX_TILE_PX
    several: bool = False

    def check(self, height: int, width: int) -> None:
        """Refuse a picture that is larger than a tile may be, before any memory is taken.

        Raises
        ------
        ValueError
        """
        if height * width > self.max_px:
            raise ValueError(f"it is {width} x {height} px, more than max_tile_px={self.max_px} allows")


def decode_tile(path: str, index: int = -1, look: Look | None = None) -> UInt8[np.ndarray, "height width 3"]:
    """Read one tile as 8-bit RGB.

    Parameters
    ----------
    path : str
        A TIFF, PNG, JPEG or WebP file, or an HDF5 file with one array of images.
    index : int
        Row of the HDF5 array; -1 for an image file.
    look : Look or None
        Has the largest size; None is the default one.

    Raises
    ------
    UserError
        If the file is missing, truncated, too large or no 8-bit image.
    """
    look = look or Look()
    try:
        if index < 0:
            return decode_image(path, look)
        with ImageArray(path, look.max_px) as array:
            return array.row(index)
    except UNREADABLE as error:
        raise unreadable(path, index, error) from error


def decode_image(image_file: str | IO[bytes], look: Look | None = None) -> UInt8[np.ndarray, "height width 3"]:
    """An image as 8-bit RGB, on white where it is transparent; raises one of `UNREADABLE`."""
    look = look or Look()
    with Image.open(image_file, formats=FORMATS) as image:
        if image.format in ("JPEG", "MPO") and image.fp is not None:
            here = image.fp.tell()
            check_claim(image.height, image.width, image.fp.seek(0, os.SEEK_END))
            image.fp.seek(here)
        look.check(image.height, image.width)
        look.several = _holds_several(image)
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"{image.mode} pixels, not 8-bit colour")
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image_rgba = image.convert("RGBA")
            white = Image.new("RGBA", image_rgba.size, "white")
            return np.asarray(Image.alpha_composite(white, image_rgba).convert("RGB"))
        return np.asarray(image.convert("RGB"))


def _holds_several(image: Image.Image) -> bool:
    """Whether a file holds further pictures; the preview in the JPEG of a camera is none."""
    if image.format == "TIFF":
        return bool(getattr(getattr(image, "tag_v2", None), "next", 0))
    return image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1


def check_claim(height: int, width: int, n_bytes: int) -> None:
    """Refuse a JPEG whose header claims far more pixels than its bytes can hold, before any memory is taken.

    Raises
    ------
    ValueError
        If the picture cannot be complete.
    """
    if height * width > JPEG_PX_A_BYTE * n_bytes:
        raise ValueError(f"its header claims {width} x {height} px, more than its {n_bytes} bytes can hold")


def reason_of(error: object) -> str:
    """The first line of an error's text, or its kind where it has none; some hold all bytes that they met."""
    text = str(error).strip().partition("\n")[0].rstrip(". ")
    return textwrap.shorten(text, LONGEST_REASON, placeholder=" ...") or type(error).__name__


def unreadable(path: str, index: int, error: BaseException) -> UserError:
    """The error of a tile that cannot be read, and why."""
    where = f"{path} (row {index})" if index >= 0 else path
    return UserError(
        f"The tile {where} cannot be read ({reason_of(error)}): mend or remove it, or set on_corrupt=skip to leave "
        "such tiles out."
    )
