"""How a slide is opened: what is refused, who reads its pixels, and the proof that our own decoder reads them right."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import openslide
from tifffile import TiffPage

from bench.slides import refusals, screening
from bench.slides.direct import TiffPixels
from bench.slides.pixels import OpenSlidePixels, UnreadableRegion
from bench.slides.resolution import true_mpp
from bench.slides.slide import Slide
from bench.slides.tile_table import TileTable, is_colour, is_fast
from registry.errors import UserError

DIRECT_VENDORS = ("aperio", "generic-tiff")  # whose OpenSlide levels are pages of the TIFF, tile for tile


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
