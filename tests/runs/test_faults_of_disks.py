"""Disks that are full or read-only, and files that vanish or are cut short: one sentence, and nothing done is lost."""

import os
import shutil
import subprocess

import pandas as pd
import pytest
from command_helpers import bench, files, refused, row, row_files
from slide_command_helpers import features, on_slides
from stand_in_models import PATH as STAND_INS

from bench.demo import make_tiles
from bench.slides import SlideFileTiles
from registry.errors import UserError

KIB = 1 << 10


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return make_tiles(tmp_path_factory.mktemp("tiles") / "cohort", patients=8, tiles_per_patient=6)


def run(folder, tiles, *arguments):
    usual = ("model=colour", "null=none", "protocol=knn", "bootstrap=50", "shard_tiles=4")
    return bench(folder, "task=tiles", f"data={tiles}", *usual, *arguments)


def sentences_of(done):
    """The sentences on failures, each once."""
    return {line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")}


def remount(disk, how):
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


def assert_goes_on(made, folder):
    """The feature files that were there are not made again."""
    assert made
    now = files(folder, "features/**/*.h5")
    assert {path: now.get(path) for path in made} == made
    return len(now) - len(made)


def test_a_cache_whose_disk_is_full_is_one_sentence_and_goes_on_when_there_is_room(tiles, tmp_path, small_disk):
    disk = small_disk(64 * KIB)
    done = run(tmp_path, tiles, f"cache={disk}")
    refused(done, f"The disk of {disk}/", "is full: make room", "cache=DIR")
    assert len(sentences_of(done)) == 1
    assert (row(tmp_path)["status"], "is full" in row(tmp_path)["error"]) == ("failed", True)
    assert not list(disk.rglob("*.tmp"))
    made = files(disk, "features/**/*.h5")
    remount(disk, f"size={4096 * KIB}")
    assert run(tmp_path, tiles, f"cache={disk}").returncode == 0
    assert row(tmp_path)["status"] == "ok"
    assert assert_goes_on(made, disk) == 12 - len(made) > 0


def test_results_whose_disk_is_full_are_one_sentence_and_the_features_stay(tiles, tmp_path, small_disk):
    disk = small_disk(8 * KIB)
    done = run(tmp_path, tiles, f"results={disk}")
    refused(done, f"The disk of {disk}", "is full: make room", "results=DIR")
    made = files(tmp_path / "cache", "features/**/*.h5")
    remount(disk, f"size={4096 * KIB}")
    assert run(tmp_path, tiles, f"results={disk}").returncode == 0
    assert assert_goes_on(made, tmp_path / "cache") == 0
    assert row(tmp_path, results=disk)["status"] == "ok"


@pytest.mark.parametrize("where", ["cache", "results"])
def test_a_read_only_folder_is_one_sentence(tiles, tmp_path, small_disk, where):
    disk = small_disk(64 * KIB, "ro")
    done = run(tmp_path, tiles, f"{where}={disk}/own")
    refused(done, f"The folder {disk}", f"cannot be written (Read-only file system): name another with {where}=DIR.")
    assert len(sentences_of(done)) == 1
    assert not row_files(tmp_path)


def test_a_cache_that_becomes_read_only_is_one_sentence(tiles, tmp_path, small_disk, monkeypatch):
    from bench.runs import evaluate

    disk = small_disk(4096 * KIB)
    prepare = evaluate.prepare

    def prepared(context):
        plan = prepare(context)
        remount(disk, "ro")
        return plan

    assert run(tmp_path, tiles, f"cache={disk}", "steps=[embed]", "part=1/2").returncode == 0
    made = files(disk, "features/**/*.h5")
    monkeypatch.setattr(evaluate, "prepare", prepared)
    done = run(tmp_path, tiles, f"cache={disk}")
    refused(done, f"The folder {disk}/", "cannot be written (Read-only file system)", "cache=DIR")
    assert len(sentences_of(done)) == 1
    monkeypatch.undo()
    remount(disk, "rw")
    assert run(tmp_path, tiles, f"cache={disk}").returncode == 0
    assert assert_goes_on(made, disk) == 6


def test_grids_and_pictures_on_a_full_disk_are_one_sentence(few_slides, tmp_path, small_disk):
    disk = small_disk(16 * KIB)
    quick = ("model=colour", "protocol=linear", "tasks.slides.min_groups=1")
    done = on_slides(tmp_path, few_slides, *quick, f"cache={disk}")
    refused(done, f"The disk of {disk}/", "is full: make room")
    assert len(sentences_of(done)) == 1
    disk = small_disk(16 * KIB)
    done = on_slides(tmp_path, few_slides, *quick, f"results={disk}")
    refused(done, f"The disk of {disk}", "is full: make room")
    assert all("is full: make room" in line for line in sentences_of(done)), (
        "of pictures, rows or tables: all name the disk"
    )


def test_tables_that_cannot_be_written_do_not_hide_what_failed_before(tiles, tmp_path, monkeypatch):
    from bench.runs import evaluate

    def full(*_):
        raise UserError("The disk of the tables is full.")

    monkeypatch.setattr(evaluate, "print_report", full)
    done = run(tmp_path, tiles, "model=[faulty,means]", f"plugins=[{STAND_INS}]")
    refused(done, "faulty: RuntimeError: a layer is broken", "The disk of the tables is full.")
    assert row(tmp_path, model="means")["status"] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["", "scratch=scratch"])
