"""Pictures for people: what was taken for tissue, and which tiles were cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from bench.files import atomic_write, digest
from bench.slides.slide import Slide
from bench.slides.tiling import Grid
from bench.slides.tissue import Tissue

LONGEST = 1600  # px of a preview
CONTOUR, TILE, UNREADABLE = (0, 160, 60), (30, 60, 220), (220, 30, 30)
CELL, COLUMNS, CAPTION = 320, 5, 34  # px and number of a contact sheet's cells
LARGEST, SMALLEST = 80_000_000, 64  # px of a sheet, beyond which its cells are made smaller; least side of a cell


def write_preview(path: Path, slide: Slide, tissue: Tissue | None, grid: Grid) -> None:
    """Thumbnail with the outline of the tissue and the tiles, as JPEG.

    What of the thumbnail cannot be read is hatched, and the tiles that touch it, which may be skipped, are framed in
    red; places that are corrupt in finer levels only are not seen.

    Parameters
    ----------
    path : Path
        Written to a temporary name and renamed, so that it is complete or absent.
    tissue : Tissue or None
        None draws no outline.
    """
    extent = max(n * m for n, m in zip(slide.dimensions, slide.mpp, strict=True))
    unreadable: list[tuple[int, int, int, int]] = []
    pixels = slide.thumbnail(max(extent / LONGEST, *slide.mpp), unreadable=unreadable).copy()
    scale = np.array(pixels.shape[1::-1]) / slide.dimensions
    touched = np.zeros(len(grid), bool)
    for x, y, width, height in sorted(unreadable):  # found by several threads
        (left, top), (right, bottom) = np.floor((x, y) * scale), np.ceil((x + width, y + height) * scale)
        _hatch(pixels[int(top) : int(bottom), int(left) : int(right)])
        low, high = grid.coords, grid.coords + np.array(grid.window_level0)
        touched |= (low < (x + width, y + height)).all(axis=1) & (high > (x, y)).all(axis=1)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    window = np.array(grid.window_level0) * scale
    for i in np.argsort(touched, kind="stable"):  # red over blue where tiles overlap
        x, y = grid.coords[i] * scale
        right, bottom = max(x, x + window[0] - 1), max(y, y + window[1] - 1)  # a tile may be less than a pixel
        draw.rectangle([x, y, right, bottom], outline=UNREADABLE if touched[i] else TILE)
    if tissue is not None:
        stretched = np.asarray(Image.fromarray(tissue.mask).resize(image.size, Image.Resampling.NEAREST))
        edge = ndimage.binary_dilation(stretched, iterations=2) & ~stretched
        pixels = np.array(image)
        pixels[edge] = CONTOUR
        image = Image.fromarray(pixels)
    _save(image, path)


def write_contact_sheet(path: Path, previews: Sequence[tuple[Path, str]]) -> None:
    """One picture of a cohort, as JPEG; left as it is where it shows these previews and captions already.

    Parameters
    ----------
    previews : sequence of (Path, str), not empty
        The preview of each slide and what is written below it; lines are cut at the cell's width.
    """
    shown = _shown(previews)
    if path.is_file() and _comment(path) == shown:
        return
    cell, columns = CELL, min(COLUMNS, len(previews))
    if len(previews) * CELL * (CELL + CAPTION) > LARGEST:
        cell = max(SMALLEST, math.isqrt(LARGEST // len(previews)) - CAPTION // 2)
        columns = math.isqrt(len(previews)) + 1
    rows = -(-len(previews) // columns)
    sheet = Image.new("RGB", (columns * cell, rows * (cell + CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for i, (preview, caption) in enumerate(previews):
        left, top = i % columns * cell, i // columns * (cell + CAPTION)
        with Image.open(preview, formats=("JPEG",)) as image:
            image.thumbnail((cell - 8, cell - 8))
            sheet.paste(image, (left + (cell - image.width) // 2, top + (cell - image.height) // 2))
        for line, text in enumerate(caption.splitlines()[:2]):
            while text and draw.textlength(text, font) > cell - 8:
                text = text[:-1]
            draw.text((left + 4, top + cell + line * 15), text, fill="black", font=font)
    _save(sheet, path, shown)


def _hatch(pixels: UInt8[np.ndarray, "height width 3"]) -> None:
    rows, columns = np.indices(pixels.shape[:2])
    pixels[(rows + columns) % 12 < 2] = UNREADABLE


def _shown(previews: Sequence[tuple[Path, str]]) -> bytes:
    """Digest of what a contact sheet shows, which it carries as its comment."""
    members = [(preview.name, preview.stat().st_size, preview.stat().st_mtime_ns, text) for preview, text in previews]
    return digest(members).encode()


def _comment(path: Path) -> bytes:
    try:
        with Image.open(path, formats=("JPEG",)) as image:
            return bytes(image.info.get("comment", b""))
    except OSError:
        return b""


def _save(image: Image.Image, path: Path, comment: bytes = b"") -> None:
    with atomic_write(path) as temporary:
        image.save(temporary, format="JPEG", quality=88, comment=comment)
