"""Windows brought to the size of a tile: the cubic filter, and the averages that a JPEG decoder makes."""

from __future__ import annotations

import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import simplejpeg
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.slides import SlideTiles, UnreadableRegion, block_of, from_coords, open_slide, plan, tile_table
from bench.slides.pixels import block_means
from bench.slides.resampling import Resampler, resize_into
from bench.slides.tile_table import TileTable
from bench.tiles import read_batches

# Of a scaled decode from block means of all pixels, grey levels. Chroma at half the resolution is interpolated in a
# full decode and taken as it is in a scaled one, so that the largest differences are those of colour at sharp edges.
MEAN, LARGEST = 2.0, 45
# Where chroma is at full resolution, only the rounding of the inverse transforms and of their values beyond 0..255 is.
FULL_CHROMA_MEAN, FULL_CHROMA_LARGEST = 0.6, 20


@pytest.fixture(scope="module")
def path(tmp_path_factory, tissue, write_pyramid):
    """One level of 2,220 x 2,967 px in JPEG tiles of 256 px with chroma at half the resolution."""
    return write_pyramid(tmp_path_factory.mktemp("slides") / "a.tif", tissue, subsampling=(2, 2))


@pytest.fixture(scope="module")
def level(path) -> np.ndarray:
    with open_slide(path) as slide:
        return slide.read_region(0, 0, 0, *slide.dimensions)


def differences(got: np.ndarray, expected: np.ndarray) -> tuple[float, int]:
    """Mean and largest, grey levels."""
    difference = np.abs(got.astype(int) - expected)
    return float(difference.mean()), int(difference.max())


@pytest.mark.parametrize("window", [(513, 513), (300, 290), (128, 128), (257, 255)])
def test_the_exact_filter_gives_the_bits_of_interpolate(tissue, window) -> None:
    pixels = np.ascontiguousarray(tissue[900 : 900 + window[1], 700 : 700 + window[0]])
    source = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(source, size=(256, 256), mode="bicubic", antialias=True)
    batch = np.zeros((3, 256, 256, 3), np.uint8)
    resize_into(batch[1], pixels)
    np.testing.assert_array_equal(batch[1], expected[0].permute(1, 2, 0).numpy())
    assert not batch[[0, 2]].any()


@pytest.mark.parametrize(
    ("window", "block"),
    [
        ((300, 300), 1),
        ((487, 487), 1),
        ((488, 488), 2),
        ((507, 507), 2),
        ((563, 563), 2),
        ((1024, 1024), 4),
        ((1024, 512), 2),
        ((4096, 4096), 8),
    ],
)
def test_the_block_is_the_largest_that_leaves_the_detail(window, block) -> None:
    assert block_of(window, 256) == block


def test_unresampled_windows_are_the_same_bits_either_way(path) -> None:
    with open_slide(path) as slide:
        grid = plan(slide, 256, 0.25)
        for row in (0, 40, 87):
            fast = SlideTiles(slide, grid, "fast").tile(row)
            np.testing.assert_array_equal(fast, SlideTiles(slide, grid).tile(row))


@pytest.mark.parametrize("mpp", [0.5, 1.0, 2.0])
def test_multiples_are_pils_reduce(path, level, mpp) -> None:
    with open_slide(path) as slide:
        grid = plan(slide, 128, mpp)
        block = round(mpp / 0.25)
        assert grid.window == (128 * block, 128 * block)
        for row, (x, y) in enumerate(grid.coords.tolist()):
            window = level[y : y + 128 * block, x : x + 128 * block]
            expected = np.asarray(Image.fromarray(window).reduce(block))
            mean, largest = differences(SlideTiles(slide, grid, "fast").tile(row), expected)
            assert mean <= MEAN
            assert largest <= LARGEST


