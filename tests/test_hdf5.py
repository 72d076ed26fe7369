"""HDF5 files appear when they are complete, and a disk that fails never meets the library."""

import errno
import os

import h5py
import numpy as np
import pytest

from bench import hdf5
from bench.hdf5 import new_hdf5


def fill(file, rows=300):
    file.create_dataset("features", data=np.arange(rows * 20, dtype=np.float16).reshape(-1, 20), track_times=False)
    for number in range(12):
        file.attrs[f"attribute {number}"] = "x" * 37 * number


@pytest.mark.parametrize("rows", [0, 1, 300, 20_000])
def test_the_bytes_are_those_that_the_library_writes_to_a_disk(tmp_path, rows):
    with h5py.File(tmp_path / "plain.h5", "w", libver="v110") as file:
        fill(file, rows)
    with new_hdf5(tmp_path / "folder" / "ours.h5") as file:
        fill(file, rows)
    assert (tmp_path / "folder" / "ours.h5").read_bytes() == (tmp_path / "plain.h5").read_bytes()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["ours.h5"]


def test_a_disk_that_is_full_is_an_os_error_that_names_the_file(tmp_path, monkeypatch):
    def full(source, target, length):
        target.write(source.read(100))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(hdf5.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left") as caught, new_hdf5(tmp_path / "a.h5") as file:
        fill(file)
    assert caught.value.filename == str(tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_block_leaves_nothing_and_keeps_the_file_that_was_there(tmp_path):
    with new_hdf5(tmp_path / "a.h5") as file:
        fill(file)
    before, descriptors = (tmp_path / "a.h5").read_bytes(), len(os.listdir("/proc/self/fd"))
    with pytest.raises(ZeroDivisionError), new_hdf5(tmp_path / "a.h5") as file:
        file.attrs["n"] = 1 / 0
    assert (tmp_path / "a.h5").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_where_a_system_has_no_files_in_memory_it_is_written_to_the_disk(tmp_path, monkeypatch):
    with new_hdf5(tmp_path / "a.h5") as file:
        fill(file)
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with new_hdf5(tmp_path / "b.h5") as file:
        fill(file)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