def test_a_slide_that_is_deleted_halfway_is_one_sentence(few_slides, tmp_path, monkeypatch, setting):
    (tmp_path / "slides").mkdir()
    frame = pd.read_csv(few_slides)
    frame["slide"] = [shutil.copy2(slide, tmp_path / "slides") for slide in frame.slide]
    frame.to_csv(tmp_path / "own.csv", index=False)
    last = frame.slide.iloc[-1]
    data = (tmp_path / "slides" / last).read_bytes(), os.stat(last)
    fetch = SlideFileTiles.fetch
    quick = ("model=colour", "protocol=linear", "tasks.slides.min_groups=1", "batch_size=4", *filter(None, [setting]))

    def fetch_and_delete(*arguments):
        fetch(*arguments)
        if os.path.exists(last):
            os.unlink(last)

    monkeypatch.setattr(SlideFileTiles, "fetch", fetch_and_delete)
    done = on_slides(tmp_path, "own.csv", *quick)
    refused(done, f"The slide {last} does not exist")
    assert len(sentences_of(done)) == 1
    assert row(tmp_path)["status"] == "failed"
    made = files(tmp_path / "cache", "features/**/*.h5")
    monkeypatch.undo()
    with open(last, "wb") as file:
        file.write(data[0])
    os.utime(last, ns=(data[1].st_atime_ns, data[1].st_mtime_ns))
    assert on_slides(tmp_path, "own.csv", *quick).returncode == 0
    assert assert_goes_on(made, tmp_path / "cache") == len(frame) - len(made) > 0
    assert row(tmp_path)["status"] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("length", [0, 100, -1])
def test_files_of_the_cache_that_are_cut_short_are_made_anew(few_slides, tmp_path, length):
    quick = ("model=colour", "protocol=linear", "tasks.slides.min_groups=1")
    assert on_slides(tmp_path, few_slides, *quick).returncode == 0
    whole = features(tmp_path, "colour")
    stays, *cut = whole.values()
    before = {path: path.read_bytes() for path in whole.values()}
    places = [*cut, *(tmp_path / "cache" / "grids").rglob("*.h5"), *(tmp_path / "cache" / "tissue").rglob("*.npz")]
    for path in places:
        os.truncate(path, length if length >= 0 else path.stat().st_size - 1)
    made = stays.stat().st_mtime_ns
    done = on_slides(tmp_path, few_slides, *quick, "seeds=[0,1]")
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in whole.values()} == before
    assert stays.stat().st_mtime_ns == made
