"""A slide whose pixels are longer one way than the other shows what the same slide with square pixels shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from bench.slides import Slide, SlideTiles, coords_attributes, find_tissue, open_slide, plan, write_preview
from registry.errors import UserError

SQUARE = 0.25
UNLIKE = {"longer in x": (0.4, 0.25), "longer in y": (0.25, 0.4)}


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """RGB pixels [1536, 2304, 3]: smooth tissue in an ellipse on glass."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:1536, :2304]
    fields = [ndimage.zoom(rng.normal(size=(1536 // k, 2304 // k)), k, order=1) for k in (8, 16, 32)]
    density = np.clip(0.35 + 0.1 * np.stack(fields, axis=-1), 0.05, None) * (0.6, 1.0, 0.5)
    density[np.hypot((y - 700) / 600, (x - 1000) / 850) > 1] = 0
    return np.clip(243 * 10**-density, 0, 255).astype(np.uint8)


def write(path: Path, scene: np.ndarray, mpp: tuple[float, float]) -> Path:
    """The scene scanned at `mpp`, in three levels, as a TIFF that says so in its tags."""
    size = [round(n * SQUARE / m) for n, m in zip(scene.shape[1::-1], mpp, strict=True)]
    with tifffile.TiffWriter(path) as out:
        for factor in (1, 2, 8):
            level = Image.fromarray(scene).resize([n // factor for n in size], Image.Resampling.BOX)
            out.write(
                np.asarray(level),
                tile=(256, 256),
                photometric="rgb",
                compression="deflate",
                resolution=tuple(1e4 / m / factor for m in mpp),
                resolutionunit="CENTIMETER",
                subfiletype=int(factor > 1),
                metadata=None,
            )
    return path


@pytest.fixture(scope="module", params=UNLIKE.values(), ids=UNLIKE)
def both(request, scene, tmp_path_factory) -> tuple[Slide, Slide]:
    """The slide with square pixels and the other."""
    folder = tmp_path_factory.mktemp("axes")
    with (
        open_slide(write(folder / "square.tif", scene, (SQUARE, SQUARE))) as square,
        open_slide(write(folder / "unlike.tif", scene, request.param)) as unlike,
    ):
        assert unlike.mpp == pytest.approx(request.param, rel=1e-4)
        yield square, unlike


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in grey levels."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("mpp", [1.0, 8.0])
def test_thumbnail(both, mpp) -> None:
    square, unlike = (slide.thumbnail(mpp) for slide in both)
    assert difference(square, unlike) < 4


def test_levels(both) -> None:
    _, unlike = both
    for level in range(len(unlike.level_dimensions)):
        extent = np.array(unlike.level_dimensions[level]) * unlike.level_mpp(level)
        assert extent == pytest.approx(np.array(unlike.dimensions) * unlike.mpp)


@pytest.mark.parametrize(("size", "mpp", "overlap"), [(128, 0.5, 0), (100, 0.5, 30), (64, 1.1, 0)])
def test_tissue_tiles_and_their_pixels(both, size, mpp, overlap) -> None:
    tissues = [find_tissue(slide) for slide in both]
    inside = [tissue.mask for tissue in tissues]
    assert inside[0].shape == inside[1].shape
    assert (inside[0] & inside[1]).sum() > 0.97 * (inside[0] | inside[1]).sum()
    grids = [
        plan(slide, size, mpp, overlap=overlap, tissue=tissue, min_tissue=0)
        for slide, tissue in zip(both, tissues, strict=True)
    ]
    for slide, grid in zip(both, grids, strict=True):
        assert grid.mpp_true == pytest.approx((mpp, mpp), rel=0.01)
        said = coords_attributes(slide, grid)
        assert (said["level0_mpp_x"], said["level0_mpp_y"]) == slide.mpp
        assert (said["mpp_true_x"], said["mpp_true_y"]) == grid.mpp_true
        assert np.array(grid.window_level0) * slide.mpp == pytest.approx([size * mpp] * 2, rel=0.01)
    places = [grid.coords * slide.mpp for slide, grid in zip(both, grids, strict=True)]  # micrometres
    coarsest = np.max([slide.level_mpp(grid.level) for slide, grid in zip(both, grids, strict=True)], axis=0)
    distance = np.abs(places[0][:, None] - places[1]) / coarsest
    pairs = np.argwhere((distance <= 1).all(axis=2))
    assert len(pairs) > 0.95 * max(map(len, grids))
    assert len(pairs) >= 20
    square, unlike = (SlideTiles(slide, grid) for slide, grid in zip(both, grids, strict=True))
    for one, other in pairs:
        assert grids[0].tissue[one] == pytest.approx(grids[1].tissue[other], abs=0.06)
    for one, other in pairs[:: len(pairs) // 5]:
        assert difference(square.tile(one), unlike.tile(other)) < 5


def test_preview(both, tmp_path) -> None:
    pictures = []
    for slide in both:
        write_preview(tmp_path / f"{slide.name}.jpg", slide, find_tissue(slide), plan(slide, 256, 0.5))
        with Image.open(tmp_path / f"{slide.name}.jpg") as picture:
            assert picture.width / picture.height == pytest.approx(2304 / 1536, rel=0.01)
            pictures.append(np.asarray(picture.resize((360, 240), Image.Resampling.BOX)))
    assert difference(*pictures) < 5


def test_the_frame_of_a_tile_in_the_preview(both, tmp_path) -> None:
    """Where the preview with one tile differs from that with none, to within a block of JPEG."""
    for slide in both:
        grid = plan(slide, 256, 0.5)
        pictures = []
        for count in (0, 1):
            some = replace(grid, coords=grid.coords[:count], tissue=grid.tissue[:count])
            write_preview(tmp_path / "some.jpg", slide, None, some)
            with Image.open(tmp_path / "some.jpg") as picture:
                pictures.append(np.asarray(picture).astype(int))
        y, x = np.nonzero(np.abs(pictures[1] - pictures[0]).max(axis=2) > 40)
        frame = np.array(grid.window_level0) * pictures[0].shape[1::-1] / slide.dimensions
        np.testing.assert_allclose((x.min(), y.min(), x.max(), y.max()), (0, 0, *frame), atol=16)


def test_detail_is_not_made_up_in_either_direction(scene, tmp_path) -> None:
    for mpp in ((0.4, 0.25), (0.25, 0.4)):
        with open_slide(write(tmp_path / "unlike.tif", scene, mpp)) as slide:
            with pytest.raises(UserError, match=r"has 0\.4 microns per pixel"):
                plan(slide, 64, 0.3)
            assert plan(slide, 64, 0.4).level == 0
