"""Pictures for people: what was taken for tissue, and which tiles were cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from bench.files import whole_file
from bench.slides.slide import Slide
from bench.slides.tiling import Grid
from bench.slides.tissue import Tissue

LONGEST = 1600  # px of a preview
CONTOUR, TILE = (0, 160, 60), (30, 60, 220)
CELL, COLUMNS, CAPTION = 320, 5, 34  # px and number of a contact sheet's cells


def write_preview(path: Path, slide: Slide, tissue: Tissue | None, grid: Grid) -> None:
    """Thumbnail with the outline of the tissue and the tiles, as JPEG.

    Parameters
    ----------
    path : Path
        Written whole or not at all.
    tissue : Tissue or None
        None draws no outline.
    """
    extent = max(n * m for n, m in zip(slide.dimensions, slide.mpp, strict=True))
    image = Image.fromarray(slide.thumbnail(max(extent / LONGEST, *slide.mpp), unreadable=[]))
    scale = np.array(image.size) / slide.dimensions
    draw = ImageDraw.Draw(image)
    window = np.array(grid.window_level0) * scale
    for x, y in grid.coords * scale:
        draw.rectangle([x, y, x + window[0] - 1, y + window[1] - 1], outline=TILE)
    if tissue is not None:
        stretched = np.asarray(Image.fromarray(tissue.mask).resize(image.size, Image.Resampling.NEAREST))
        edge = ndimage.binary_dilation(stretched, iterations=2) & ~stretched
        pixels = np.array(image)
        pixels[edge] = CONTOUR
        image = Image.fromarray(pixels)
    _save(image, path)


def write_contact_sheet(path: Path, previews: Sequence[tuple[Path, str]]) -> None:
    """One picture of a cohort, as JPEG.

    Parameters
    ----------
    previews : sequence of (Path, str)
        The preview of each slide and what is written below it; lines are cut at the cell's width.
    """
    columns = min(COLUMNS, max(1, len(previews)))
    rows = -(-len(previews) // columns)
    sheet = Image.new("RGB", (columns * CELL, max(1, rows) * (CELL + CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for i, (preview, caption) in enumerate(previews):
        left, top = i % columns * CELL, i // columns * (CELL + CAPTION)
        with Image.open(preview) as image:
            image.thumbnail((CELL - 8, CELL - 8))
            sheet.paste(image, (left + (CELL - image.width) // 2, top + (CELL - image.height) // 2))
        for line, text in enumerate(caption.splitlines()[:2]):
            while text and draw.textlength(text, font) > CELL - 8:
                text = text[:-1]
            draw.text((left + 4, top + CELL + line * 15), text, fill="black", font=font)
    _save(sheet, path)


def _save(image: Image.Image, path: Path) -> None:
    with whole_file(path) as temporary:
        image.save(temporary, format="JPEG", quality=88)
