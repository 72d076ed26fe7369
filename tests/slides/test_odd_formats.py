"""Slides of formats that scanners and converters write seldom: read as they are, or refused for the true reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from dicom_file import write_dicom
from PIL import Image

from bench.slides import Slide, SlideTiles, find_tissue, open_slide, opening, plan
from bench.tiles import read_batches
from registry.errors import UserError

RESOLUTION = {"resolution": (4e4, 4e4), "resolutionunit": "CENTIMETER"}  # 0.25 mpp


def tiles_of(slide: Slide) -> np.ndarray:
    batches = list(read_batches([SlideTiles(slide, plan(slide, 128, 0.25))], 8, workers=2))
    assert not any(batch.unreadable for batch in batches)
    return np.concatenate([batch.tiles.permute(0, 2, 3, 1).numpy() for batch in batches])


def expected_tiles(base: np.ndarray) -> np.ndarray:
    rows, columns = base.shape[0] // 128, base.shape[1] // 128
    return np.stack(
        [base[r * 128 : r * 128 + 128, c * 128 : c * 128 + 128] for r in range(rows) for c in range(columns)]
    )


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
@pytest.mark.parametrize("rows", [64, 100])
def test_jpeg_strips(tmp_path, tissue, photometric, rows) -> None:
    base = tissue[1000:1400, :520]
    stored = base if photometric == "rgb" else np.asarray(Image.fromarray(base).convert("YCbCr"))
    tifffile.imwrite(tmp_path / "a.tif", stored, rowsperstrip=rows, photometric=photometric, compression="jpeg",
                     compressionargs={"level": 95}, metadata=None, **RESOLUTION)  # fmt: skip
    with open_slide(tmp_path / "a.tif") as slide:
        assert (slide.dimensions, slide.mpp) == ((520, 400), (0.25, 0.25))
        got = slide.read_region(0, 0, 0, 520, 400)
        assert np.abs(got.astype(int) - base).mean() < 4
        np.testing.assert_array_equal(tiles_of(slide), expected_tiles(got))
        find_tissue(slide)


@pytest.mark.parametrize("tile", [None, (128, 128)], ids=["strips", "tiles"])
@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd"])
def test_planes_of_colours(tmp_path, tissue, compression, tile) -> None:
    base = tissue[1000:1400, :520]
    shape = {"tile": tile} if tile else {"rowsperstrip": 64}
    tifffile.imwrite(tmp_path / "a.tif", base.transpose(2, 0, 1), photometric="rgb", planarconfig="separate",
                     compression=compression, metadata=None, **shape, **RESOLUTION)  # fmt: skip
    with open_slide(tmp_path / "a.tif") as slide:
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, 520, 400), base)
        np.testing.assert_array_equal(tiles_of(slide), expected_tiles(base))


@pytest.mark.parametrize("tile", [None, (128, 128)], ids=["strips", "tiles"])
@pytest.mark.parametrize("alpha", ["unassalpha", "unspecified"])
def test_a_fourth_channel(tmp_path, tissue, alpha, tile) -> None:
    """Transparency is laid over white; a fourth channel of no meaning counts as nothing."""
    base = tissue[1000:1400, :520]
    cover = np.full(base.shape[:2], 255, np.uint8)
    cover[:, 260:] = 0
    shape = {"tile": tile} if tile else {"rowsperstrip": 64}
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([base, cover]), photometric="rgb", extrasamples=[alpha],
                     compression="deflate", metadata=None, **shape, **RESOLUTION)  # fmt: skip
    with open_slide(tmp_path / "a.tif") as slide:
        got = slide.read_region(0, 0, 0, 520, 400)
        np.testing.assert_array_equal(got[:, :260], base[:, :260])
        if slide.reader == "tifffile":
            np.testing.assert_array_equal(got[:, 260:], 255 if alpha == "unassalpha" else base[:, 260:])


@pytest.mark.parametrize("compression", ["lzw", "deflate", "zstd", None])
def test_pyramids_of_lossless_ome_tiff(tmp_path, tissue, compression) -> None:
    base = np.ascontiguousarray(tissue[1000:2024, :1536])
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as out:
        how = {"tile": (256, 256), "photometric": "rgb", "compression": compression}
        out.write(base, subifds=1, metadata={"axes": "YXS"}, **how, **RESOLUTION)
        out.write(np.ascontiguousarray(base[::4, ::4]), subfiletype=1, **how)
    with open_slide(path) as slide:
        assert slide.level_dimensions == [(1536, 1024), (384, 256)]
        np.testing.assert_array_equal(slide.read_region(100, 100, 0, 700, 500), base[100:600, 100:800])
        np.testing.assert_array_equal(slide.read_region(0, 0, 1, 384, 256), base[::4, ::4])


def test_planar_strips_of_bio_formats(shared) -> None:
    path = shared / "data/slides_odd/qupath_cells.ome.tif"
    with open_slide(path, 0.5) as slide:
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, 93, 131), np.moveaxis(tifffile.imread(path), 0, -1))


def test_the_label_of_a_vsi_is_no_slide(shared) -> None:
    for mpp in (None, 0.5):
        with pytest.raises(UserError, match=r"ets_jp2k.vsi is an Olympus VSI, which holds the label .* convert it"):
            open_slide(shared / "data/slides_odd/ets_jp2k.vsi", mpp)


def test_fluorescence_in_an_ndpi(shared) -> None:
    for mpp in (None, 0.5):
        with pytest.raises(UserError, match=r"dapi.ndpi is a fluorescence scan \(filter DAPI 2 \(387\), 455 nm\)"):
            open_slide(shared / "data/slides_odd/dapi.ndpi", mpp)


def test_dicom_without_what_openslide_needs(shared) -> None:
    with pytest.raises(UserError, match=r"small_dicom.dcm is a DICOM file .*Couldn't get image flavor.*convert it"):
        open_slide(shared / "data/slides_odd/small_dicom.dcm")


def test_a_coarse_dicom_says_its_resolution(tmp_path, tissue) -> None:
    write_dicom(tmp_path / "a.dcm", tissue[1000:1600, :700], 16.0)
    with pytest.raises(UserError, match=r"says 16 micrometres per pixel \(openslide.mpp\)") as caught:
        open_slide(tmp_path / "a.dcm")
    assert "does not say" not in str(caught.value)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ('Unrecognized subblock dimension "Z"', "focal planes"),
        ('Unrecognized subblock dimension "T"', "points in time"),
        ("Nonzero subblock channel 1", "several channels"),
        ("Pixel type Gray16 is not supported", "Gray16"),
        ("JPEG XR compression is not supported", "JPEG XR"),
    ],
)
def test_a_czi_that_openslide_cannot_open(tmp_path, monkeypatch, reason, words) -> None:
    (tmp_path / "a.czi").write_bytes(bytes(100))

    def fails(path: str) -> None:
        raise openslide.OpenSlideError(reason)

    monkeypatch.setattr(openslide.OpenSlide, "detect_format", lambda path: "zeiss")
    monkeypatch.setattr(opening, "OpenSlidePixels", fails)
    with pytest.raises(UserError, match=rf"a.czi .*{words}.*") as caught:
        open_slide(tmp_path / "a.czi")
    assert "label" not in str(caught.value)


@pytest.mark.parametrize("where", ["screening.full_series", "_with_openslide", "true_mpp"])
@pytest.mark.parametrize("error", [AssertionError(), ZeroDivisionError("division by zero"), MemoryError()])
def test_any_error_of_a_slide_names_it(tmp_path, tissue, write_pyramid, monkeypatch, where, error) -> None:
    path = write_pyramid(tmp_path / "a.tif", tissue[:512, :512])

    def fails(*arguments: object, **options: object) -> None:
        raise error

    *modules, name = where.split(".")
    monkeypatch.setattr(getattr(opening, modules[0]) if modules else opening, name, fails)
    with pytest.raises(UserError, match=r"The slide .*a.tif cannot be read"):
        open_slide(path)


def test_any_error_of_a_tile_names_the_slide(tmp_path, tissue, write_pyramid, monkeypatch) -> None:
    path: Path = write_pyramid(tmp_path / "a.tif", tissue[:512, :512])
    with open_slide(path) as slide:
        tiles = SlideTiles(slide, plan(slide, 128, 0.25))

        def fails(*arguments: object) -> None:
            raise AssertionError

        monkeypatch.setattr(slide._pixels, "read_into", fails)
        [batch] = read_batches([tiles], 16, workers=1)
        assert len(batch.unreadable) == 16
        assert all("a.tif" in str(error) for error in batch.unreadable.values())