@settings(max_examples=30, deadline=None)
@given(st.integers(200, 1100), st.integers(60, 260), st.integers(0, 1000), st.integers(0, 1000))
@example(507, 256, 1000, 1000)
def test_any_place_and_factor_is_pils_reduce_and_resize(path, level, side, size, right, down) -> None:
    """Blocks by PIL from the level's corner, those nearest to the window, and PIL's cubic filter for the rest."""
    height, width = level.shape[:2]
    x, y = round((width - side) * right / 1000), round((height - side) * down / 1000)
    with open_slide(path) as slide:
        resampler = Resampler(slide, 0, (side, side), size, "fast")
        got = np.empty((size, size, 3), np.uint8)
        resampler.read_into(got, x, y)
    block, crop = resampler.block, resampler.crop[0]
    picture = Image.fromarray(level)
    small = np.asarray(picture.reduce(block) if block > 1 else picture)
    u, v = (resampler._nearest(*place) if block > 1 else place[0] for place in ((x, width, 0), (y, height, 1)))
    expected = Image.fromarray(small[v : v + crop, u : u + crop]).resize((size, size), Image.Resampling.BICUBIC)
    mean, largest = differences(got, np.asarray(expected))
    assert mean <= MEAN + 0.1
    assert largest <= LARGEST + 10


@settings(deadline=None)
@given(st.integers(1, 400), st.floats(1.0, 20.0), st.integers(0, 3000), st.integers(0, 3000))
@example(256, 511 / 256, 0, 0)  # twice the tile to half a percent, and no pixel more on the level
def test_what_is_read_lies_on_the_level_and_its_middle_near_the_windows(size, factor, before, after) -> None:
    side = round(size * factor)
    length = before + side + after
    reads = []
    slide = types.SimpleNamespace(
        level_dimensions=[(length, length)], read_into=lambda out, *place: reads.append((out.shape, *place))
    )
    resampler = Resampler(slide, 0, (side, side), size, "fast")
    resampler.read_into(np.zeros((size, size, 3), np.uint8), before, before)
    ((shape, x, y, _, block),) = reads
    crop = resampler.crop[0]
    assert (x, block, shape) == (y, resampler.block, (crop, crop, 3))
    assert x >= 0
    assert (x + crop) * block <= length
    assert 0 <= side - crop * block < max(block, 0.005 * side + 1)
    if block == 1:
        assert (x, crop) == (before, side)
    else:
        ends_within_a_block = before + side > length // block * block
        shift = abs((x + crop / 2) * block - (before + side / 2))
        assert shift <= (block if ends_within_a_block else block / 2)


@pytest.mark.parametrize("mpp", [0.495, 0.5, 0.55, 1.05])
def test_a_tile_is_the_same_in_any_order_and_thread(path, mpp) -> None:
    with open_slide(path) as one, open_slide(path) as two:
        grid = plan(one, 224, mpp)
        tiles, again = SlideTiles(one, grid, "fast"), SlideTiles(two, grid, "fast")
        assert tiles._resampler.block > 1
        expected = [tiles.tile(row) for row in range(len(grid))]
        order = np.random.default_rng(0).permutation(len(grid)).tolist()
        with ThreadPoolExecutor(4) as pool:
            for row, got in zip(order, pool.map(again.tile, order), strict=True):
                np.testing.assert_array_equal(got, expected[row])
        batch = next(read_batches([SlideTiles(two, grid, "fast")], 20, workers=3))
        np.testing.assert_array_equal(batch.tiles.permute(0, 2, 3, 1).numpy(), expected[:20])


def test_a_window_that_is_longer_one_way_is_reduced_by_the_same_blocks_both_ways(path, level) -> None:
    with open_slide(path) as slide:
        resampler = Resampler(slide, 0, (507, 640), 256, "fast")
        got = np.empty((256, 256, 3), np.uint8)
        resampler.read_into(got, 1000, 800)
    assert (resampler.block, resampler.crop) == (2, (253, 320))
    window = Image.fromarray(block_means(level, 2)[400:720, 500:753])
    mean, largest = differences(got, np.asarray(window.resize((256, 256), Image.Resampling.BICUBIC)))
    assert mean <= MEAN
    assert largest <= LARGEST


