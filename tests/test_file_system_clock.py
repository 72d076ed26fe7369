"""The clock of a file system, which modification times are compared with."""

import os
import time

import pytest

from bench.files import file_system_now


@pytest.mark.parametrize("off", [-3600.0, 3600.0])
def test_it_is_that_of_the_file_system_and_not_of_this_machine(tmp_path, monkeypatch, off):
    machine = time.time
    before = machine()
    monkeypatch.setattr(time, "time", lambda: machine() + off)

    found = file_system_now(tmp_path)

    assert before - 1 < found < machine() + 1
    assert list(tmp_path.iterdir()) == [], "the file whose time it took is removed"


def test_a_folder_without_permission_is_the_error_of_the_operating_system(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OSError, match="file"):
        file_system_now(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        file_system_now(tmp_path / "none")


def test_it_is_younger_than_every_file_made_before_it(tmp_path):
    (tmp_path / "earlier").write_text("")

    assert file_system_now(tmp_path) >= os.stat(tmp_path / "earlier").st_mtime
