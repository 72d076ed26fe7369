"""A tissue mask that the user gives: polygons as GeoJSON, or an image.

Polygons are drawn ring by ring by PIL. shapely was tried instead (its shapes, their union and difference, PIL for the
drawing): 25 lines fewer, but 4 to 12 times slower, other masks in 0.5 to 3 % of their pixels, all at borders, and no
mask at all where one ring has two corners or one corner a fourth number, which today are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from jaxtyping import Bool, Float
from PIL import Image, ImageDraw

from bench.slides.slide import Slide
from bench.slides.tissue import MPP, Tissue
from registry.errors import UserError

GEOJSON = (".geojson", ".json")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")  # others, such as EPS, start programs
LARGEST = 400_000_000  # pixels of a mask image
ASPECT_TOLERANCE = 0.02


def read_mask(path: str | Path, slide: Slide) -> Tissue:
    """The tissue of a slide from a file.

    Parameters
    ----------
    path : str or Path
        GeoJSON with polygons in level-0 px (what QuPath exports), or an image of the whole slide at any scale, in which
        every pixel is tissue that is not black or, in a palette image, whose index is not 0. Alpha does not count.

    Raises
    ------
    UserError
        If the file is missing or no mask, holds no polygon, or does not fit the slide.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"The mask {path} of the slide {slide.path} {what}: check the column `mask`.")
    mask = _polygons(path, slide) if path.suffix.lower() in GEOJSON else _image(path, slide)
    return Tissue(mask, slide.dimensions)


def _polygons(path: Path, slide: Slide) -> Bool[np.ndarray, "height width"]:
    try:
        polygons = [[_ring(ring) for ring in _members(polygon)] for polygon in _found(json.loads(path.read_bytes()))]
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"The mask {path} is no GeoJSON of polygons ({_reason(error)}): export it again.") from error
    width, height = slide.dimensions
    rings = [
        [polygon[0], *(hole for hole in polygon[1:] if len(hole) >= 3)]
        for polygon in polygons
        if polygon and len(polygon[0]) >= 3
    ]
    if not rings:
        raise UserError(f"The mask {path} holds no polygon: draw one, or leave the cell `mask` empty.")
    corners = np.concatenate([ring for polygon in rings for ring in polygon])
    if not np.isfinite(corners).all():
        raise UserError(f"The polygons of the mask {path} have corners that are no finite numbers: export them again.")
    far = ((corners < (-width, -height)) | (corners > (2 * width, 2 * height))).any(axis=1)
    if far.any():
        x, y = corners[far][0]
        raise UserError(
            f"The polygons of the mask {path} have a corner at {x:g}, {y:g}, far outside the slide {slide.path} of "
            f"{width} x {height} px: they must be in pixels of its level 0."
        )
    scale = np.array([min(1.0, m / MPP) for m in slide.mpp])
    size = (max(1, round(width * scale[0])), max(1, round(height * scale[1])))
    canvas = Image.new("1", size)
    for outer, *holes in rings:
        corner, part = np.zeros(2, int), canvas
        if holes:  # drawn apart, for a hole takes nothing from other polygons
            ends = np.concatenate([outer, *holes]) * scale
            corner = np.floor(ends.min(axis=0) - 0.5).astype(int).clip(0, size)
            beyond = np.ceil(ends.max(axis=0) + 0.5).astype(int).clip(corner, size)
            part = Image.new("1", tuple((beyond - corner).tolist()))
        for ring, inside in ((outer, 1), *((hole, 0) for hole in holes)):
            # the centre of a pixel, which is where PIL draws, is half a pixel in
            ImageDraw.Draw(part).polygon([tuple(p) for p in ring * scale - 0.5 - corner], fill=inside)
        if part is not canvas:
            canvas.paste(1, tuple(corner.tolist()), part)
    mask = np.asarray(canvas)
    if not mask.any() or sum(_area(outer * slide.mpp) for outer, *_ in rings) < MPP**2:  # PIL draws a pixel at least
        raise UserError(
            f"The polygons of the mask {path} cover nothing of the slide {slide.path} of {width} x {height} px: they "
            "must be in pixels of its level 0."
        )
    return mask


