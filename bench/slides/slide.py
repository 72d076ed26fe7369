"""A slide: its pyramid, its true resolution and its pixels."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
from jaxtyping import UInt8
from PIL import Image
from tifffile import TiffPage

from bench.slides import refusals, screening
from bench.slides.direct import TiffPixels
from bench.slides.pixels import OpenSlidePixels, PixelSource, UnreadableRegion
from bench.slides.resolution import true_mpp
from bench.slides.tile_table import TileTable, is_colour, is_fast
from registry.errors import UserError

DIRECT_VENDORS = ("aperio", "generic-tiff")  # whose OpenSlide levels are pages of the TIFF, tile for tile
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


def open_slide(path: str | Path, mpp: float | tuple[float, float] | None = None, *, direct: bool = True) -> Slide:
    """Open a slide.

    Parameters
    ----------
    path : str or Path
        Anything that OpenSlide opens, or a TIFF that tifffile reads.
    mpp : float, (float, float) or None
        Microns per level-0 pixel (x, y), if the file does not say or is wrong.
    direct : bool
        Whether JPEG and JPEG 2000 tiles of a TIFF are decoded here; False leaves all pixels to OpenSlide.

    Raises
    ------
    UserError
        One sentence that names it for: no such file, no slide, a truncated slide, no mpp, a Z-stack, fluorescence, a
        label, and any error of a library.
    """
    path = str(path)
    try:
        return _opened(path, mpp, direct=direct)
    except UserError:
        raise
    except Exception as error:
        raise refusals.unreadable_slide(path, error) from error


def _opened(path: str, mpp: float | tuple[float, float] | None, *, direct: bool) -> Slide:
    if not os.path.exists(path):
        raise UserError(f"The slide {path} does not exist: check the slide manifest and the data folder.")
    if os.path.isdir(path):
        raise UserError(f"The slide {path} is a folder: name the slide's own file (for DICOM, any .dcm of it).")
    refusals.refuse_vsi(path)
    try:
        vendor = openslide.OpenSlide.detect_format(path)
        tiff = screening.open_tiff(path)
    except OSError as error:
        raise UserError(
            f"The slide {path} cannot be read ({error.strerror or error}): check its permissions."
        ) from error
    try:
        series = screening.full_series(path, tiff) if tiff else None
        pages = screening.levels(series) if series else []
        if tiff and vendor in (None, *DIRECT_VENDORS):
            screening.refuse_truncated(path, tiff)
        if tiff and vendor == "hamamatsu":
            refusals.refuse_fluorescence(path, tiff)
        if series:
            screening.refuse_unless_brightfield(path, series)
        if vendor is None:
            return _with_tifffile(path, pages, mpp)
        tiled = screening.tiled_pages(tiff) if tiff and direct and vendor in DIRECT_VENDORS else []
        return _with_openslide(path, vendor, pages, tiled, mpp)
    finally:
        if tiff:
            tiff.close()


def _with_tifffile(path: str, pages: list[TiffPage], mpp: float | tuple[float, float] | None) -> Slide:
    if not pages or not is_colour(pages[0]):
        size = os.path.getsize(path)
        raise UserError(
            f"The file {path} ({size:,} bytes) is no slide that can be read, or only a part of one: OpenSlide does not "
            "know it and it is no RGB TIFF."
        )
    pages = [p for p in pages if is_colour(p)]
    scale, source = true_mpp(path, {}, pages[0], mpp)
    pixels = TiffPixels(path, [TileTable.of(p) for p in pages], None)
    sizes = [(p.imagewidth, p.imagelength) for p in pages]
    return Slide(path, "tiff", "tifffile", pixels, sizes, scale, source)


def _with_openslide(
    path: str, vendor: str, pages: list[TiffPage], tiled: list[TiffPage], mpp: float | tuple[float, float] | None
) -> Slide:
    try:
        oracle = OpenSlidePixels(path)
    except (openslide.OpenSlideError, OSError) as error:
        if vendor == "generic-tiff" and pages and is_colour(pages[0]):
            return _with_tifffile(path, pages, mpp)  # WebP, JPEG XL, planes of colours
        raise refusals.cannot_be_opened(path, vendor, error) from error
    opened: TiffPixels | OpenSlidePixels = oracle
    try:
        scale, source = true_mpp(path, oracle.properties, pages[0] if pages else None, mpp)
        sizes = oracle.sizes
        own = [(p.imagewidth, p.imagelength) for p in pages]
        if tiled and vendor == "generic-tiff" and len(own) > len(sizes) == 1 and all(map(is_colour, pages)):
            # OpenSlide does not see the pyramid of an OME-TIFF, which hangs below its first page.
            pixels = TiffPixels(path, [TileTable.of(p) for p in pages], None)
            oracle.close()
            return Slide(path, vendor, "direct", pixels, own, scale, source)
        if tiled:
            by_size = {(p.imagewidth, p.imagelength): p for p in reversed(tiled) if is_fast(p)}
            tables = [TileTable.of(by_size[s]) if s in by_size else None for s in sizes]
            opened = pixels = TiffPixels(path, tables, oracle)
            for level, table in enumerate(tables):
                if table is not None and not _proven(pixels, oracle, level, table, vendor):
                    tables[level] = None
            if any(tables):
                return Slide(path, vendor, "direct", pixels, sizes, scale, source)
            pixels.close_file()
            opened = oracle
        return Slide(path, vendor, "openslide", oracle, sizes, scale, source)
    except BaseException:
        opened.close()
        raise


def _proven(pixels: TiffPixels, oracle: OpenSlidePixels, level: int, table: TileTable, vendor: str) -> bool:
    """Whether one tile of the level is the same, bit for bit, as OpenSlide gives it.

    It is the middle tile, or the first where OpenSlide's coordinates are not integers elsewhere.
    """
    if vendor == "aperio" and (table.counts == 0).any():
        return False  # OpenSlide paints such tiles from another level
    exact = oracle.factors[level].is_integer()
    order = np.flatnonzero(table.counts)
    if exact:
        order = np.roll(order, -(len(order) // 2))
    elif table.counts[0]:
        order = order[:1]
    else:
        return False
    for index in order[:4].tolist():
        x, y, width, height = table.box(index)
        expected = np.empty((height, width, 3), np.uint8)
        got = np.empty_like(expected)
        try:
            oracle.read_into(expected, x, y, level)
            pixels.read_into(got, x, y, level)
        except UnreadableRegion:
            continue
        return bool((got == expected).all())
    return False
