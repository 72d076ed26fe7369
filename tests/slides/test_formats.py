"""Formats that OpenSlide reads, and slides too large for memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from dicom_file import write_dicom

from bench.slides import SlideTiles, open_slide, plan
from bench.tiles import read_batches
from registry.errors import UserError


def test_dicom(tmp_path, tissue) -> None:
    write_dicom(tmp_path / "a.dcm", tissue[1000:1600, :700], 0.25)
    with open_slide(tmp_path / "a.dcm") as slide:
        assert (slide.vendor, slide.reader, slide.dimensions, slide.mpp) == (
            "dicom",
            "openslide",
            (700, 600),
            (0.25, 0.25),
        )
        got = slide.read_region(0, 0, 0, 700, 600).astype(int)
        assert np.abs(got - tissue[1000:1600, :700]).mean() < 6
        grid = plan(slide, 224, 0.5)
        assert [b.tiles.shape for b in read_batches([SlideTiles(slide, grid)], 64, workers=1)] == [(1, 3, 224, 224)]


def test_dicom_label(tmp_path, tissue) -> None:
    write_dicom(tmp_path / "a.dcm", tissue[:300, :300], 0.25, image_type="LABEL")
    with pytest.raises(UserError, match=r"cannot be opened .* its label"):
        open_slide(tmp_path / "a.dcm")


LARGE = """
import re, sys
from pathlib import Path
from bench.slides import SlideTiles, find_tissue, open_slide, plan
from bench.tiles import read_batches
with open_slide(sys.argv[1]) as slide:
    assert slide.dimensions == (100_000, 80_000)
    tissue = find_tissue(slide, threads=2)
    grid = plan(slide, 256, 0.5, tissue=tissue)
    assert 400 < len(grid) < 900, len(grid)
    read = sum(len(b.rows) for b in read_batches([SlideTiles(slide, grid)], 64, workers=2))
    assert read == len(grid)
# not ru_maxrss, which starts from that of the process that started this one
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_a_large_slide_without_small_levels_stays_under_2_gb(tmp_path, tissue) -> None:
    """100,000 x 80,000 px in one level, of which the first tile and a square of 50 x 50 were written."""
    columns, rows = -(-100_000 // 256), -(-80_000 // 256)
    block = np.ascontiguousarray(tissue[1200:1456, 900:1156])
    tiles = (
        block if r + c == 0 or (r in range(100, 150) and c in range(200, 250)) else None
        for r in range(rows)
        for c in range(columns)
    )
    with tifffile.TiffWriter(tmp_path / "large.tif") as out:
        out.write(
            tiles, shape=(80_000, 100_000, 3), dtype=np.uint8, tile=(256, 256), photometric="rgb", compression="jpeg",
            resolution=(4e4, 4e4), resolutionunit="CENTIMETER", metadata=None,
        )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path / "large.tif")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) / 1024**2 < 2.0
