"""Rows of HDF5 arrays, read by slices."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.tiles import TileSource, decode_tile
from bench.tiles.arrays import IDLE_FILES

N = 23
LAYOUTS = {
    "plain": {},
    "chunks": {"chunks": (5, 4, 9, 3)},
    "gzip": {"chunks": (4, 8, 9, 3), "compression": "gzip", "shuffle": True},
}


def tiles_of(n=N, height=8, width=9):
    return np.random.default_rng(0).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def write(path, tiles, order="NHWC", layout="plain", **options):
    chunks = dict(LAYOUTS[layout])
    if order == "NCHW":
        tiles = tiles.transpose(0, 3, 1, 2)
        if "chunks" in chunks:
            chunks["chunks"] = tuple(chunks["chunks"][axis] for axis in (0, 3, 1, 2))
    with h5py.File(path, "w", **options) as file:
        file.create_dataset("x", data=tiles, **chunks)
    return str(path)


def rows_of(path, indices):
    return TileSource([str(i) for i in range(len(indices))], [path] * len(indices), indices)


def read(source, rows, shape=None):
    with source.open() as tiles:
        out = np.zeros((len(rows), *(shape or tiles.shape), 3), np.uint8)
        return out, tiles.read_into(out, rows)


def open_here(path):
    """How many descriptors of this process are of this file."""
    folder = "/proc/self/fd"
    found = [os.path.join(folder, name) for name in os.listdir(folder)]
    return sum(os.path.realpath(name) == os.path.realpath(path) for name in found)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", ["NHWC", "NCHW"])
@settings(max_examples=12)
@given(rows=st.tuples(st.integers(0, N), st.integers(0, N)).map(sorted))
def test_a_run_of_rows_is_these_rows(tmp_path_factory, order, layout, rows):
    path = tmp_path_factory.getbasetemp() / f"{order}-{layout}.h5"
    if not path.exists():
        write(path, tiles_of(), order, layout)
    out, found = read(rows_of(str(path), range(N)), range(*rows))
    np.testing.assert_array_equal(out, tiles_of()[slice(*rows)])
    assert not found.unreadable
    assert not found.other_size


def test_rows_in_any_order_and_more_than_once(tmp_path):
    path = write(tmp_path / "x.h5", tiles_of())
    order = [3, 4, 5, 5, 6, 2, 1, 0, 0, 22, 7, 8]
    out, _ = read(rows_of(path, order), range(len(order)))
    np.testing.assert_array_equal(out, tiles_of()[order])


def test_an_array_behind_a_user_block_and_one_that_was_never_written(tmp_path):
    path = write(tmp_path / "x.h5", tiles_of(), userblock_size=512)
    np.testing.assert_array_equal(read(rows_of(path, range(N)), range(N))[0], tiles_of())
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_dataset("x", (3, 8, 9, 3), np.uint8, fillvalue=7)
    assert (read(rows_of(str(tmp_path / "empty.h5"), range(3)), range(3))[0] == 7).all()


def test_neighbours_are_one_read(tmp_path, monkeypatch):
    path, calls = write(tmp_path / "x.h5", tiles_of(), layout="gzip"), []
    plain = h5py.Dataset.read_direct
    monkeypatch.setattr(h5py.Dataset, "read_direct", lambda *a, **k: calls.append(a) or plain(*a, **k))
    read(rows_of(path, range(N)), range(N))
    assert len(calls) == 1


def test_only_the_rows_that_cannot_be_read_are_reported(tmp_path):
    path = write(tmp_path / "x.h5", tiles_of(), layout="gzip")
    with h5py.File(path) as file:
        damaged = file["x"].id.get_chunk_info(2)  # rows 8 to 11
    with open(path, "rb+") as file:
        file.seek(damaged.byte_offset)
        file.write(bytes(damaged.size))
    out, found = read(rows_of(path, range(N)), range(N))
    assert sorted(found.unreadable) == [8, 9, 10, 11]
    assert f"The tile {path} (row 9) cannot be read (" in str(found.unreadable[9])
    whole = [row for row in range(N) if row not in found.unreadable]
    np.testing.assert_array_equal(out[whole], tiles_of()[whole])


def test_the_errors_are_those_of_one_tile(tmp_path):
    path = write(tmp_path / "x.h5", tiles_of(4))
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["y"] = np.zeros(3)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["x"] = h5py.SoftLink("/nowhere")
    (tmp_path / "text.h5").write_text("not HDF5")
    half = (tmp_path / "x.h5").read_bytes()
    (tmp_path / "half.h5").write_bytes(half[: len(half) // 2])
    others = [str(tmp_path / name) for name in ("none.h5", "link.h5", "text.h5", "half.h5", "gone.h5")]
    paths, indices = [path] * 5 + others, [0, 1, 2, 3, 4] + [1] * len(others)
    source = TileSource([str(i) for i in range(len(paths))], paths, indices)
    _, found = read(source, range(len(paths)))
    assert sorted(found.unreadable) == list(range(4, 10))
    for row, error in found.unreadable.items():
        with pytest.raises(type(error)) as expected:
            decode_tile(paths[row], indices[row])
        assert str(error) == str(expected.value)


def test_arrays_of_other_sizes_are_beside_the_batch(tmp_path):
    one, other = write(tmp_path / "1.h5", tiles_of()), write(tmp_path / "2.h5", tiles_of(4, 5, 6))
    source = TileSource(list("abcdefg"), [one, one, other, other, other, other, one], [0, 1, 0, 1, 3, 9, 2])
    out, found = read(source, range(7))
    assert list(found.unreadable) == [5]
    assert sorted(found.other_size) == [2, 3, 4]
    np.testing.assert_array_equal(out[[0, 1, 6]], tiles_of()[:3])
    np.testing.assert_array_equal([found.other_size[row] for row in (2, 3, 4)], tiles_of(4, 5, 6)[[0, 1, 3]])


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux lists them")
def test_files_are_closed_after_reading(tmp_path):
    path = write(tmp_path / "x.h5", tiles_of())
    source = rows_of(path, range(N))
    with source.open() as tiles:
        tiles.read_into(np.zeros((4, 8, 9, 3), np.uint8), range(4))
        assert open_here(path) > 0
    assert open_here(path) == 0
    decode_tile(path, 3)
    assert open_here(path) == 0
    with pytest.raises(RuntimeError, match="a reader fails"), source.open() as tiles:
        raise RuntimeError("a reader fails")
    assert open_here(path) == 0
    (tmp_path / "none.h5").write_bytes((tmp_path / "x.h5").read_bytes()[:-100])
    read(rows_of(str(tmp_path / "none.h5"), [0, 1]), range(2))
    assert open_here(tmp_path / "none.h5") == 0
    with h5py.File(path, "r+") as file:
        file["x"][0] = 0  # HDF5 refuses to write what is open for reading


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux lists them")
def test_a_file_a_slide_leaves_few_open(tmp_path):
    """Each file is read by rows that lie apart, from several threads, and opened again where it was closed."""
    n_files = 3 * IDLE_FILES
    paths = [write(tmp_path / f"{i}.h5", tiles_of(6) + np.uint8(i)) for i in range(n_files)]
    order = [(i, row) for row in range(6) for i in range(n_files)]
    source = TileSource([str(k) for k in range(len(order))], [paths[i] for i, _ in order], [row for _, row in order])
    before, out = len(os.listdir("/proc/self/fd")), np.zeros((len(order), 8, 9, 3), np.uint8)
    with source.open() as tiles, ThreadPoolExecutor(4) as pool:

        def some(first):
            found = tiles.read_into(out[first : first + 9], range(first, first + 9))
            return len(found.unreadable), len(os.listdir("/proc/self/fd"))

        for unreadable, descriptors in pool.map(some, range(0, len(order), 9)):
            assert unreadable == 0
            assert descriptors - before <= 2 * (IDLE_FILES + 4 + 1) + 4
    np.testing.assert_array_equal(out, [tiles_of(6)[row] + np.uint8(i) for i, row in order])
    assert len(os.listdir("/proc/self/fd")) <= before, "what others left open may be closed meanwhile"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_several_threads_read_at_once(tmp_path, layout):
    path = write(tmp_path / "x.h5", tiles_of(400), layout=layout)
    with rows_of(path, range(400)).open() as tiles, ThreadPoolExecutor(4) as pool:
        out, start = np.zeros((400, 8, 9, 3), np.uint8), threading.Barrier(4)

        def some(first):
            start.wait()
            for begin in range(first, 400, 40):
                assert not tiles.read_into(out[begin : begin + 10], range(begin, begin + 10)).unreadable

        list(pool.map(some, range(0, 40, 10)))
    np.testing.assert_array_equal(out, tiles_of(400))
