"""What image files and slides say of themselves besides their pixels: size, JPEG quality, format, date, scanner."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.audit.control_values import Control

THREADS = 8
MAKE, MODEL, DATE, ORIGINAL_DATE, EXIF = 271, 272, 306, 36867, 34665
LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
"""The luminance table of ITU-T T.81, table K.1, which libjpeg scales by its quality."""
WITHOUT = {
    "date": "No date is in the table or the files, so it is no control.",
    "scanner": "No scanner is named in the table or the files, so it is no control.",
    "centre": "No centre is named in the table, so it is no control.",
    "JPEG quality": "The files are no JPEG files, so their quality is no control.",
    "file size": "The samples are no files of their own, so file size and format are no controls.",
}


@dataclass(frozen=True)
class FileFacts:
    """Of one file; NaN and "" stand for what it does not say. The date is in days since the year 1."""

    size: float = np.nan
    area: float = np.nan
    quality: float = np.nan
    date: float = np.nan
    scanner: str = ""
    format: str = ""


def file_controls(
    paths: Sequence[str], own_file: Sequence[bool], slides: bool, columns: dict[str, np.ndarray]
) -> tuple[list[Control], dict[str, str]]:
    """Controls of the files, dates and scanners of samples.

    Parameters
    ----------
    paths : sequence of str
        A file for each sample; of a patient that of the first slide.
    own_file : sequence of bool
        False where a sample is a row of a larger file, which says nothing of it.
    slides : bool
        Whether the files are whole slides.
    columns : dict of str arrays
        The table's, of which ``date`` and ``scanner`` go before what files say.

    Returns
    -------
    (list of Control, dict of str -> str)
        The controls, and a sentence for each that there is none of.
    """
    read: Callable[[str], FileFacts] = slide_facts if slides else image_facts
    with ThreadPoolExecutor(THREADS) as pool:
        facts = list(pool.map(lambda one: read(one[0]) if one[1] else FileFacts(), zip(paths, own_file, strict=True)))
    numbers = {
        name: np.array([getattr(one, name) for one in facts], np.float64) for name in ("size", "area", "quality")
    }
    dates = (
        np.array([_days(text) for text in columns["date"]]) if "date" in columns else np.array([f.date for f in facts])
    )
    scanners = columns["scanner"] if "scanner" in columns else np.array([one.scanner for one in facts])
    controls = [
        Control("file size", numbers["size"], follows_pixels=True),
        Control("file format", np.array([one.format for one in facts])),
        Control("JPEG quality", numbers["quality"]),
        Control("image size", numbers["area"]),
        Control("date", dates),
        Control("scanner", scanners),
    ]
    known = [one for one in controls if _is_known(one)]
    names = {one.name for one in known}
    return known, {
        name: WITHOUT[name] for name in ("file size", "JPEG quality", "date", "scanner") if name not in names
    }


def image_facts(path: str) -> FileFacts:
    """The facts of an image file from its header; its pixels are not decoded."""
    from PIL import Image

    size = _size(path)
    try:
        with Image.open(path) as image:
            tags: Any = image.getexif()
            with contextlib.suppress(Exception):  # damaged EXIF says nothing
                original = tags.get_ifd(EXIF).get(ORIGINAL_DATE)
                return FileFacts(
                    size,
                    float(image.width * image.height),
                    quality_of(getattr(image, "quantization", None) or {}),
                    _days(str(original or tags.get(DATE) or "")),
                    " ".join(str(tags[tag]).strip() for tag in (MAKE, MODEL) if tag in tags),
                    image.format or "",
                )
            return FileFacts(size, float(image.width * image.height), format=image.format or "")
    except Exception:  # whoever embeds it names it
        return FileFacts(size)


def slide_facts(path: str) -> FileFacts:
    """The facts of a slide from its properties."""
    import openslide

    size = _size(path)
    try:
        with openslide.OpenSlide(path) as slide:
            of = slide.properties
            width, height = slide.dimensions
            quality = re.search(r"\bQ=(\d+)", of.get("tiff.ImageDescription", ""))
            scanner = [
                of.get(name, "")
                for name in ("aperio.ScanScope ID", "hamamatsu.NDP.S/N", "mirax.GENERAL.SCANNER_HARDWARE_ID")
            ]
            return FileFacts(
                size,
                float(width) * height,
                float(quality[1]) if quality else np.nan,
                _days(of.get("aperio.Date") or of.get("tiff.DateTime") or of.get("hamamatsu.Created", "")),
                next(filter(None, scanner), of.get("openslide.vendor", "")),
                of.get("openslide.vendor", ""),
            )
    except Exception:  # as above
        return FileFacts(size)


def quality_of(tables: Any) -> float:
    """The quality of libjpeg whose luminance table is nearest to that of a file; NaN without a table."""
    if not tables:
        return np.nan
    own = float(np.sum(tables[min(tables)]))
    sums = [float(np.clip((np.array(LUMINANCE) * _scale(q) + 50) // 100, 1, 255).sum()) for q in range(1, 101)]
    return float(1 + int(np.argmin(np.abs(np.array(sums) - own))))


def _scale(quality: int) -> int:
    return 5000 // quality if quality < 50 else 200 - 2 * quality


def _is_known(control: Control) -> bool:
    values = control.values
    return bool((~np.isnan(values)).any() if values.dtype.kind == "f" else (values != "").any())


def _size(path: str) -> float:
    try:
        return float(os.stat(Path(path)).st_size)
    except OSError:
        return np.nan


def _days(text: str) -> float:
    """A date as days since the year 1, from the forms of EXIF, ISO 8601 and Aperio; NaN for any other."""
    text = text.strip()[:19]
    for form in (
        "%Y:%m:%d %H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d",
        "%Y/%m/%d",
        "%m/%d/%y",
        "%m/%d/%Y",
        "%Y",
    ):
        with contextlib.suppress(ValueError):
            found = datetime.strptime(text, form)
            return found.toordinal() + (found.hour * 3600 + found.minute * 60 + found.second) / 86400
    return np.nan
