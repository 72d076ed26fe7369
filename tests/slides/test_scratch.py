"""Copies of slides on a node's own disk: the same tiles, never more than the bound, and nothing left behind."""

import contextlib
import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from dicom_file import write_dicom

from bench.slides import Scratch, SlideFileTiles, from_coords, open_slide, scratch
from bench.slides.slide_files import slide_files
from bench.tiles import read_batches
from registry.errors import UserError

SIDE, SLIDES = 64, 5
PATIENCE_S = 120.0  # for which a slide waits for room before its test has failed


@pytest.fixture(autouse=True)
def _all_threads_end():
    yield
    left = [t.name for t in threading.enumerate() if t.name.startswith(("read", "open", "fill"))]
    assert not left


@pytest.fixture
def slides(tmp_path, tissue, write_pyramid):
    (tmp_path / "slides").mkdir()
    return [
        str(write_pyramid(tmp_path / "slides" / f"{number}.tif", tissue[500 + 100 * number :][:512, 300:812]))
        for number in range(SLIDES)
    ]


class Said(list):
    def __call__(self, line):
        self.append(line)


class Watched(Scratch):
    """Notes the largest number of bytes in its folder; a slide that waits for room too long gets it."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.bound, self.stuck = self.limit, False
        self.most = self.copies = 0

    def copy(self, slide, stopped):
        timer = threading.Timer(PATIENCE_S, self._give_way)
        timer.start()
        found = super().copy(slide, stopped)
        timer.cancel()
        self.copies += found is not None
        self.most = max(self.most, bytes_in(self.folder))
        return found

    def _give_way(self):
        self.stuck, self.limit = True, 1 << 40


def bytes_in(folder):
    """Bytes of the files in a folder from which other threads remove some; a file that has just gone counts as none."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found += os.path.getsize(os.path.join(place, name))
    return found


def tiles_of(path, scratch=None):
    with open_slide(path) as opened:
        places = np.array(list(itertools.product(range(0, 512, SIDE), repeat=2)))
        grid = from_coords(opened, places, (SIDE, SIDE), SIDE)
    return SlideFileTiles(path, None, grid, scratch=scratch)


def read(sources, batch_size=50, workers=2):
    batches = list(read_batches(sources, batch_size, workers=workers))
    return np.concatenate([batch.tiles.permute(0, 2, 3, 1).numpy() for batch in batches])


def largest(slides):
    return max(os.path.getsize(slide) for slide in slides)


@pytest.mark.parametrize("room", [1, 2, 100])
@pytest.mark.parametrize("workers", [1, 4])
def test_the_tiles_are_the_same_and_the_copies_stay_below_the_bound(slides, tmp_path, room, workers):
    """With room for one slide alone, batches that cross the border of two slides must not wait for each other."""
    plain = read([tiles_of(slide) for slide in slides])
    said = Said()
    place = Watched(tmp_path / "scratch", room * largest(slides), said)
    (tmp_path / "scratch").mkdir()
    np.testing.assert_array_equal(read([tiles_of(slide, place) for slide in slides], workers=workers), plain)
    assert not place.stuck
    assert 0 < place.most <= place.bound
    assert place.copies == SLIDES
    assert said == []
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_second_pass_over_the_same_slides_copies_them_again(slides, tmp_path):
    place = Watched(tmp_path, largest(slides), Said())
    sources = [tiles_of(slide, place) for slide in slides]
    first = read(sources)
    np.testing.assert_array_equal(read(sources), first)
    assert place.copies == 2 * SLIDES


def test_slides_larger_than_the_bound_are_read_where_they_are_with_one_line(slides, tmp_path):
    said = Said()
    place = Watched(tmp_path / "scratch", min(map(os.path.getsize, slides)) - 1, said)
    np.testing.assert_array_equal(
        read([tiles_of(slide, place) for slide in slides]), read([tiles_of(slide) for slide in slides])
    )
    assert place.copies == 0
    (line,) = said
    assert "0.tif takes" in line
    assert "larger slides are read where they are" in line


@pytest.mark.parametrize("error", [28, 30])
def test_a_full_or_read_only_scratch_is_one_line(slides, tmp_path, monkeypatch, error):
    def refuse(file, there, stopped):
        there.write_bytes(b"the beginning")
        raise OSError(error, os.strerror(error), str(there))

    said = Said()
    monkeypatch.setattr(scratch, "_copy_file", refuse)
    place = Scratch(tmp_path / "scratch", 1 << 30, said)
    np.testing.assert_array_equal(
        read([tiles_of(slide, place) for slide in slides]), read([tiles_of(slide) for slide in slides])
    )
    (line,) = said
    assert str(tmp_path / "scratch") in line
    assert os.strerror(error) in line
    assert bytes_in(tmp_path / "scratch") == 0


