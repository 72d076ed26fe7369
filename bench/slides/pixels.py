"""Pixels of a slide through OpenSlide: the general path, and the oracle of the direct one."""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np
import openslide
from jaxtyping import UInt8
from PIL import Image

from bench.tiles import reason_of
from registry.errors import UserError

CACHE_BYTES = 128 << 20  # OpenSlide's own 32 MiB do not hold two rows of tiles of a wide slide


class UnreadableRegion(UserError):
    """A place of a slide that cannot be decoded."""

    def __init__(self, path: str, level: int, x: int, y: int, width: int, height: int, reason: object):
        super().__init__(
            f"The slide {path} is corrupt at pixel ({x}, {y}) of level {level}, {width} x {height} px "
            f"({reason_of(reason)}): mend or remove it, or set on_corrupt=skip to leave such tiles out."
        )


def block_means(pixels: UInt8[np.ndarray, "height width 3"], block: int) -> UInt8[np.ndarray, "rows columns 3"]:
    """The means of blocks of `block` px a side, rounded; of what there is of the last ones."""
    return np.asarray(Image.fromarray(pixels).reduce(block))


class PixelSource(Protocol):
    """Where the pixels of a slide come from."""

    def read_into(self, out: UInt8[np.ndarray, "height width 3"], x: int, y: int, level: int, block: int = 1) -> None:
        """Fill `out` with the window whose top left pixel is (x, y) of `level`; white outside the level.

        With a `block` of 2, 4 or 8, pixels are the means of so many px a side of the level, counted from its corner.
        """

    def close(self) -> None:
        """Give back files and memory."""


class OpenSlidePixels:
    """Any slide that OpenSlide opens.

    Attributes
    ----------
    properties : dict of str to str
    sizes : list of (int, int)
        Width and height of each level, px.
    factors : list of float
        Level-0 pixels per pixel of each level, as OpenSlide takes them.

    Notes
    -----
    OpenSlide takes integer level-0 pixels. Where the factor of a level is not an integer, the window starts up to half
    a level-0 pixel beside the wanted place and OpenSlide interpolates; level 0 and integer factors are exact.
    """

    def __init__(self, path: str):
        self.path = path
        self._cache = openslide.OpenSlideCache(CACHE_BYTES)
        self._handle = self._open()
        self._lock = threading.Lock()
        # read once: a handle that has failed does not return even these any more
        self.properties = dict(self._handle.properties)
        self.sizes = list(self._handle.level_dimensions)
        self.factors = list(self._handle.level_downsamples)

    def _open(self) -> openslide.OpenSlide:
        handle = openslide.OpenSlide(self.path)
        handle.set_cache(self._cache)
        return handle

    def read_into(self, out: UInt8[np.ndarray, "height width 3"], x: int, y: int, level: int, block: int = 1) -> None:
        """Fill `out`; what is transparent (outside, or never scanned) is laid over white."""
        height, width = out.shape[:2]
        if block > 1:
            full = np.empty((height * block, width * block, 3), np.uint8)
            self.read_into(full, x * block, y * block, level)
            out[...] = block_means(full, block)
            return
        factor = self.factors[level]
        place = (round(x * factor), round(y * factor))
        try:
            image = self._handle.read_region(place, level, (width, height))
        except openslide.OpenSlideError:
            image = self._read_again(place, x, y, level, width, height)
        if np.asarray(image)[..., 3].min() < 255:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        # In C: NumPy takes a tenth of the whole reading to leave a fourth channel away.
        out[...] = np.frombuffer(image.tobytes("raw", "RGB"), np.uint8).reshape(out.shape)

    def _read_again(self, place: tuple[int, int], x: int, y: int, level: int, width: int, height: int) -> Image.Image:
        """Read through a new handle: one that has failed once, perhaps in another thread, answers nothing any more."""
        with self._lock:
            self._handle = fresh = self._open()
        try:
            return fresh.read_region(place, level, (width, height))
        except openslide.OpenSlideError as error:
            with self._lock:
                self._handle = self._open()
            raise UnreadableRegion(self.path, level, x, y, width, height, error) from error

    def close(self) -> None:
        """Close the file."""
        self._handle.close()
