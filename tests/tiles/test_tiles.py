import dataclasses

import h5py
import numpy as np
import pytest
from PIL import Image

from bench.tiles import TileSource, decode_tile, read_batches
from registry.errors import UserError


def write(path, pixels):
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
def test_image_formats(tmp_path, pixels, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path, **({"lossless": True} if suffix == "webp" else {}))
    read = decode_tile(str(path))
    assert read.shape == pixels.shape
    if suffix != "jpg":
        np.testing.assert_array_equal(read, pixels)


def test_transparency_lies_on_white(tmp_path, pixels):
    clear = np.concatenate([pixels, np.zeros((20, 24, 1), np.uint8)], axis=2)
    assert (decode_tile(write(tmp_path / "a.png", clear)) == 255).all()


def test_grey_becomes_rgb(tmp_path, pixels):
    read = decode_tile(write(tmp_path / "a.png", pixels[..., 0]))
    np.testing.assert_array_equal(read, np.repeat(pixels[..., :1], 3, axis=2))


@pytest.mark.parametrize("order", ["NHWC", "NCHW"])
def test_hdf5_rows(tmp_path, order):
    tiles = np.random.default_rng(0).integers(0, 256, (5, 8, 9, 3), dtype=np.uint8)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = tiles if order == "NHWC" else tiles.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(decode_tile(str(tmp_path / "x.h5"), 3), tiles[3])


def test_what_cannot_be_read_is_named(tmp_path, pixels):
    write(tmp_path / "whole.png", pixels)
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.png").write_text("not an image")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    for name in ("half.png", "text.png", "deep.png", "gone.png"):
        with pytest.raises(UserError, match=rf"{name} cannot be read .*on_corrupt=skip"):
            decode_tile(str(tmp_path / name))
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["y"] = np.zeros(3)
    with pytest.raises(UserError, match=r"none.h5 \(row 0\)"):
        decode_tile(str(tmp_path / "none.h5"), 0)


def make_source(folder, n, shape=(12, 12)):
    rng = np.random.default_rng(1)
    paths = [
        write(
            folder / f"{i}.png",
            rng.integers(0, 256, (*(shape if isinstance(shape, tuple) else shape[i % 2]), 3), np.uint8),
        )
        for i in range(n)
    ]
    return TileSource([str(i) for i in range(n)], paths, [-1] * n)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
@pytest.mark.parametrize("workers", [1, 3])
def test_batches_cover_the_range_in_order(tmp_path, batch_size, workers):
    source = make_source(tmp_path, 11)
    batches = list(read_batches([source.part(2, 11)], batch_size, workers=workers))
    assert np.concatenate([b.rows for b in batches]).tolist() == list(range(9))
    for batch in batches:
        for row, tile in zip(batch.rows, batch.tiles, strict=True):
            np.testing.assert_array_equal(tile.permute(1, 2, 0).numpy(), decode_tile(source.paths[2 + row]))


def test_mixed_sizes_come_apart(tmp_path):
    source = make_source(tmp_path, 6, [(8, 8), (9, 7)])
    batches = list(read_batches([source], 6, workers=2))
    assert sorted(b.rows.tolist() for b in batches) == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_corrupt_tiles_are_beside_their_batch_with_the_reason(tmp_path, batch_size):
    source = make_source(tmp_path, 6)
    for i in (3, 5):
        (tmp_path / f"{i}.png").write_bytes(b"")
    batches = list(read_batches([source.part(1, 6)], batch_size, workers=2))
    assert [row for b in batches for row in b.rows] == [0, 1, 3]
    assert all(len(b.rows) == len(b.tiles) for b in batches)
    unreadable = {row: error for b in batches for (_, row), error in b.unreadable.items()}
    assert unreadable.keys() == {2, 4}, "counted from where the part begins"
    for row, error in unreadable.items():
        assert isinstance(error, UserError)
        assert f"{row + 1}.png cannot be read" in str(error)


def test_digest_follows_the_content_not_the_place(tmp_path):
    import os
    import shutil

    (tmp_path / "a").mkdir()
    source = make_source(tmp_path / "a", 3)
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # keeps modification times
    moved = TileSource(source.ids, [p.replace("/a/", "/b/") for p in source.paths], source.indices)
    assert moved.digest() == source.digest()
    os.utime(tmp_path / "b" / "1.png", ns=(0, 1))
    assert moved.digest() != source.digest()
    assert TileSource(source.ids[::-1], source.paths[::-1], source.indices).digest() != source.digest()
    os.remove(tmp_path / "b" / "1.png")
    with pytest.raises(UserError, match=r"1\.png cannot be read"):
        moved.digest()


@pytest.mark.parametrize("alpha", [0, 1, 100, 200, 254, 255])
def test_a_tile_shows_as_much_of_the_white_behind_it_as_it_is_transparent(tmp_path, pixels, alpha):
    glassy = np.concatenate([pixels, np.full((20, 24, 1), alpha, np.uint8)], axis=2)
    expected = (pixels * (alpha / 255) + 255 * (1 - alpha / 255)).astype(float)
    np.testing.assert_allclose(decode_tile(write(tmp_path / "a.png", glassy)), expected, atol=1)


def test_a_batch_is_not_changed_by_those_who_get_it(tmp_path):
    for batch in read_batches([make_source(tmp_path, 4)], 2, workers=1):
        with pytest.raises(dataclasses.FrozenInstanceError):
            batch.rows = batch.rows + 1
