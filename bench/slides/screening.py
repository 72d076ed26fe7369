"""What a TIFF says of itself, read before its pixels are: is this a complete brightfield slide in one plane?"""

from __future__ import annotations

import logging
import os
import struct

import numpy as np
from tifffile import TiffFile, TiffFileError, TiffPage, TiffPageSeries

from registry.errors import UserError

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NO_SLIDES = ("label", "macro", "thumbnail")

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it warns of becomes one sentence below


def open_tiff(path: str) -> TiffFile | None:
    """The TIFF behind a path, or None where the file is none, or one that tifffile cannot follow."""
    with open(path, "rb") as file:
        if file.read(4) not in TIFF_MAGIC:
            return None
    try:
        return TiffFile(path)
    except (TiffFileError, ValueError, OSError, struct.error, IndexError):
        return None


def full_series(path: str, tiff: TiffFile) -> TiffPageSeries | None:
    """The pyramid of the slide itself: the first series; None where tifffile cannot make one of the pages."""
    try:
        return tiff.series[0]
    except (TiffFileError, ValueError, OSError, struct.error, IndexError, KeyError):
        return None


def levels(series: TiffPageSeries) -> list[TiffPage]:
    """One page a level, the largest first."""
    return [level.keyframe for level in series.levels]


def tiled_pages(tiff: TiffFile) -> list[TiffPage]:
    """All tiled pages of the file, whatever series tifffile makes of them."""
    return [page for page in tiff.pages if isinstance(page, TiffPage) and page.is_tiled]


def refuse_unless_brightfield(path: str, series: TiffPageSeries) -> None:
    """Raise one sentence for a file that opens but is not a slide that an RGB encoder can be shown.

    Raises
    ------
    UserError
        For a stack of focal planes, fluorescence channels, one channel, more than 8 bits, and a label or macro image.
    """
    page = series.keyframe
    depth = {axis: size for axis, size in zip(series.axes, series.shape, strict=True) if size > 1}
    if depth.get("Z", 1) > 1:
        raise UserError(
            f"The slide {path} is a Z-stack of {depth['Z']} focal planes: export the plane in focus as a slide of its "
            "own."
        )
    colour = page.samplesperpixel in (3, 4) and np.dtype(series.dtype) == np.uint8
    if not colour:
        raise UserError(
            f"The slide {path} is not 8-bit RGB but {_pixels(series)}, as fluorescence slides and masks are: only "
            "brightfield slides (H&E, IHC) can be embedded."
        )
    if extra := {axis: size for axis, size in depth.items() if axis not in "YXS"}:
        raise UserError(
            f"The slide {path} holds {max(extra.values())} pictures of the same size (focal planes, channels or "
            "times), not one: export one as a slide of its own."
        )
    title = page.description.strip().lower().splitlines()
    if any(line.startswith(NO_SLIDES) for line in title[:2]):
        raise UserError(
            f"The file {path} is the {title[-1].split()[0]} image of a slide, not the slide: name the slide."
        )


def refuse_truncated(path: str, tiff: TiffFile) -> None:
    """Raise where a page, or the pixels of one, lie beyond the end of the file.

    Raises
    ------
    UserError
        With the bytes that are there and the bytes that should be.
    """
    there = os.path.getsize(path)
    should = _last_page(tiff, there)
    for page in tiff.pages:
        if isinstance(page, TiffPage):
            ends = np.asarray(page.dataoffsets, np.int64) + np.asarray(page.databytecounts, np.int64)
            should = max(should, int(ends.max(initial=0)))
    if should > there:
        raise UserError(f"The slide {path} is truncated: it has {there:,} of at least {should:,} bytes; copy it again.")


def _last_page(tiff: TiffFile, there: int) -> int:
    """Where the chain of pages ends, or breaks off because the next one lies beyond the end of the file."""
    file, form = tiff.filehandle, tiff.tiff
    place, seen = 8 if form.version == 43 else 4, set[int]()
    while True:
        file.seek(place)
        offset = struct.unpack(form.offsetformat, file.read(form.offsetsize))[0]
        if offset == 0 or offset in seen:
            return 0
        seen.add(offset)
        if offset + form.tagnosize > there:
            return int(offset + form.tagnosize)
        file.seek(offset)
        tags = struct.unpack(form.tagnoformat, file.read(form.tagnosize))[0]
        place = offset + form.tagnosize + tags * form.tagsize
        if place + form.offsetsize > there:
            return int(place + form.offsetsize)


def _pixels(series: TiffPageSeries) -> str:
    channels = dict(zip(series.axes, series.shape, strict=True))
    number = channels.get("C", channels.get("S", 1))
    return f"{number} channel{'s' if number != 1 else ''} of {np.dtype(series.dtype).itemsize * 8} bits"
