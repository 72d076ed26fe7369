"""Slides that the tests make for themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

WritePyramid = Callable[..., Path]


@pytest.fixture(scope="session")
def tissue(request: pytest.FixtureRequest) -> np.ndarray:
    """RGB pixels [2967, 2220, 3] of real tissue, or of noise in the colours of one where the real slide is absent."""
    real = Path(__file__).resolve().parents[3] / "shared/data/slides/CMU-1-Small-Region.svs"
    if real.is_file():
        with openslide.OpenSlide(str(real)) as slide:
            return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))
    rng = np.random.default_rng(0)
    stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    fields = [ndimage.gaussian_filter(rng.normal(size=(2967, 2220)), s) for s in (3.0, 9.0)]
    amount = np.stack([np.clip(0.25 + 0.12 * f / f.std(), 0, None) for f in fields], axis=-1)
    y, x = np.mgrid[:2967, :2220]
    amount[np.hypot((y - 1500) / 1300, (x - 1000) / 750) > 1] = 0
    return np.clip(243 * 10 ** -(amount @ stains), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def write_pyramid() -> WritePyramid:
    """Writes a tiled TIFF with levels of the given sizes, each level the base reduced by area."""

    def write(
        path: Path,
        base: np.ndarray,
        factors: tuple[float, ...] = (1,),
        *,
        tile: int = 256,
        mpp: float | None = 0.25,
        compression: str | None = "jpeg",
        quality: int | None = 80,
        photometric: str = "rgb",
        subsampling: tuple[int, int] | None = None,
        description: str | None = None,
        missing: Callable[[int, int], bool] | None = None,
    ) -> Path:
        with tifffile.TiffWriter(path) as out:
            for factor in factors:
                height, width = (int(n // factor) for n in base.shape[:2])
                level = np.asarray(Image.fromarray(base).resize((width, height), Image.Resampling.BOX))
                resolution = None if mpp is None else (1e4 / mpp / factor, 1e4 / mpp / factor)
                rows, columns = -(-height // tile), -(-width // tile)
                whole = np.pad(level, ((0, rows * tile - height), (0, columns * tile - width), (0, 0)), mode="edge")
                tiles = (
                    None
                    if missing and missing(r, c)
                    else np.ascontiguousarray(whole[r * tile : (r + 1) * tile, c * tile : (c + 1) * tile])
                    for r in range(rows)
                    for c in range(columns)
                )
                out.write(
                    tiles,
                    shape=level.shape,
                    dtype=np.uint8,
                    tile=(tile, tile),
                    photometric=photometric,
                    compression=compression,
                    compressionargs={"level": quality} if quality else None,
                    subsampling=subsampling,
                    resolution=resolution,
                    resolutionunit="CENTIMETER" if mpp else None,
                    subfiletype=1 if factor > 1 else 0,
                    description=description,
                    metadata=None,
                )
        return path

    return write