def test_both_ways_and_all_blocks_share_a_cache_and_no_tile_of_it(path) -> None:
    with open_slide(path) as shared:
        for mpp in (0.5, 1.0, 0.5):
            for way in ("fast", "exact", "fast"):
                grid = plan(shared, 128, mpp)
                with open_slide(path) as alone:
                    expected = SlideTiles(alone, grid, way).tile(9)
                np.testing.assert_array_equal(SlideTiles(shared, grid, way).tile(9), expected)


@pytest.mark.parametrize("mpp", [0.5, 0.55])
def test_other_readers_give_the_same_averages(path, tmp_path, tissue, write_pyramid, mpp) -> None:
    """OpenSlide in place of the direct reader, and a codec that has no scaled decoding."""
    plain = write_pyramid(tmp_path / "plain.tif", tissue, compression="deflate", quality=None)
    with open_slide(path) as direct, open_slide(path, direct=False) as general, open_slide(plain) as lossless:
        grid = plan(direct, 256, mpp)
        for row in range(0, len(grid), 3):
            expected = SlideTiles(direct, grid, "fast").tile(row)
            mean, largest = differences(SlideTiles(general, grid, "fast").tile(row), expected)
            assert mean <= MEAN
            assert largest <= LARGEST
        x, y = grid.coords[4].tolist()
        if mpp == 0.5:
            reduced = np.asarray(Image.fromarray(tissue[y : y + 512, x : x + 512]).reduce(2))
            np.testing.assert_array_equal(SlideTiles(lossless, grid, "fast").tile(4), reduced)


