"""A final name means a complete file: every file of a run is flushed to the disk before it gets its name."""

import os
from pathlib import Path

import pytest
from slide_command_helpers import on_slides

from bench.files import atomic_write


@pytest.fixture
def recorded(monkeypatch):
    """What was flushed and what was renamed, in order: ("flush", inode, size) and ("name", path, inode, size)."""
    events = []
    flush, name = os.fsync, os.replace

    def fsync(descriptor):
        flush(descriptor)
        found = os.fstat(descriptor)
        events.append(("flush", found.st_ino, found.st_size))

    def replace(source, target, **more):
        found = os.stat(source)
        name(source, target, **more)
        events.append(("name", Path(target).absolute(), found.st_ino, found.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return events


def assert_flushed_and_named(events):
    """Each file is flushed as long as it is when it gets its name, and before; gives the names."""
    names = {}
    for place, (what, *found) in enumerate(events):
        if what == "name":
            path, inode, size = found
            assert ("flush", inode, size) in events[:place], f"{path.name} got its name before it was on the disk"
            names[path] = inode
    return names


@pytest.mark.slow
def test_every_file_of_a_run_is_flushed_before_it_is_named(table, tmp_path, recorded):
    """Features, grids, tissue, rows, predictions, attention, pictures and tables."""
    arguments = ("model=colour", "protocol=[linear,abmil]", "protocols.abmil.epochs=1")
    table.groupby(["split", "label"]).head(1).to_csv(tmp_path / "few.csv", index=False)
    few = ("tasks.slides.min_groups=1", "protocols.linear.n_strengths=1")
    done = on_slides(tmp_path, "few.csv", *arguments, *few)
    assert done.returncode == 0, done.stderr
    named = assert_flushed_and_named(recorded)
    files = {path for folder in ("cache", "results") for path in (tmp_path / folder).rglob("*") if path.is_file()}
    logs = {path for path in files if path.suffix == ".jsonl"}  # of times, whose readers leave half a line out
    assert len(logs) == 1
    files -= logs
    assert {path.suffix for path in files} == {".h5", ".npz", ".json", ".parquet", ".jpg", ".csv", ".md", ".html"}
    unnamed = {path for path in files if named.get(path.absolute()) != path.stat().st_ino}
    assert not unnamed, "written under their own names, so that a killed run leaves half of them"


def test_what_fails_before_it_is_flushed_gets_no_name_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}