@pytest.mark.parametrize("end", ["consumer", "opening"])
def test_whatever_ends_the_reading_leaves_no_copy(slides, tmp_path, end):
    place = Scratch(tmp_path / "scratch", largest(slides), Said())
    sources = [tiles_of(slide, place) for slide in slides]
    if end == "opening":
        Path(slides[2]).write_bytes(b"no slide any more")
    batches = read_batches(sources, 50, workers=2)
    next(batches)
    if end == "consumer":
        batches.close()
    else:
        with pytest.raises(UserError, match=f"{slides[2]} .*no slide"):
            list(batches)
    assert bytes_in(tmp_path / "scratch") == 0
    assert place._used == 0


def test_errors_name_the_original(slides, tmp_path):
    with open_slide(slides[0]) as slide:
        assert slide.reader == "direct"
    sources = [tiles_of(slide, Scratch(tmp_path / "scratch", 1 << 30, Said())) for slide in slides[:1]]
    data = Path(slides[0]).read_bytes()
    Path(slides[0]).write_bytes(data[:8] + b"\0" * (len(data) // 2) + data[8 + len(data) // 2 :])
    batches = []
    try:
        batches = list(read_batches(sources, 500, workers=2))
        sentences = [str(error) for batch in batches for error in batch.unreadable.values()]
    except UserError as error:
        sentences = [str(error)]
    assert sentences
    assert all(slides[0] in sentence and str(tmp_path / "scratch") not in sentence for sentence in sentences)


def test_a_slide_that_vanishes_is_named_by_the_reader(slides, tmp_path):
    said = Said()
    sources = [tiles_of(slide, Scratch(tmp_path / "scratch", 1 << 30, said)) for slide in slides]
    os.unlink(slides[1])
    with pytest.raises(UserError, match=rf"{slides[1]} does not exist"):
        read(sources)
    assert said == []


def test_what_a_killed_process_left_is_removed_and_what_others_hold_is_not(slides, tmp_path):
    place = Scratch(tmp_path / "scratch", 1 << 30, Said())
    code = (
        "import sys, threading; from pathlib import Path; from bench.slides import Scratch\n"
        "copy = Scratch(Path(sys.argv[1]), 1 << 30, print).copy(sys.argv[2], threading.Event())\n"
        "print(copy.path, flush=True); sys.stdin.read()"
    )
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", code, str(tmp_path / "scratch"), slides[0]]
    child = subprocess.Popen(command, env=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    copied = Path(child.stdout.readline().strip())
    own = place.copy(slides[0], threading.Event())
    other_host = copied.parents[1].with_name(copied.parents[1].name.rpartition("-")[0] + "x-0123abcd")
    other_host.mkdir()
    (tmp_path / "scratch" / "of someone else").mkdir()
    place.sweep()
    assert copied.read_bytes() == Path(slides[0]).read_bytes()
    child.kill()
    child.wait()
    place.sweep()
    assert not copied.parents[1].exists()
    assert own.path.exists()
    assert other_host.is_dir()
    assert (tmp_path / "scratch" / "of someone else").is_dir()
    own.drop()
    own.drop()
    assert not own.path.exists()
    assert place._used == 0


def test_an_id_that_another_process_has_now_is_not_taken_for_the_first(tmp_path):
    name = scratch._owner(os.getpid())
    assert not scratch._is_abandoned(f"{name}-0123abcd")
    start = scratch._start_of(os.getpid())
    if start == "0":
        pytest.skip("this system does not tell when a process was started")
    assert scratch._is_abandoned(f"{name.replace(f'-{start}-', f'-{int(start) - 1}-')}-0123abcd")


def test_slides_of_several_files_are_copied_with_all_of_them(tmp_path, tissue):
    folder = tmp_path / "slides"
    (folder / "a").mkdir(parents=True)
    for name in ("a.mrxs", "b.mrxs", "a/Index.dat", "a/Data0000.dat"):
        (folder / name).write_bytes(name.encode())
    copy = Scratch(tmp_path / "scratch", 1 << 20, Said()).copy(str(folder / "a.mrxs"), threading.Event())
    found = {str(f.relative_to(copy.path.parent)): f.read_text() for f in copy.path.parent.rglob("*") if f.is_file()}
    assert found == {name: name for name in ("a.mrxs", "a/Index.dat", "a/Data0000.dat")}
    copy.drop()
    assert bytes_in(tmp_path / "scratch") == 0

    (folder / "c.vms").write_text("[Virtual Microscope Specimen]\nImageFile=c.jpg\nMapFile=gone.jpg\nNoLayers=1\n")
    (folder / "c.jpg").write_bytes(b"")
    assert slide_files(str(folder / "c.vms")) == [folder / "c.vms", folder / "c.jpg"]

    dicom = tmp_path / "dicom"
    dicom.mkdir()
    write_dicom(dicom / "1.dcm", tissue[1000:1600, :700], 0.25)
    (dicom / "2.dcm").write_bytes(b"of another level")
    assert slide_files(str(dicom / "1.dcm")) == [dicom / "1.dcm", dicom / "2.dcm"]
    (dicom / "2.dcm").unlink()
    plain = read([tiles_of(str(dicom / "1.dcm"))])
    place = Watched(tmp_path / "scratch", 1 << 30, Said())
    np.testing.assert_array_equal(read([tiles_of(str(dicom / "1.dcm"), place)]), plain)
    assert place.copies == 1
