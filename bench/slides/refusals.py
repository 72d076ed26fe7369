"""Why a slide that is recognised cannot be opened, in a sentence that is true of its format."""

from __future__ import annotations

import re

from tifffile import TiffFile, TiffPage

from registry.errors import UserError

FILTER, WAVELENGTH = 65434, 65451  # NDPI tags: the filter of a fluorescence scan, and the nm of its emission
CONVERT = "convert it to a pyramidal OME-TIFF (bfconvert of Bio-Formats, or QuPath's export)"
AXES = {"Z": "focal planes", "T": "points in time", "H": "phases", "I": "illuminations", "V": "views"}


def refuse_vsi(path: str) -> None:
    """Raise for a file of Olympus cellSens: it holds the label and overview, and opens as if these were the slide.

    Raises
    ------
    UserError
    """
    if path.lower().endswith(".vsi"):
        raise UserError(
            f"The file {path} is an Olympus VSI, which holds the label and overview of a slide alone, and the slide "
            f"lies in the folder _NAME_ beside it in a format that is not read: {CONVERT}."
        )


def refuse_fluorescence(path: str, tiff: TiffFile) -> None:
    """Raise for a scan of Hamamatsu's that was taken in fluorescence, whose pictures are RGB as any other's are.

    Raises
    ------
    UserError
    """
    page = tiff.pages.first
    if isinstance(page, TiffPage) and (wavelength := _number(page, WAVELENGTH)) > 0:
        name = page.tags[FILTER].value if FILTER in page.tags else "unknown"
        raise UserError(
            f"The slide {path} is a fluorescence scan (filter {name}, {wavelength:g} nm): only brightfield slides "
            "(H&E, IHC) can be embedded."
        )


def cannot_be_opened(path: str, vendor: str, error: Exception) -> UserError:
    """The error of a slide that OpenSlide recognises and does not open.

    Parameters
    ----------
    vendor : str
        As OpenSlide calls it.
    error : Exception
        What OpenSlide says.
    """
    reason = " ".join(str(error).split()).rstrip(".")
    if vendor == "zeiss":
        return UserError(f"The slide {path} is a CZI that OpenSlide does not read ({_of_czi(reason)}): {CONVERT}.")
    if vendor == "dicom" and not re.search("No pyramid levels", reason):
        return UserError(
            f"The slide {path} is a DICOM file that OpenSlide does not read as a slide ({reason}): name a file of the "
            f"full resolution, or {CONVERT}."
        )
    return UserError(
        f"The slide {path} ({vendor}) cannot be opened ({reason}): it is damaged, or no slide but its label."
    )


def unreadable_slide(path: str, error: Exception) -> UserError:
    """The error of a slide on which a library fails in a way that it does not document."""
    first = str(error).strip().partition("\n")[0].rstrip(".")
    reason = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return UserError(
        f"The slide {path} cannot be read ({reason}): it is damaged or of a kind that is not read; copy it again, or "
        f"{CONVERT}."
    )


def _of_czi(reason: str) -> str:
    if axis := re.search(r'subblock dimension "(\w+)"', reason):
        return f"it has several {AXES.get(axis[1], f'pictures along the axis {axis[1]}')}, not one plane: {reason}"
    if "subblock channel" in reason:
        return f"it has several channels, as fluorescence has: {reason}"
    return reason


def _number(page: TiffPage, tag: int) -> float:
    try:
        return float(page.tags[tag].value) if tag in page.tags else 0.0
    except (TypeError, ValueError):
        return 0.0
