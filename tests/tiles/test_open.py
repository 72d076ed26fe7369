"""Runs of rows of an open source: nothing depends on how long they are, and odd tiles are beside the batch."""

import gc
import weakref

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.tiles import TileSource, decode_tile
from registry.errors import UserError

N = 24


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Tiles of files and arrays, of three sizes, of which some cannot be read."""
    folder, rng = tmp_path_factory.mktemp("mixed"), np.random.default_rng(0)
    with h5py.File(folder / "x.h5", "w") as file:
        file["x"] = rng.integers(0, 256, (8, 12, 10, 3), dtype=np.uint8)
    paths, indices = [], []
    for i in range(N):
        shape = [(12, 10), (12, 10), (9, 7)][i % 3]
        pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        path = folder / f"{i}.{'jpg' if i % 2 else 'png'}"
        Image.fromarray(pixels).save(path)
        if i in (0, 5, 13):
            path.write_bytes(path.read_bytes()[:60])
        in_array = 8 <= i < 12 or i in (16, 18)
        paths.append(str(folder / "x.h5") if in_array else str(path))
        indices.append(i - 8 if in_array else -1)
    return TileSource([str(i) for i in range(N)], paths, indices)


def one_by_one(source):
    tiles, errors = {}, {}
    for row, (path, index) in enumerate(zip(source.paths, source.indices, strict=True)):
        try:
            tiles[row] = decode_tile(path, index)
        except UserError as error:
            errors[row] = str(error)
    return tiles, errors


def read(source, run):
    """Every row of a source, read in runs of this length."""
    tiles, errors = {}, {}
    with source.open() as opened:
        for start in range(0, len(source), run):
            rows = range(start, min(start + run, len(source)))
            out = np.zeros((len(rows), *opened.shape, 3), np.uint8)
            found = opened.read_into(out, rows)
            assert not found.unreadable.keys() & found.other_size.keys()
            errors |= {row: str(error) for row, error in found.unreadable.items()}
            tiles |= dict(found.other_size)
            tiles |= {row: out[i] for i, row in enumerate(rows) if row not in tiles and row not in errors}
        return opened.shape, tiles, errors


@settings(max_examples=25)
@example(run=1, part=[16, 17])  # a row behind the end of its array
@given(run=st.integers(1, N), part=st.tuples(st.integers(0, N), st.integers(0, N)).map(sorted))
def test_what_is_read_does_not_depend_on_the_runs(mixed, run, part):
    source = mixed.part(*part)
    expected, errors = one_by_one(source)
    shape, tiles, found = read(source, run)
    assert found == errors
    assert tiles.keys() == expected.keys()
    for row, tile in tiles.items():
        np.testing.assert_array_equal(tile, expected[row])
    assert shape == (expected[min(expected)].shape[:2] if expected else (0, 0))


def test_a_source_of_which_nothing_can_be_read_says_so_for_every_row(tmp_path):
    paths = [str(tmp_path / f"{i}.jpg") for i in range(3)]
    with TileSource(list("abc"), paths, [-1] * 3).open() as tiles:
        assert tiles.shape == (0, 0)
        found = tiles.read_into(np.empty((3, 0, 0, 3), np.uint8), range(3))
    assert [f"{row}.jpg cannot be read" in str(error) for row, error in found.unreadable.items()] == [True] * 3


def test_errors_do_not_keep_the_batch_alive(mixed, tmp_path):
    (tmp_path / "text.h5").write_text("not HDF5")
    paths, indices = [*mixed.paths, str(tmp_path / "text.h5")], [*mixed.indices, 3]
    with TileSource([str(i) for i in range(N + 1)], paths, indices).open() as tiles:
        batch = np.zeros((N + 1, *tiles.shape, 3), np.uint8)
        alive = weakref.ref(batch)
        found = tiles.read_into(batch, range(N + 1))
        del batch
        gc.collect()
        tiles.read_into(np.zeros((1, *tiles.shape, 3), np.uint8), range(N, N + 1))
        assert alive() is None
    assert sorted(found.unreadable) == [0, 5, 13, 16, 18, N]


def test_the_tile_that_gives_the_size_is_decoded_once(tmp_path, monkeypatch):
    from bench.tiles import reading

    decoded, plain = [], reading.read_image_into
    monkeypatch.setattr(
        reading, "read_image_into", lambda out, path, *look: decoded.append(path) or plain(out, path, *look)
    )
    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for path in paths:
        Image.fromarray(np.full((4, 5, 3), len(path), np.uint8)).save(path)
    with TileSource(list("abc"), paths, [-1] * 3).open() as tiles:
        tiles.read_into(np.empty((3, 4, 5, 3), np.uint8), range(3))
    assert decoded == paths
