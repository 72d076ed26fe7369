"""A slide that is deleted while the slides before it are embedded."""

import shutil
import time

import pandas as pd
import pytest
from command_helpers import refused
from slide_command_helpers import SLIDES, features, on_slides

from bench.embedding.forward import Forward


@pytest.fixture
def own_slides(phantom_slides, tmp_path):
    """A manifest of copies of the slides, which a test may delete."""
    frame = pd.read_csv(phantom_slides)
    (tmp_path / "slides").mkdir()
    frame["slide"] = [
        shutil.copy(phantom_slides.parent / slide, tmp_path / "slides") for slide in frame["slide"].astype(str)
    ]
    frame.to_csv(tmp_path / "own.csv", index=False)
    return frame


@pytest.mark.slow
def test_a_slide_that_is_deleted_halfway(own_slides, tmp_path, monkeypatch):
    last = own_slides["slide"].iloc[-1]
    plain, gone = Forward.__call__, tmp_path / "gone.tif"

    def delete(self, *arguments, **keywords):
        if not gone.exists():
            deadline = time.monotonic() + 300
            while len(list((tmp_path / "cache" / "grids").rglob("*.h5"))) < SLIDES:
                assert time.monotonic() < deadline, "its grid is never laid"
                time.sleep(0.01)
            shutil.move(last, gone)
        return plain(self, *arguments, **keywords)

    monkeypatch.setattr(Forward, "__call__", delete)
    run = ("own.csv", "model=colour", "steps=[embed]", "batch_size=1", "workers=1")
    done = on_slides(tmp_path, *run)
    refused(done, "slidephantom")
    made = features(tmp_path, "colour")
    assert len(made) == SLIDES - 1, "all before it"
    assert list(tmp_path.rglob("*.claim")) == []
    times = {name: path.stat().st_mtime_ns for name, path in made.items()}

    refused(on_slides(tmp_path, *run), f"1 of {SLIDES} slide files of the manifest")

    shutil.move(gone, last)
    assert on_slides(tmp_path, *run).returncode == 0
    again = features(tmp_path, "colour")
    assert len(again) == SLIDES
    assert {name: again[name].stat().st_mtime_ns for name in times} == times, "what stood was made again"
