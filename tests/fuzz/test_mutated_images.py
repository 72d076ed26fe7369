"""A thousand mutated images and slides: each is read, or a sentence names it; nothing crashes or takes the memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("mutated_images.py")
TILES, SLIDES = 700, 300
LIMIT_S = 1200  # after which it hangs


def mutate(folder: Path, seed: int, tiles: int, slides: int) -> dict:
    """What became of so many mutated files."""
    arguments = [str(folder), str(seed), str(tiles), str(slides)]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_some_mutated_images(tmp_path) -> None:
    found = mutate(tmp_path, 7, 39, 12)
    assert found["faults"] == []
    counts = found["counts"]
    assert counts["tiles refused"] + counts["tiles read"] == 39
    assert counts["slides refused"] + counts["slides read"] == 12


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_a_thousand_mutated_images(tmp_path, seed) -> None:
    found = mutate(tmp_path, seed, TILES, SLIDES)
    assert found["faults"] == []
    counts = found["counts"]
    assert counts["tiles refused"] > 200
    assert counts["tiles read"] > 50
    assert counts["slides refused"] > 100
    assert counts["slides read"] > 30
