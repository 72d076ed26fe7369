"""A tissue mask that the user gives: polygons as GeoJSON, or an image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from jaxtyping import Bool
from PIL import Image, ImageDraw, UnidentifiedImageError

from bench.slides.slide import Slide
from bench.slides.tissue import MPP, Tissue
from registry.errors import UserError

GEOJSON = (".geojson", ".json")
LARGEST = 400_000_000  # pixels of a mask image
ASPECT_TOLERANCE = 0.02


def read_mask(path: str | Path, slide: Slide) -> Tissue:
    """The tissue of a slide from a file.

    Parameters
    ----------
    path : str or Path
        GeoJSON with polygons in level-0 px (what QuPath exports), or an image of the whole slide at any scale, in which
        every pixel that is not black is tissue.

    Raises
    ------
    UserError
        If the file is missing or no mask, holds no polygon, or does not fit the slide.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"The mask {path} of the slide {slide.path} does not exist: check the column `mask`.")
    mask = _polygons(path, slide) if path.suffix.lower() in GEOJSON else _image(path, slide)
    return Tissue(mask, slide.dimensions, slide.mpp)


def _polygons(path: Path, slide: Slide) -> Bool[np.ndarray, "height width"]:
    try:
        rings = [
            [np.asarray(ring, float)[:, :2] for ring in polygon] for polygon in _found(json.loads(path.read_text()))
        ]
    except (ValueError, TypeError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise UserError(f"The mask {path} is no GeoJSON of polygons ({error}): export it again.") from error
    width, height = slide.dimensions
    rings = [polygon for polygon in rings if polygon and len(polygon[0]) >= 3]
    if not rings:
        raise UserError(f"The mask {path} holds no polygon: draw one, or leave the cell `mask` empty.")
    corners = np.concatenate([polygon[0] for polygon in rings])
    if (corners.max(0) < 0).any() or (corners.min(0) > (width, height)).any():
        raise UserError(
            f"The polygons of the mask {path} lie outside the slide {slide.path} of {width} x {height} px: they "
            "must be in pixels of its level 0."
        )
    scale = np.array([min(1.0, m / MPP) for m in slide.mpp])
    size = (max(1, round(width * scale[0])), max(1, round(height * scale[1])))
    whole = Image.new("1", size)
    for outer, *holes in rings:
        part = Image.new("1", size) if holes else whole  # a hole takes nothing from other polygons
        for ring, inside in ((outer, 1), *((hole, 0) for hole in holes)):
            # the centre of a pixel, which is where PIL draws, is half a pixel in
            ImageDraw.Draw(part).polygon([tuple(p) for p in ring * scale - 0.5], fill=inside)
        if part is not whole:
            whole.paste(1, mask=part)
    return np.asarray(whole)


def _found(node: Any) -> Iterator[list[Any]]:
    """All polygons below a GeoJSON node, each a list of rings, the outer one first."""
    if isinstance(node, list):
        for member in node:
            yield from _found(member)
        return
    kind = node["type"]
    if kind == "FeatureCollection":
        yield from _found(node["features"])
    elif kind == "Feature":
        yield from _found(node["geometry"])
    elif kind == "GeometryCollection":
        yield from _found(node["geometries"])
    elif kind == "Polygon":
        yield node["coordinates"]
    elif kind == "MultiPolygon":
        yield from node["coordinates"]


def _image(path: Path, slide: Slide) -> Bool[np.ndarray, "height width"]:
    try:
        mask = _tiff(path, slide) if path.suffix.lower() in (".tif", ".tiff") else _picture(path)
    except (OSError, ValueError, UnidentifiedImageError, tifffile.TiffFileError) as error:
        raise UserError(f"The mask {path} cannot be read ({error}): give an image or GeoJSON.") from error
    (height, width), (w, h) = mask.shape, slide.dimensions
    if abs(width / height / (w / h) - 1) > ASPECT_TOLERANCE:
        raise UserError(
            f"The mask {path} of {width} x {height} px has not the shape of the slide {slide.path} of {w} x {h} px: it "
            "must cover the whole slide."
        )
    return mask


def _picture(path: Path) -> Bool[np.ndarray, "height width"]:
    with Image.open(path) as image:
        _check_size(path, *image.size)
        pixels = np.asarray(image if image.mode in ("1", "L", "P") or image.mode[0] in "IF" else image.convert("RGB"))
    return _nonzero(pixels)


def _tiff(path: Path, slide: Slide) -> Bool[np.ndarray, "height width"]:
    """The smallest level that is still as fine as our own masks."""
    with tifffile.TiffFile(path) as tiff:
        levels = tiff.series[0].levels
        wanted = slide.dimensions[0] * slide.mpp[0] / MPP
        level = next((v for v in reversed(levels) if v.keyframe.imagewidth >= wanted), levels[0])
        _check_size(path, level.keyframe.imagewidth, level.keyframe.imagelength)
        pixels = np.asarray(level.asarray())
    return _nonzero(pixels)


def _nonzero(pixels: np.ndarray) -> Bool[np.ndarray, "height width"]:
    return np.asarray(pixels.any(axis=2) if pixels.ndim == 3 else pixels != 0)


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > LARGEST:
        raise UserError(f"The mask {path} of {width} x {height} px is too large: reduce it to about {MPP:g} mpp.")