def test_a_level_that_ends_within_a_block_or_within_the_first_pixels_of_a_tile(tmp_path, tissue, write_pyramid) -> None:
    for width, height in ((769, 775), (771, 768)):
        made = write_pyramid(tmp_path / f"{width}.tif", tissue[1000 : 1000 + height, 700 : 700 + width])
        with open_slide(made) as slide:
            full = slide.read_region(0, 0, 0, width, height)
            for block in (2, 4, 8):
                got = np.empty((height // block, width // block, 3), np.uint8)
                slide.read_into(got, 0, 0, 0, block)
                expected = block_means(full[: height // block * block, : width // block * block], block)
                mean, largest = differences(got, expected)
                assert mean <= MEAN
                assert largest <= LARGEST
                beyond = np.empty((20, 20, 3), np.uint8)
                slide.read_into(beyond, width // block, height // block - 10, 0, block)
                assert (beyond == 255).all()


def test_a_tile_that_the_decoder_refuses_comes_from_openslide(path, level, monkeypatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise ValueError("Corrupt JPEG data")

    height, width = level.shape[:2]
    got = np.empty((height // 2, width // 2, 3), np.uint8)
    with open_slide(path) as slide:
        monkeypatch.setattr(tile_table.simplejpeg, "decode_jpeg", refuse)
        slide.read_into(got, 0, 0, 0, 2)
    np.testing.assert_array_equal(got, block_means(level, 2)[: height // 2, : width // 2])


def test_a_corrupt_tile_is_named_and_its_neighbours_are_read(path, tmp_path) -> None:
    broken = tmp_path / "broken.tif"
    data = bytearray(path.read_bytes())
    with open_slide(path) as slide:
        table = slide._pixels.tables[0]
        at = int(table.offsets[3 * table.across + 4]) + int(table.counts[3 * table.across + 4]) // 2
    data[at : at + 600] = b"\xff\xd8" * 300
    broken.write_bytes(data)
    with open_slide(broken) as slide, open_slide(path) as sound:
        grid = plan(slide, 256, 0.5)
        failed = {}
        for batch in read_batches([SlideTiles(slide, grid, "fast")], 8, workers=2):
            failed |= {row: error for (_, row), error in batch.unreadable.items()}
        places = [tuple(grid.coords[row]) for row in failed]
        assert places == [(1024, 512)]
        error = next(iter(failed.values()))
        assert isinstance(error, UnreadableRegion)
        assert "corrupt at pixel (1024, 768) of level 0, 256 x 256 px" in str(error)
        neighbour = next(iter(failed)) + 1
        np.testing.assert_array_equal(
            SlideTiles(slide, grid, "fast").tile(neighbour), SlideTiles(sound, grid, "fast").tile(neighbour)
        )


def test_windows_over_the_edge_are_white_there(path) -> None:
    with open_slide(path) as slide:
        grid = from_coords(slide, np.array([[2220 - 256, 100], [-256, 100]]), (512.0, 512.0), 256)
        for row, outside in enumerate((np.s_[:, 128:], np.s_[:, :128])):
            tile = SlideTiles(slide, grid, "fast").tile(row)
            assert (tile[outside] == 255).all()
            assert (tile != 255).any()


def a_table(side: int, stored: int, block: int) -> tuple[TileTable | None, bytes, np.ndarray]:
    """The table of one tile of `side` px whose stream is of `stored` px, reduced; the stream; and its pixels."""
    decode, scaled = tile_table._jpeg_decoders(None, tile_table.YCBCR)
    pixels = np.random.default_rng(0).integers(90, 140, (stored // 10, stored // 10, 3), np.uint8).repeat(10, 0)
    pixels = np.ascontiguousarray(pixels.repeat(10, 1))
    stream = simplejpeg.encode_jpeg(pixels, quality=95)
    stream = stream[:2] + stream[20:]  # without the JFIF marker, as in a TIFF
    place = np.zeros(1, np.int64), np.array([len(stream)])
    table = TileTable(side, side, side, side, *place, decode, True, scaled)
    return table.reduced(block), stream, decode(stream, 0, None)


@pytest.mark.parametrize(("side", "stored"), [(240, 240), (240, 120), (120, 240)])
def test_a_stream_of_another_size_than_its_tile_is_reduced_all_the_same(side, stored) -> None:
    table, stream, full = a_table(side, stored, 2)
    assert table is not None
    got = table.decode(stream, 0, None)
    assert got.shape == (stored // 2, stored // 2, 3)
    assert differences(got, block_means(full, 2))[0] <= MEAN
    buffer = np.empty((side // 2, side // 2, 3), np.uint8)
    if side == stored:
        np.testing.assert_array_equal(table.decode(stream, 0, buffer), got)
        np.testing.assert_array_equal(buffer, got)
    else:
        with pytest.raises(ValueError, match="decodes to"):
            table.decode(stream, 0, buffer)


def test_tiles_that_blocks_do_not_fit_are_decoded_in_full() -> None:
    assert a_table(250, 250, 2)[0] is not None
    assert a_table(250, 250, 4)[0] is None


def test_the_real_svs(shared) -> None:
    """Tiles of 240 px at 0.499 mpp, chroma in full: windows of 513 px for tiles at 1 mpp."""
    path = shared / "data/slides/CMU-1-Small-Region.svs"
    with open_slide(path) as slide:
        grid = plan(slide, 256, 1.0)
        tiles = SlideTiles(slide, grid, "fast")
        assert (grid.window, tiles._resampler.block, tiles._resampler.crop) == ((513, 513), 2, (256, 256))
        full = slide.read_region(0, 0, 0, *slide.dimensions)
        for row, (x, y) in enumerate(grid.coords.tolist()):
            start = [tiles._resampler._nearest(at, slide.dimensions[axis], axis) for axis, at in enumerate((x, y))]
            assert max(abs(2 * s - at) for s, at in zip(start, (x, y), strict=True)) <= 1
            expected = block_means(full, 2)[start[1] : start[1] + 256, start[0] : start[0] + 256]
            mean, largest = differences(tiles.tile(row), expected)
            assert mean <= FULL_CHROMA_MEAN
            assert largest <= FULL_CHROMA_LARGEST
