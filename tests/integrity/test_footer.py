"""The footer of a stored file: every changed bit is found, and what it describes comes back."""

import io
import json
import os
import time
import zlib

import h5py
import numpy as np
import pytest

from bench.hdf5 import new_hdf5
from bench.integrity import (
    DamagedFileError,
    append_footer,
    check_content,
    footer_of,
    read_footer,
    remember_verified,
    verified,
    with_footer,
    without_footer,
)
from bench.integrity import footer as footers

RECORD = {"slide": "a", "numbers": [1.5, 2], "array": np.arange(2), "scalar": np.float32(0.5)}


def checked(path):
    with open(path, "rb") as file:
        found = read_footer(file)
        check_content(file, path, found)
        return found


@pytest.mark.parametrize("length", [0, 1, 100, 3 << 20])
def test_content_and_record_come_back_however_they_are_written(tmp_path, length):
    content = os.urandom(length)
    data = with_footer(content, RECORD)
    assert without_footer(data) == (content, {"slide": "a", "numbers": [1.5, 2], "array": [0, 1], "scalar": 0.5})
    assert data == content + footer_of(io.BytesIO(content), RECORD)
    path = tmp_path / "file"
    path.write_bytes(content)
    append_footer(path, RECORD)
    assert path.read_bytes() == data
    found = checked(path)
    assert (found.content_bytes, found.content_crc) == (length, zlib.crc32(content))


def test_every_changed_bit_is_found(tmp_path):
    data = with_footer(b"content", {"slide": "a"})
    path = tmp_path / "file"
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(DamagedFileError):
            without_footer(bytes(changed))
        path.write_bytes(changed)
        with pytest.raises(DamagedFileError):
            checked(path)


def test_every_other_length_is_found(tmp_path):
    data = with_footer(b"content", {"slide": "a"})
    path = tmp_path / "file"
    for other in (*(data[:length] for length in range(len(data))), data + b"\0", b"\0" + data, data[1:], data + data):
        with pytest.raises(DamagedFileError):
            without_footer(other)
        path.write_bytes(other)
        with pytest.raises(DamagedFileError):
            checked(path)


def test_a_record_longer_than_what_is_read_at_first(tmp_path):
    record = {"skipped": list(range(20_000))}
    path = tmp_path / "file"
    path.write_bytes(with_footer(b"content", record))
    assert path.stat().st_size > 2 * footers.READ_AT_ONCE
    assert checked(path).record == record


def test_hdf5_reads_a_file_with_a_footer_as_any_other(tmp_path):
    record = {}
    with new_hdf5(tmp_path / "with.h5", record) as file:
        file["features"] = np.arange(6.0)
        record["late"] = True
    with h5py.File(tmp_path / "with.h5") as file:
        np.testing.assert_array_equal(file["features"], np.arange(6.0))
    assert checked(tmp_path / "with.h5").record == {"late": True}


def test_a_file_made_on_the_disk_has_the_same_bytes(tmp_path, monkeypatch):
    for name in ("memory", "disk"):
        with new_hdf5(tmp_path / name, {"a": 1}) as file:
            file["features"] = np.arange(6.0)
        monkeypatch.delattr(os, "memfd_create", raising=False)
    assert (tmp_path / "memory").read_bytes() == (tmp_path / "disk").read_bytes()


class TestOnce:
    """A content is read once, until the size, the times or the inode of its file are others."""

    @pytest.fixture
    def sums(self, monkeypatch):
        """Lengths of what was summed of contents."""
        found = []
        plain = zlib.crc32
        monkeypatch.setattr(
            verified.zlib, "crc32", lambda data, start=0: (found.append(len(data)), plain(data, start))[1]
        )
        return found

    @pytest.fixture
    def path(self, tmp_path):
        (tmp_path / "file").write_bytes(with_footer(b"c" * 1000, {}))
        return tmp_path / "file"

    def read(self, path):
        """As a process that has just started."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(verified, "_verified", {})
            patch.setattr(verified, "_noted", {})
            checked(path)
            remember_verified(path.parent)

    def test_by_a_process_and_by_the_next(self, path, sums):
        checked(path)
        assert 1000 in sums
        sums.clear()
        checked(path)
        assert 1000 not in sums
        self.read(path)
        assert 1000 in sums
        sums.clear()
        self.read(path)
        assert 1000 not in sums

    @pytest.mark.parametrize("note", ["", "{", "[1]", '{"file": 3}', '{"file": [1, 2, 3, 4]}', '{"file": ["x"]}'])
    def test_a_damaged_note_says_nothing(self, path, sums, note):
        self.read(path)
        (path.parent / verified.NOTE).write_text(note)
        sums.clear()
        self.read(path)
        assert 1000 in sums
        assert json.loads((path.parent / verified.NOTE).read_text()).keys() == {"file"}

    def test_damage_with_the_old_modification_time_is_found(self, path):
        self.read(path)
        found = path.stat()
        time.sleep(0.02)  # the times of some file systems count in steps of 10 ms
        with path.open("r+b") as file:
            file.seek(10)
            file.write(b"d")
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        with pytest.raises(DamagedFileError, match="data are changed"):
            self.read(path)

    def test_a_file_that_is_put_in_its_place_is_read(self, path):
        self.read(path)
        other = path.with_name("other")
        other.write_bytes(with_footer(b"d" * 1000, {})[:-1] + b"?")
        os.replace(other, path)
        with pytest.raises(DamagedFileError):
            self.read(path)

    def test_files_that_are_gone_are_forgotten(self, path):
        self.read(path)
        second = path.with_name("second")
        second.write_bytes(path.read_bytes())
        path.unlink()
        self.read(second)
        assert json.loads((path.parent / verified.NOTE).read_text()).keys() == {"second"}

    def test_a_folder_that_cannot_be_written_remembers_nothing(self, path, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(verified, "atomic_write", full)
        self.read(path)
        assert not (path.parent / verified.NOTE).exists()
