"""Packed tiles: the pixels, errors and digest of the files, whatever happens to the pack."""

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from PIL import Image

from bench.tiles import TileSource, pack_file, reading
from registry.errors import UserError

N = 40


@pytest.fixture
def source(tmp_path):
    """Image files of two kinds, a file of two tiles, one that cannot be read and rows of an array."""
    rng, paths, indices = np.random.default_rng(0), [], []
    (tmp_path / "data").mkdir()
    for i in range(N):
        path = tmp_path / "data" / f"{i}.{'jpg' if i % 3 else 'png'}"
        Image.fromarray(rng.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(path)
        paths.append(str(path))
        indices.append(-1)
    (tmp_path / "data/7.jpg").write_bytes((tmp_path / "data/7.jpg").read_bytes()[:300])
    (tmp_path / "data/8.jpg").write_bytes(b"")
    paths[20] = paths[2]
    with h5py.File(tmp_path / "data/x.h5", "w") as file:
        file["x"] = rng.integers(0, 256, (4, 10, 12, 3), dtype=np.uint8)
    for i in range(25, 29):
        paths[i], indices[i] = str(tmp_path / "data/x.h5"), i - 25
    return TileSource([f"tile {i}" for i in range(N)], paths, indices)


@pytest.fixture
def from_files(monkeypatch):
    """The image files that were read beside a pack."""
    paths, plain = [], reading.read_image_into
    monkeypatch.setattr(
        reading, "read_image_into", lambda out, path, *look: paths.append(path) or plain(out, path, *look)
    )
    return paths


def packed(source, tmp_path):
    return source.packed(tmp_path / "packed", source.digest())


def contents(source, run=7):
    with source.open() as tiles:
        out, errors = np.zeros((len(source), *tiles.shape, 3), np.uint8), {}
        for start in range(0, len(source), run):
            rows = range(start, min(start + run, len(source)))
            found = tiles.read_into(out[rows.start : rows.stop], rows)
            assert not found.other_size
            errors |= {row: str(error) for row, error in found.unreadable.items()}
        out[list(errors)] = 0
        return out, errors


def the_pack(tmp_path):
    (found,) = (tmp_path / "packed").iterdir()
    return found


def assert_same(one, other):
    np.testing.assert_array_equal(contents(one)[0], contents(other)[0])
    assert contents(one)[1] == contents(other)[1]


def test_packed_tiles_are_those_of_the_files(tmp_path, source, from_files):
    expected, errors = contents(source)
    own = packed(source, tmp_path)
    assert own.digest() == source.digest()
    assert not (tmp_path / "packed").exists(), "made when it is opened"
    from_files.clear()
    found, own_errors = contents(own)
    np.testing.assert_array_equal(found, expected)
    assert own_errors == errors
    assert sorted(own_errors) == [7, 8]
    assert set(from_files) == {source.paths[7], source.paths[8]}, "for their errors alone"
    for part in ((0, 5), (9, 33), (24, 40)):
        assert_same(own.part(*part), source.part(*part))
        assert_same(own.part(*part).part(1, 3), source.part(*part).part(1, 3))


def test_a_pack_is_made_once_and_used_by_the_next_run(tmp_path, source, from_files):
    contents(packed(source, tmp_path))
    written = the_pack(tmp_path).stat()
    from_files.clear()
    contents(packed(source, tmp_path))
    assert the_pack(tmp_path).stat().st_mtime_ns == written.st_mtime_ns
    assert set(from_files) == {source.paths[7], source.paths[8]}


def test_a_file_of_two_tiles_is_packed_once(tmp_path, source):
    contents(packed(source, tmp_path))
    index = pack_file.read_index(the_pack(tmp_path), source.digest(), N)
    assert index.offsets[20] == index.offsets[2]
    files = {path for path in source.paths if not path.endswith(".h5")}
    distinct = dict(zip(index.offsets.tolist(), index.lengths.tolist(), strict=True))
    assert sum(distinct.values()) == sum(os.path.getsize(path) for path in files)


def test_neighbours_are_one_read(tmp_path, source, monkeypatch):
    calls, plain = [], os.pread
    with packed(source, tmp_path).part(9, 19).open() as tiles:
        monkeypatch.setattr(os, "pread", lambda *a: calls.append(a) or plain(*a))
        tiles.read_into(np.zeros((10, 10, 12, 3), np.uint8), range(10))
    assert len(calls) == 1


def test_the_pack_of_files_that_changed_is_made_anew(tmp_path, source):
    contents(packed(source, tmp_path))
    Image.fromarray(np.full((10, 12, 3), 77, np.uint8)).save(source.paths[3])
    own = packed(source, tmp_path)
    assert_same(own, source)
    assert (contents(own)[0][3] == 77).all()
    assert the_pack(tmp_path), "replaced, not beside the stale one"


@pytest.mark.parametrize("damage", ["empty", "half", "index", "other", "tail"])
def test_a_damaged_pack_is_made_anew(tmp_path, source, damage):
    contents(packed(source, tmp_path))
    data = the_pack(tmp_path).read_bytes()
    changed = {
        "empty": b"",
        "half": data[: len(data) // 2],
        "index": data[:-200] + b"?" + data[-199:],
        "other": b"not a pack, and long enough to have a tail of its own" * 3,
        "tail": data[:-8] + b"PFMPACK0",
    }[damage]
    the_pack(tmp_path).write_bytes(changed)
    assert_same(packed(source, tmp_path), source)
    assert the_pack(tmp_path).read_bytes() == data


def test_a_tile_that_is_damaged_in_the_pack_is_read_from_its_file(tmp_path, source, from_files):
    own = packed(source, tmp_path)
    expected, errors = contents(own)
    written = the_pack(tmp_path).read_bytes()
    index = pack_file.read_index(the_pack(tmp_path), source.digest(), N)
    with open(the_pack(tmp_path), "rb+") as file:
        file.seek(int(index.offsets[11] + index.lengths[11] // 2))
        file.write(b"\x12\x34")
    from_files.clear()
    np.testing.assert_array_equal(contents(own)[0], expected)
    assert set(from_files) == {source.paths[row] for row in (7, 8, 11)}
    assert not list((tmp_path / "packed").iterdir()), "made anew by the next who opens it"
    assert contents(own)[1] == errors
    assert the_pack(tmp_path).read_bytes() == written


def test_a_pack_that_vanishes_is_made_anew(tmp_path, source):
    own = packed(source, tmp_path)
    contents(own)
    the_pack(tmp_path).unlink()
    assert_same(own, source)


def test_a_file_that_changes_while_it_is_packed_leaves_no_pack(tmp_path, source, monkeypatch):
    plain = pack_file._content

    def changing(path):
        if path == source.paths[30]:
            os.utime(source.paths[0], ns=(0, 1))
        return plain(path)

    monkeypatch.setattr(pack_file, "_content", changing)
    with pytest.raises(UserError, match="changed since the run began"), packed(source, tmp_path).open():
        pass
    assert not list((tmp_path / "packed").iterdir())


def test_a_file_that_changed_before_it_is_packed_leaves_no_pack(tmp_path, source):
    own = packed(source, tmp_path)
    os.utime(source.paths[0], ns=(0, 1))
    with pytest.raises(UserError, match="changed since the run began"), own.open():
        pass
    assert not list((tmp_path / "packed").iterdir())


def test_a_full_disk_is_one_sentence(tmp_path, source, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pack_file.zlib, "crc32", full)
    own = packed(source, tmp_path)
    with (
        pytest.raises(UserError, match=r"^The disk of .*packed is full: make room .* set pack=false; .*\.$"),
        own.open(),
    ):
        pass
    assert not list((tmp_path / "packed").iterdir())


def test_a_disk_that_is_too_small_is_refused_before_anything_is_read(tmp_path, source, monkeypatch):
    read = []
    monkeypatch.setattr(pack_file, "_content", read.append)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match=r"take 0\.0 GiB packed and the disk of .*packed has 0\.0 GiB left: make room"):
        contents(packed(source, tmp_path))
    assert not read


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, source):
    (tmp_path / "packed").write_text("a file")
    with pytest.raises(UserError, match=r"^The folder .*packed cannot be written .* set pack=false\.$"):
        contents(packed(source, tmp_path))


def test_several_shards_make_one_pack(tmp_path, source, monkeypatch):
    made, plain = [], pack_file.write_pack

    def slow(*arguments, **options):
        made.append(arguments)
        time.sleep(0.2)
        plain(*arguments, **options)

    monkeypatch.setattr("bench.tiles.pack.write_pack", slow)
    own = packed(source, tmp_path)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda start: contents(own.part(start, start + 10))[0], range(0, N, 10)))
    assert len(made) == 1
    np.testing.assert_array_equal(np.concatenate(parts), contents(source)[0])


def test_what_a_killed_run_left_is_removed(tmp_path, source):
    folder = tmp_path / "packed"
    folder.mkdir()
    old, new = folder / ".a.pack.0123abcd.tmp", folder / ".b.pack.0123abcd.tmp"
    for path in (old, new):
        path.write_bytes(b"half a pack")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    contents(packed(source, tmp_path))
    assert not old.exists()
    assert new.exists(), "it may have a living writer"


def test_a_source_without_image_files_is_not_packed(tmp_path, source):
    arrays = source.part(25, 29)
    assert_same(arrays.packed(tmp_path / "packed", arrays.digest()), arrays)
    assert not (tmp_path / "packed").exists()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux lists them")
def test_packs_are_closed(tmp_path, source):
    own, before = packed(source, tmp_path), len(os.listdir("/proc/self/fd"))
    contents(own)
    with pytest.raises(RuntimeError, match="a reader fails"), own.open():
        raise RuntimeError("a reader fails")
    assert len(os.listdir("/proc/self/fd")) <= before
