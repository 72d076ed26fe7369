"""The true resolution of a slide, from whatever says it; magnification is never taken for one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from registry.errors import UserError

if TYPE_CHECKING:
    from tifffile import TiffPage

# No scanner of whole slides lies outside; 72, 96 or 300 dpi, which editors write into any TIFF, do.
PLAUSIBLE = (0.02, 10.0)
MICRONS = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}  # of a TIFF ResolutionUnit: inch, centimetre, and two rare ones
TIFF_RESOLUTION = "TIFF resolution"
UNIT_NAMES = {"inch": 2, "centimeter": 3}
OME_MICRONS = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}


class NoResolution(UserError):
    """A slide does not say how wide a pixel is, nor does the manifest."""


def true_mpp(
    path: str, properties: Mapping[str, str], page: TiffPage | None, override: float | tuple[float, float] | None
) -> tuple[tuple[float, float], str]:
    """Microns per level-0 pixel in x and y, and where they were found.

    Parameters
    ----------
    path : str
        For messages.
    properties : mapping
        OpenSlide's, of any vendor; empty where OpenSlide does not open the file.
    page : tifffile.TiffPage or None
        The full-resolution page of a TIFF.
    override : float, (float, float) or None
        The user's own value, which goes before all else.

    Raises
    ------
    UserError
        If the file does not have it, or the user's value is out of range.
    """
    if override is not None:
        x, y = override if isinstance(override, tuple) else (override, override)
        if not _plausible(x, y):
            raise UserError(
                f"The mpp {override} in the manifest for the slide {path} cannot be right: a level-0 pixel is between "
                f"{PLAUSIBLE[0]} and {PLAUSIBLE[1]} micrometres wide."
            )
        return (float(x), float(y)), "given"
    refused = ""
    for x, y, source in _candidates(properties, page):
        if _plausible(x, y):
            return (x, y), source
        if source != TIFF_RESOLUTION:  # which editors write into any TIFF
            refused = refused or f"{x:.4g}{'' if x == y else f' x {y:.4g}'} micrometres per pixel ({source})"
    if refused:
        raise NoResolution(
            f"The slide {path} says {refused}, which is no resolution of a scan ({PLAUSIBLE[0]} to {PLAUSIBLE[1]:g}): "
            "if this is an overview name the file of the full resolution, and if the number is wrong give the right "
            "one in the column `mpp` of the slide manifest."
        )
    raise NoResolution(
        f"The slide {path} does not say its resolution (microns per pixel): give it in the column `mpp` of the slide "
        "manifest."
    )


def _plausible(x: float, y: float) -> bool:
    return all(PLAUSIBLE[0] <= v <= PLAUSIBLE[1] for v in (x, y)) and 0.5 < x / y < 2


def _candidates(properties: Mapping[str, str], page: TiffPage | None) -> Iterator[tuple[float, float, str]]:
    """Every resolution in the metadata of the file, the most trustworthy first."""
    x, y = (_number(properties.get(f"openslide.mpp-{axis}")) for axis in "xy")
    if x and y:
        yield x, y, "openslide.mpp"
    if isotropic := _number(properties.get("aperio.MPP")):
        yield isotropic, isotropic, "aperio.MPP"
    description = (page.description if page is not None else "") or properties.get("openslide.comment", "")
    if size := _ome_pixel(description):
        yield *size, "OME PhysicalSize"
    if stated := re.search(r"\bMPP\s*=\s*([0-9.]+)", description):
        yield float(stated[1]), float(stated[1]), "MPP in the description"
    if page is not None and "XResolution" in page.tags and "YResolution" in page.tags:
        unit = MICRONS.get(int(page.resolutionunit))
        per_x, per_y = page.resolution
    else:
        unit = MICRONS.get(UNIT_NAMES.get(properties.get("tiff.ResolutionUnit", ""), 0))
        per_x, per_y = (_number(properties.get(f"tiff.{axis}Resolution")) or 0 for axis in "XY")
    if unit and per_x and per_y:
        yield unit / per_x, unit / per_y, TIFF_RESOLUTION


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _ome_pixel(description: str) -> tuple[float, float] | None:
    """PhysicalSizeX and PhysicalSizeY of the first image of an OME-XML header, in micrometres."""
    if "<OME" not in description[:2000]:
        return None
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        if element.tag.endswith("}Pixels") or element.tag == "Pixels":
            sizes = [
                (_number(element.get(f"PhysicalSize{a}")) or 0)
                * OME_MICRONS.get(element.get(f"PhysicalSize{a}Unit", "µm"), 0)
                for a in "XY"
            ]
            return (sizes[0], sizes[1]) if all(sizes) else None
    return None
