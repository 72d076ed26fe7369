"""The command with scratch=DIR: features bit for bit the same, and what is wrong with the folder in one sentence."""

from pathlib import Path

import pytest
from command_helpers import refused, rows
from slide_command_helpers import features, on_slides

from bench.slides import Scratch

QUICK = ("model=colour", "protocol=linear", "tasks.slides.min_groups=1")


def bytes_of(folder):
    return {name: path.read_bytes() for name, path in features(folder, "colour").items()}


@pytest.fixture(scope="module")
def plain(few_slides, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    done = on_slides(folder, few_slides, *QUICK)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_features_are_bit_identical_with_a_scratch_folder(plain, few_slides, tmp_path, monkeypatch):
    copied = []
    copy = Scratch.copy
    monkeypatch.setattr(Scratch, "copy", lambda *arguments: copied.append(copy(*arguments)) or copied[-1])
    monkeypatch.setenv("LOCAL_DISK", str(tmp_path / "disk"))
    abandoned = tmp_path / "disk" / "of someone else"
    abandoned.mkdir(parents=True)
    done = on_slides(tmp_path, few_slides, *QUICK, "scratch=$LOCAL_DISK", "scratch_gib=0.01")
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path) == bytes_of(plain)
    assert len(copied) == len(bytes_of(plain))
    assert None not in copied
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["of someone else"]
    for key, row in rows(tmp_path).items():
        assert row["metrics"] == rows(plain)[key]["metrics"]
        assert row["run_hash"] == rows(plain)[key]["run_hash"], "a setting that changes no result"

    copied.clear()
    done = on_slides(tmp_path, few_slides, *QUICK, "scratch=$LOCAL_DISK", "seeds=[1]")
    assert done.returncode == 0, done.stderr
    assert copied == [], "slides whose features stand are not copied"


def test_slides_above_the_scratch_limit_are_reported_once(plain, few_slides, tmp_path):
    done = on_slides(tmp_path, few_slides, *QUICK, "scratch=scratch", "scratch_gib=0.000001")
    assert done.returncode == 0, done.stderr
    assert len([line for line in done.stderr.splitlines() if "scratch_gib" in line]) == 1
    assert bytes_of(tmp_path) == bytes_of(plain)


@pytest.mark.slow
def test_a_scratch_that_cannot_be_used_is_one_sentence(few_slides, tmp_path):
    (tmp_path / "file").write_text("")
    refused(on_slides(tmp_path, few_slides, *QUICK, "scratch=file"), "file cannot be written", "scratch=DIR")
    refused(on_slides(tmp_path, few_slides, *QUICK, "scratch=$NO_SUCH/x"), "environment variable that is not set on")
    refused(on_slides(tmp_path, few_slides, *QUICK, "scratch=s", "scratch_gib=0"), "scratch_gib=0", "above 0")
    assert not list(tmp_path.glob("*NO_SUCH*"))


def test_a_scratch_that_is_full_is_one_line_and_the_features_are_the_same(plain, few_slides, tmp_path, small_disk):
    disk = small_disk(64 << 10)
    done = on_slides(tmp_path, few_slides, *QUICK, f"scratch={disk}")
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if str(disk) in line]
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert bytes_of(tmp_path) == bytes_of(plain)
    assert not [path for path in Path(disk).rglob("*") if path.is_file()]