def _found(node: Any) -> Iterator[Any]:
    """The coordinates of all polygons below a GeoJSON node; a geometry may be null."""
    if isinstance(node, list):
        for member in node:
            yield from _found(member)
        return
    if node is None:
        return
    if not isinstance(node, dict) or "type" not in node:
        raise ValueError("a part of it is no object with a `type`")
    kind = node["type"]
    if kind == "FeatureCollection":
        yield from _found(node.get("features"))
    elif kind == "Feature":
        yield from _found(node.get("geometry"))
    elif kind == "GeometryCollection":
        yield from _found(node.get("geometries"))
    elif kind == "Polygon":
        yield node.get("coordinates")
    elif kind == "MultiPolygon":
        yield from _members(node.get("coordinates"))


def _members(coordinates: Any) -> list[Any]:
    if not isinstance(coordinates, list):
        raise ValueError("the `coordinates` of a polygon are no list of rings")
    return coordinates


def _ring(points: Any) -> Float[np.ndarray, "corner 2"]:
    try:
        ring = np.array([point[:2] for point in _members(points)], float)
    except (TypeError, ValueError, OverflowError, KeyError):
        ring = np.zeros(1)
    if ring.size and (ring.ndim != 2 or ring.shape[1] != 2):
        raise ValueError("a corner of a polygon is no pair of numbers")
    return ring.reshape(-1, 2)


def _area(ring: Float[np.ndarray, "corner 2"]) -> float:
    """Of a polygon without holes, in the square of the unit of its corners (the shoelace formula)."""
    x, y = (ring - ring[0]).T
    return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno} is no JSON"
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)


def _image(path: Path, slide: Slide) -> Bool[np.ndarray, "height width"]:
    try:
        mask = _tiff(path, slide) if path.suffix.lower() in (".tif", ".tiff") else _picture(path)
    except UserError:
        raise
    except Exception as error:  # decoders meet damaged bytes with any error
        known = isinstance(error, (OSError, tifffile.TiffFileError))
        reason = str(error) if known else "its bytes are damaged"
        raise UserError(f"The mask {path} cannot be read ({reason}): give an image or GeoJSON.") from error
    if mask.ndim != 2 or not mask.size:
        raise UserError(
            f"The mask {path} is no single picture but of the shape {mask.shape}: give one of the whole slide."
        )
    (height, width), (w, h) = mask.shape, slide.dimensions
    if abs(width / height / (w / h) - 1) > ASPECT_TOLERANCE:
        raise UserError(
            f"The mask {path} of {width} x {height} px has not the shape of the slide {slide.path} of {w} x {h} px: it "
            "must cover the whole slide."
        )
    return mask


def _picture(path: Path) -> Bool[np.ndarray, "height width"]:
    with Image.open(path, formats=FORMATS) as image:
        _check_size(path, *image.size)
        pixels = np.asarray(image if image.mode in ("1", "L", "P") or image.mode[0] in "IF" else image.convert("RGB"))
    return _nonzero(pixels)


def _tiff(path: Path, slide: Slide) -> Bool[np.ndarray, "height width"]:
    """The smallest level that is still as fine as our own masks."""
    with tifffile.TiffFile(path) as tiff:
        levels = tiff.series[0].levels
        wanted = slide.dimensions[0] * slide.mpp[0] / MPP
        level = next((v for v in reversed(levels) if v.keyframe.imagewidth >= wanted), levels[0])
        page = level.keyframe
        _check_size(path, page.imagewidth, page.imagelength)
        pixels, axes = np.asarray(level.asarray()), level.axes
    if "S" in axes:  # alpha comes after the colours
        pixels = np.moveaxis(pixels, axes.index("S"), -1)[..., : page.samplesperpixel - len(page.extrasamples)]
    white_is_0 = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    return _nonzero(pixels != 2**page.bitspersample - 1 if white_is_0 else pixels)


def _nonzero(pixels: np.ndarray) -> Bool[np.ndarray, "height width"]:
    return np.asarray(pixels.any(axis=2) if pixels.ndim == 3 else pixels != 0)


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > LARGEST:
        raise UserError(f"The mask {path} of {width} x {height} px is too large: reduce it to about {MPP:g} mpp.")
