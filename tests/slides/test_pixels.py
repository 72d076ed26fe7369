"""The direct path against OpenSlide, bit for bit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import openslide
import pytest
import tifffile

from bench.slides import open_slide
from bench.slides.direct import TiffPixels


class Oracle:
    """OpenSlide's own pixels of each level, read at once from the corner, where its coordinates are exact."""

    def __init__(self, path: Path):
        with openslide.OpenSlide(str(path)) as slide:
            self.levels = [
                np.asarray(slide.read_region((0, 0), level, size)) for level, size in enumerate(slide.level_dimensions)
            ]
        for rgba in self.levels:
            assert set(np.unique(rgba[..., 3])) <= {0, 255}

    def read(self, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
        rgba = self.levels[level]
        out = np.full((height, width, 3), 255, np.uint8)
        h, w = rgba.shape[:2]
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, w), min(y + height, h)
        if x1 > x0 and y1 > y0:
            part = rgba[y0:y1, x0:x1]
            out[y0 - y : y1 - y, x0 - x : x1 - x] = np.where(part[..., 3:] == 255, part[..., :3], 255)
        return out


def assert_same_pixels(path: Path, tile: int, mpp: float | None = None, random: int = 200) -> None:
    oracle = Oracle(path)
    rng = np.random.default_rng(1)
    with open_slide(path, mpp) as slide:
        assert slide.reader == "direct"
        assert isinstance(slide._pixels, TiffPixels)
        assert all(table is not None for table in slide._pixels.tables)
        slide._pixels.oracle = None  # nothing may be left to it
        assert slide.level_dimensions == [level.shape[1::-1] for level in oracle.levels]
        for level, (width, height) in enumerate(slide.level_dimensions):
            for y in range(0, height, tile):
                for x in range(0, width, tile):
                    window = (x, y, level, tile, tile)
                    np.testing.assert_array_equal(slide.read_region(*window), oracle.read(*window), str(window))
        for _ in range(random):
            level = int(rng.integers(len(slide.level_dimensions)))
            width, height = slide.level_dimensions[level]
            w, h = rng.integers(1, 600, 2).tolist()
            window = (int(rng.integers(-50, width)), int(rng.integers(-50, height)), level, w, h)
            np.testing.assert_array_equal(slide.read_region(*window), oracle.read(*window), str(window))


def test_real_svs(shared: Path) -> None:
    assert_same_pixels(shared / "data/slides/CMU-1-Small-Region.svs", 240)


def test_real_svs_window_by_window(shared: Path) -> None:
    path = shared / "data/slides/CMU-1-Small-Region.svs"
    rng = np.random.default_rng(2)
    with open_slide(path) as slide, openslide.OpenSlide(str(path)) as oracle:
        width, height = slide.dimensions
        for _ in range(60):
            x, y = int(rng.integers(0, width - 20)), int(rng.integers(0, height - 20))
            w, h = min(256, width - x), min(256, height - y)
            expected = np.asarray(oracle.read_region((x, y), 0, (w, h)).convert("RGB"))
            np.testing.assert_array_equal(slide.read_region(x, y, 0, w, h), expected)


@pytest.mark.slow
def test_real_jpeg_2000(shared: Path) -> None:
    assert_same_pixels(shared / "data/slides/tcga-cr-7395-01a-01-ts1.svs", 256, mpp=0.5, random=25)


@pytest.mark.parametrize(
    ("photometric", "subsampling"),
    [("ycbcr", (2, 2)), ("ycbcr", (2, 1)), ("ycbcr", (1, 1)), ("rgb", None)],
)
def test_pyramid_of_odd_sizes(tmp_path, tissue, write_pyramid, photometric, subsampling) -> None:
    path = tmp_path / "odd.tif"
    if photometric == "rgb":
        _write_rgb(path, tissue[:1733, :2111])
    else:
        write_pyramid(path, tissue[:1733, :2111], (1, 2, 3.9), subsampling=subsampling)
    assert_same_pixels(path, 256, random=60)


def _write_rgb(path: Path, base: np.ndarray) -> None:
    """One level of JPEG tiles that hold RGB and share their tables, as Aperio writes them."""
    tiles, tables = [], b""
    for y in range(0, base.shape[0], 240):
        for x in range(0, base.shape[1], 240):
            part = base[y : y + 240, x : x + 240]
            part = np.pad(part, ((0, 240 - part.shape[0]), (0, 240 - part.shape[1]), (0, 0)), mode="edge")
            stream = imagecodecs.jpeg8_encode(
                np.ascontiguousarray(part), level=85, colorspace="RGB", outcolorspace="RGB"
            )
            tables, abbreviated = _split_tables(stream)
            tiles.append(abbreviated)
    with tifffile.TiffWriter(path) as out:
        out.write(
            iter(tiles),
            shape=base.shape,
            dtype=np.uint8,
            tile=(240, 240),
            photometric="rgb",
            compression="jpeg",
            resolution=(4e4, 4e4),
            resolutionunit="CENTIMETER",
            extratags=[(347, 7, len(tables), tables, True)],
            metadata=None,
        )


