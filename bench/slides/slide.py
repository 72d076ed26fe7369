"""A slide: its pyramid, its true resolution and its pixels."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from bench.slides.pixels import PixelSource, UnreadableRegion
from registry.errors import UserError

BLOCK = 2048  # px of a level read at once for a thumbnail
SMALLEST_BLOCK = 256  # px; corrupt places are located down to blocks of this side


class Slide:
    """An open slide. Safe to read from several threads; close it, or use it in a ``with`` block.

    Attributes
    ----------
    path : str
    name : str
        The file's name without its ending.
    vendor : str
        As OpenSlide calls it, or "tiff" for a file that only tifffile reads.
    reader : {"direct", "openslide", "tifffile"}
        Who reads the pixels.
    level_dimensions : list of (int, int)
        Width and height of each level, px, the largest first.
    mpp : (float, float)
        Microns per level-0 pixel in x and y.
    mpp_source : str
        Which metadata of the file has it, or "given" where it is the user's own value.
    """

    def __init__(
        self,
        path: str,
        vendor: str,
        reader: str,
        pixels: PixelSource,
        level_dimensions: list[tuple[int, int]],
        mpp: tuple[float, float],
        mpp_source: str,
    ):
        self.path, self.name = path, Path(path).stem
        self.vendor, self.reader = vendor, reader
        self.level_dimensions = level_dimensions
        self.mpp, self.mpp_source = mpp, mpp_source
        self._pixels = pixels

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0, px."""
        return self.level_dimensions[0]

    def downsample(self, level: int) -> tuple[float, float]:
        """Level-0 pixels per pixel of `level` in x and y: the ratio of the sizes, which is seldom an integer."""
        (width, height), (w, h) = self.dimensions, self.level_dimensions[self._checked(level)]
        return width / w, height / h

    def level_mpp(self, level: int) -> tuple[float, float]:
        """Microns per pixel of `level` in x and y."""
        fx, fy = self.downsample(level)
        return self.mpp[0] * fx, self.mpp[1] * fy

    def read_region(self, x: int, y: int, level: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
        """One window as RGB.

        Parameters
        ----------
        x, y : int
            Top left corner in pixels **of the level**, not of level 0.
        width, height : int
            px of the level. What lies outside the level, and what the scanner left out, is white.

        Raises
        ------
        UnreadableRegion
            If a part of it cannot be decoded.
        UserError
            If the level does not exist.
        """
        out = np.empty((height, width, 3), np.uint8)
        self.read_into(out, x, y, level)
        return out

    def read_into(self, out: UInt8[np.ndarray, "height width 3"], x: int, y: int, level: int, block: int = 1) -> None:
        """`read_region` into an array of the window's size.

        With a `block` of 2, 4 or 8 the level is read as the means of so many px a side: x, y and the size of `out` are
        in blocks, counted from the level's corner.
        """
        self._pixels.read_into(out, x, y, self._checked(level), block)

    def thumbnail(
        self, mpp: float, threads: int | None = None, unreadable: list[tuple[int, int, int, int]] | None = None
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The whole slide at about `mpp`, averaged over areas; its scale is its size over the slide's.

        Read in blocks, so that a slide without small levels costs time but no memory.

        Parameters
        ----------
        mpp : float
            Microns per pixel wanted.
        threads : int or None
            That read; None is one a core.
        unreadable : list or None
            Corrupt places are white and appended to it as (x, y, width, height), level-0 px; None makes them an error.

        Raises
        ------
        UnreadableRegion
        """
        level = max((i for i in range(len(self.level_dimensions)) if self.level_mpp(i)[0] <= mpp), default=0)
        width, height = self.level_dimensions[level]
        fx, fy = self.downsample(level)
        shrink = max(1, int(mpp / self.level_mpp(level)[0]))
        block = BLOCK // shrink * shrink or shrink
        reduced = np.empty((-(-height // shrink), -(-width // shrink), 3), np.uint8)

        def read(x: int, y: int, side: int) -> None:
            w, h = min(side, width - x), min(side, height - y)
            try:
                part = self.read_region(x, y, level, w, h)
            except UnreadableRegion:
                if unreadable is None:
                    raise
                if side > shrink and side > SMALLEST_BLOCK:  # find what of it is sound
                    half = max(side // 2 // shrink, 1) * shrink
                    for v in range(y, y + h, half):
                        for u in range(x, x + w, half):
                            read(u, v, min(half, x + side - u, y + side - v))
                    return
                unreadable.append((int(x * fx), int(y * fy), math.ceil(w * fx), math.ceil(h * fy)))
                part = np.full((h, w, 3), 255, np.uint8)
            small = np.asarray(Image.fromarray(part).reduce(shrink)) if shrink > 1 else part
            reduced[y // shrink : y // shrink + small.shape[0], x // shrink : x // shrink + small.shape[1]] = small

        places = [(x, y) for y in range(0, height, block) for x in range(0, width, block)]
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            list(pool.map(lambda place: read(place[0], place[1], block), places))
        size = [max(1, round(n * m / mpp)) for n, m in zip(self.dimensions, self.mpp, strict=True)]
        box = (0, 0, width / shrink, height / shrink)
        return np.asarray(Image.fromarray(reduced).resize((size[0], size[1]), Image.Resampling.BILINEAR, box=box))

    def _checked(self, level: int) -> int:
        if not 0 <= level < len(self.level_dimensions):
            raise UserError(
                f"The slide {self.path} has no level {level}: its levels are 0 to {len(self.level_dimensions) - 1}."
            )
        return level

    def close(self) -> None:
        """Close the files."""
        self._pixels.close()

    def __enter__(self) -> Slide:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
