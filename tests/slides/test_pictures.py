"""Pictures of slides for people."""

from __future__ import annotations

import numpy as np
from PIL import Image

from bench.slides import find_tissue, from_coords, open_slide, plan, write_contact_sheet, write_preview
from bench.slides.preview import TILE


def test_preview_shows_outline_and_tiles(tmp_path, tissue, write_pyramid) -> None:
    with open_slide(write_pyramid(tmp_path / "a.tif", tissue)) as slide:
        found = find_tissue(slide)
        grid = plan(slide, 256, 0.5, tissue=found)
        write_preview(tmp_path / "p/a.jpg", slide, found, grid)
        none = from_coords(slide, np.zeros((0, 2), np.int64), (512.0, 512.0), 256)
        write_preview(tmp_path / "p/b.jpg", slide, None, none)
    marked, plain = (np.asarray(Image.open(tmp_path / "p" / n)).astype(int) for n in ("a.jpg", "b.jpg"))
    assert marked.shape == plain.shape
    assert max(marked.shape) <= 1600
    changed = np.abs(marked - plain).max(axis=2) > 60
    x, y = (grid.coords[0] * marked.shape[1] / 2220).astype(int)
    assert changed[y : y + 3, x + 3 : x + 10].any()
    assert 0.005 < changed.mean() < 0.3
    assert not list((tmp_path / "p").glob(".*"))
    write_contact_sheet(tmp_path / "sheet.jpg", [(tmp_path / "p/a.jpg", f"slide {i}\n12 tiles " * 9) for i in range(7)])
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.size == (5 * 320, 2 * 354)


def test_tiles_smaller_than_a_pixel_are_drawn(tmp_path, tissue, write_pyramid) -> None:
    """Such as 64 px at 0.25 mpp on a slide 50 mm long."""
    with open_slide(write_pyramid(tmp_path / "a.tif", tissue)) as slide:
        y, x = np.mgrid[100:500, 100:500]
        grid = from_coords(slide, np.stack([x.ravel(), y.ravel()], axis=1), (1.0, 1.0), 1)
        write_preview(tmp_path / "a.jpg", slide, None, grid)
    with Image.open(tmp_path / "a.jpg") as picture:
        scale = picture.width / 2220
        inside = picture.crop([round(n * scale) for n in (110, 110, 490, 490)])
    assert np.abs(np.asarray(inside).astype(int) - TILE).max() < 40
