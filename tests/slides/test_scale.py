"""True resolution: what is said, what is asked and what a tile shows."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.slides import SlideTiles, from_coords, open_slide, plan
from bench.slides.resolution import true_mpp
from bench.slides.tiling import _starts
from registry.errors import UserError

SCANNERS = (0.2201, 0.2526, 0.299, 0.325, 0.499)
RAMP = 8  # level-0 px per grey level


@pytest.fixture(scope="module")
def ramp() -> np.ndarray:
    """A ruler: red grows with x and green with y, a grey level every 8 px."""
    y, x = np.mgrid[:1500, :2000] // RAMP
    return np.stack([x, y, np.full_like(x, 128)], axis=-1).astype(np.uint8)


def shown(tile: np.ndarray) -> tuple[float, float]:
    """Level-0 pixels per pixel of a tile of the ruler in x and y, from a straight line through its greys."""
    at = np.arange(tile.shape[0])
    return (
        np.polyfit(at, tile[..., 0].mean(axis=0), 1)[0] * RAMP,
        np.polyfit(at, tile[..., 1].mean(axis=1), 1)[0] * RAMP,
    )


@pytest.mark.parametrize("mpp", SCANNERS)
@pytest.mark.parametrize("size", [224, 256])
def test_field_of_view_is_true(tmp_path, ramp, write_pyramid, mpp, size) -> None:
    path = write_pyramid(tmp_path / "ruler.tif", ramp, mpp=mpp, compression="deflate", quality=None)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx((mpp, mpp), rel=1e-5)
        grid = plan(slide, size, 0.5)
        tiles = SlideTiles(slide, grid)
        assert len(grid) > 0
        assert grid.mpp_true == pytest.approx((0.5, 0.5), rel=0.005)
        for row in (0, len(grid) // 2, len(grid) - 1):
            for pixels_per_pixel in shown(tiles.tile(row)):
                assert pixels_per_pixel * mpp * size == pytest.approx(size * 0.5, rel=0.005)


@pytest.mark.parametrize(("factor", "mpp"), [(3.9993, 0.125), (1.9995, 0.25), (2.65, 0.2)])
def test_factors_that_are_no_whole_numbers(tmp_path, ramp, write_pyramid, factor, mpp) -> None:
    path = write_pyramid(tmp_path / "ruler.tif", ramp, (1, factor), mpp=mpp, compression="deflate", quality=None)
    with open_slide(path) as slide:
        tiles = SlideTiles(slide, plan(slide, 128, mpp * factor * 1.3))
        assert tiles.grid.level == 1
        for row in range(len(tiles)):
            for pixels_per_pixel in shown(tiles.tile(row)):
                assert pixels_per_pixel == pytest.approx(factor * 1.3, rel=0.006)


def test_tile_shows_the_place_that_its_coordinates_name(tmp_path, ramp, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "ruler.tif", ramp, (1, 3.9993), mpp=0.125, compression="deflate", quality=None)
    with open_slide(path) as slide:
        tiles = SlideTiles(slide, plan(slide, 64, 0.5))
        assert tiles.grid.level == 1
        for row, (x, y) in enumerate(tiles.grid.coords):
            centre = tiles.tile(row)[30:34, 30:34].mean(axis=(0, 1)) * RAMP
            half = tiles.grid.window_level0[0] / 2
            assert centre[:2] == pytest.approx((x + half, y + half), abs=RAMP)


def test_pixels_differ_in_width_and_height(tmp_path, ramp, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "ruler.tif", ramp, mpp=0.25, compression="deflate", quality=None)
    with open_slide(path, mpp=(0.25, 0.3)) as slide:
        grid = plan(slide, 200, 0.5)
        assert grid.window == (400, 333)
        in_x, in_y = shown(SlideTiles(slide, grid).tile(0))
        assert (in_x * 0.25, in_y * 0.3) == pytest.approx((0.5, 0.5), rel=0.005)


def test_within_tolerance_pixels_are_taken_as_they_are(tmp_path, ramp, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "ruler.tif", ramp, mpp=0.499, compression="deflate", quality=None)
    with open_slide(path) as slide:
        grid = plan(slide, 256, 0.5)
        assert (grid.window, grid.factor, grid.mpp_asked) == ((256, 256), (1, 1), 0.5)
        assert grid.mpp_true == pytest.approx((0.499, 0.499), rel=1e-5)
        np.testing.assert_array_equal(SlideTiles(slide, grid).tile(1), ramp[:256, 257:513])


def test_detail_is_not_made_up_unasked(tmp_path, ramp, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "ruler.tif", ramp, mpp=0.499, compression="deflate", quality=None)
    with open_slide(path) as slide:
        with pytest.raises(UserError, match=r"0\.499 microns per pixel and tiles of 0\.25 .* tiling\.upsample=true"):
            plan(slide, 256, 0.25)
        grid = plan(slide, 256, 0.25, upsample=True)
        assert grid.window == (128, 128)
        assert shown(SlideTiles(slide, grid).tile(0))[0] == pytest.approx(0.5, rel=0.02)


@given(length=st.integers(1, 100_000), window=st.integers(1, 3000), step=st.floats(0.5, 3000, allow_nan=False))
@settings(max_examples=200)
def test_starts_never_drift_nor_leave_the_slide(length, window, step) -> None:
    starts = _starts(length, window, step)
    assert (starts >= 0).all()
    assert (starts + window <= length).all()
    assert np.abs(starts - np.arange(len(starts)) * step).max(initial=0) <= 0.5
    assert round(len(starts) * step) + window > length  # the next would not fit


def test_grid_of_another_program(tmp_path, ramp, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "ruler.tif", ramp, mpp=0.25, compression="deflate", quality=None)
    with open_slide(path) as slide:
        grid = from_coords(slide, np.array([[100, 50], [901, 333]]), (512.0, 512.0), 256)
        assert (grid.window, grid.mpp_true, grid.mpp_asked) == ((512, 512), (0.5, 0.5), 0.5)
        assert shown(SlideTiles(slide, grid).tile(1)) == pytest.approx((2, 2), rel=0.005)


# what says the resolution


def test_every_key_is_understood() -> None:
    assert true_mpp("s", {"openslide.mpp-x": "0.25", "openslide.mpp-y": "0.26"}, None, None)[0] == (0.25, 0.26)
    assert true_mpp("s", {"aperio.MPP": "0.2201"}, None, None) == ((0.2201, 0.2201), "aperio.MPP")
    assert true_mpp("s", {"openslide.comment": "Scanner X|MPP = 0.233|AppMag = 40"}, None, None)[0] == (0.233, 0.233)
    in_cm = {"tiff.XResolution": "40000", "tiff.YResolution": "32000", "tiff.ResolutionUnit": "centimeter"}
    assert true_mpp("s", in_cm, None, None) == ((0.25, 0.3125), "TIFF resolution")
    in_inch = {"tiff.XResolution": "101600", "tiff.YResolution": "101600", "tiff.ResolutionUnit": "inch"}
    assert true_mpp("s", in_inch, None, None)[0] == pytest.approx((0.25, 0.25))
    assert true_mpp("s", {"aperio.MPP": "0.25"}, None, 0.5) == ((0.5, 0.5), "given")


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"openslide.objective-power": "40"},  # a magnification is no resolution
        {"openslide.mpp-x": "352.8", "openslide.mpp-y": "352.8"},  # 72 dpi
        {"openslide.mpp-x": "0", "openslide.mpp-y": "0"},
        {"tiff.XResolution": "300", "tiff.YResolution": "300", "tiff.ResolutionUnit": "inch"},
        {"tiff.XResolution": "40000", "tiff.YResolution": "40000"},  # of what?
    ],
)
def test_no_resolution_names_the_column(properties) -> None:
    with pytest.raises(UserError, match="column `mpp`"):
        true_mpp("a.svs", properties, None, None)


@pytest.mark.parametrize("given", [0.0, -1.0, 40.0, float("nan")])
def test_given_resolution_must_be_a_slides(given) -> None:
    with pytest.raises(UserError, match="cannot be right"):
        true_mpp("a.svs", {}, None, given)


def test_real_slide_without_mpp_is_taken_with_one(shared) -> None:
    path = shared / "data/slides/tcga-cr-7395-01a-01-ts1.svs"
    with pytest.raises(UserError, match="column `mpp`"):
        open_slide(path)
    with open_slide(path, 0.25) as slide:
        assert (slide.mpp, slide.mpp_source) == ((0.25, 0.25), "given")


def test_ome_tiff(tmp_path, tissue) -> None:
    """OpenSlide sees the first level only; the pyramid and the resolution come from the file's own tables."""
    path, base = tmp_path / "a.ome.tif", tissue[:1024, :1280]
    options = {"tile": (256, 256), "compression": "jpeg", "photometric": "rgb"}
    with tifffile.TiffWriter(path, ome=True) as out:
        metadata = {"axes": "YXS", "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.26}
        out.write(base, subifds=1, metadata=metadata, **options)
        out.write(np.ascontiguousarray(base[::2, ::2]), subfiletype=1, **options)
    with open_slide(path) as slide, open_slide(path, direct=False) as oracle:
        assert slide.mpp == pytest.approx((0.25, 0.26))
        assert slide.level_dimensions == [(1280, 1024), (640, 512)]
        np.testing.assert_array_equal(slide.read_region(99, 88, 0, 700, 800), oracle.read_region(99, 88, 0, 700, 800))
        assert np.abs(slide.read_region(0, 0, 1, 640, 512).astype(int) - base[::2, ::2]).mean() < 3
