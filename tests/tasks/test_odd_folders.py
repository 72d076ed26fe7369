"""Folders of images with links, names and permissions that no dataset should have: a sentence each."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from task_helpers import sentence, tile

from bench.tasks.readers import folder as folder_reader


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two classes of six images."""
    for number in range(6):
        for name in "ab":
            tile(tmp_path / "data" / name / f"{number}.png", seed=number)
    return tmp_path / "data"


def found(read, tree: Path):
    return read("tiles", tree, reader="folder", classes=(), min_groups=1)


def told(read, tree: Path) -> str:
    return sentence(lambda name, data: found(read, data), "tiles", tree)


def test_a_link_to_a_folder_that_it_lies_in(read, tree) -> None:
    (tree / "a/again").symlink_to(tree)
    assert "is a link to" in told(read, tree)
    assert f"{tree}/a/again" in told(read, tree)


def test_links_that_lead_to_each_other(read, tree) -> None:
    (tree / "a/one").symlink_to(tree / "a/two")
    (tree / "a/two").symlink_to(tree / "a/one")
    assert f"{tree}/a/one cannot be read" in told(read, tree)


def test_a_link_that_leads_nowhere(read, tree) -> None:
    (tree / "a/gone.png").symlink_to(tree / "nowhere.png")
    assert "gone.png" in told(read, tree)


def test_links_out_of_the_folder_are_followed_and_named(read, tree, tmp_path) -> None:
    (tree / "b/far.png").symlink_to(tile(tmp_path / "elsewhere/x.png", seed=9))
    (tree / "b/near.png").symlink_to(tree / "a/0.png")
    (tree / "b/patient").symlink_to(tmp_path / "elsewhere")
    notes = found(read, tree).notes
    assert "2 images are links out of the data folder, the first being b/far.png" in notes


def test_a_folder_without_faults_has_no_note(read, tree) -> None:
    assert not any("link" in note for note in found(read, tree).notes)


@pytest.mark.parametrize("name", [b"a/caf\xe9.png", b"caf\xe9/x.png"])
def test_names_that_are_not_utf8(read, tree, name) -> None:
    path = os.path.join(os.fsencode(tree), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write((tree / "a/0.png").read_bytes())
    assert r"caf\xe9" in told(read, tree)
    assert "is not UTF-8" in told(read, tree)


def test_a_data_folder_whose_name_is_not_utf8(read, tree) -> None:
    other = os.fsencode(tree.parent) + b"/caf\xe9"
    os.rename(tree, other)
    assert "is not UTF-8" in told(read, Path(os.fsdecode(other)))


def test_a_folder_that_may_not_be_read(read, tree, monkeypatch) -> None:
    plain = os.scandir

    def refused(path):
        if str(path).endswith("/b"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return plain(path)

    monkeypatch.setattr(folder_reader.os, "scandir", refused)
    assert told(read, tree).startswith(f"The folder {tree}/b cannot be read (Permission denied)")


def test_a_data_folder_that_may_not_be_read(read, tree, monkeypatch) -> None:
    plain = os.stat

    def refused(path, **options):
        if str(path) == str(tree):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return plain(path, **options)

    monkeypatch.setattr(os, "stat", refused)
    assert "cannot be read (Permission denied): see to its permissions" in told(read, tree)