def _split_tables(stream: bytes) -> tuple[bytes, bytes]:
    """A JPEG's quantisation and Huffman tables as a stream of their own, and the rest, without a colour marker."""
    tables, rest, at = b"\xff\xd8", b"\xff\xd8", 2
    while stream[at + 1] != 0xDA:
        length = int.from_bytes(stream[at + 2 : at + 4]) + 2
        segment = stream[at : at + length]
        if segment[1] in (0xDB, 0xC4):
            tables += segment
        elif segment[1] not in (0xE0, 0xEE):
            rest += segment
        at += length
    return tables + b"\xff\xd9", rest + stream[at:]


def test_sparse_tiles_are_white_as_openslide_paints_them(tmp_path, tissue, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "sparse.tif", tissue[:1500, :1500], missing=lambda r, c: (r + c) % 2 == 1)
    assert_same_pixels(path, 256, random=50)


def test_general_path_gives_the_same(tmp_path, tissue, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "a.tif", tissue[:1024, :1024], (1, 4))
    with open_slide(path) as fast, open_slide(path, direct=False) as general:
        assert (fast.reader, general.reader) == ("direct", "openslide")
        for window in [(0, 0, 0, 256, 256), (100, 37, 0, 300, 200), (-5, 900, 0, 64, 300), (11, 13, 1, 200, 240)]:
            np.testing.assert_array_equal(fast.read_region(*window), general.read_region(*window))


def test_threads_see_the_same_pixels(tmp_path, tissue, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "a.tif", tissue[:1500, :1500])
    windows = [(x, y, 0, 300, 300) for y in range(0, 1200, 170) for x in range(0, 1200, 170)]
    with open_slide(path) as slide:
        alone = [slide.read_region(*w) for w in windows]
        slide._pixels._decoded.__init__(3 << 20)
        slide._pixels._decoded.hold = lambda wanted: None  # so small that threads throw out each other's tiles
        with ThreadPoolExecutor(8) as pool:
            for expected, got in zip(alone, pool.map(lambda w: slide.read_region(*w), windows), strict=True):
                np.testing.assert_array_equal(got, expected)


def test_disagreement_leaves_the_slide_to_openslide(tmp_path, tissue, write_pyramid) -> None:
    """A file whose tag says RGB while its JPEG says YCbCr by a JFIF marker: OpenSlide believes the tag."""
    path = write_pyramid(tmp_path / "a.tif", tissue[:600, :600], subsampling=(1, 1))
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["PhotometricInterpretation"].overwrite(2)
    oracle = Oracle(path)
    with open_slide(path) as slide:
        assert slide.reader == "openslide"
        np.testing.assert_array_equal(slide.read_region(10, 20, 0, 300, 300), oracle.read(10, 20, 0, 300, 300))


def test_plain_tiff_that_openslide_refuses(shared: Path) -> None:
    path = shared / "data/slides/kidney-48-5.tif"
    whole = tifffile.imread(path)
    with open_slide(path, 0.5) as slide:
        assert (slide.reader, slide.dimensions) == ("tifffile", (1493, 901))
        np.testing.assert_array_equal(slide.read_region(700, 300, 0, 256, 256), whole[300:556, 700:956])
        assert (slide.read_region(1400, 800, 0, 256, 256)[101:] == 255).all()
        assert slide.thumbnail(8.0).shape == (56, 93, 3)


@pytest.mark.parametrize("compression", ["zstd", "lzw", "webp", None])
def test_other_codecs(tmp_path, tissue, write_pyramid, compression) -> None:
    path = write_pyramid(tmp_path / "a.tif", tissue[:700, :700], compression=compression, quality=None)
    with open_slide(path) as slide:
        got = slide.read_region(3, 5, 0, 697, 695)
    difference = np.abs(got.astype(int) - tissue[5:700, 3:700])
    assert difference.max() <= (60 if compression == "webp" else 0)


def test_thumbnail_is_an_area_average(tmp_path, tissue, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "a.tif", tissue[:2560, :2048], compression="deflate", quality=None)
    with open_slide(path) as slide:
        small = slide.thumbnail(8.0, threads=2)  # 32 px of level 0 to one
    expected = tissue[:2560, :2048].reshape(80, 32, 64, 32, 3).mean((1, 3))
    assert small.shape == (80, 64, 3)
    assert np.abs(small - expected).max() <= 1
