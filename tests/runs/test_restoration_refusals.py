"""What the restoration task refuses, a sentence each, and what it leaves out and goes on without."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest
from command_helpers import bench, refused, row_files
from PIL import Image
from restoration_helpers import CASES, TRACK, folder, restore, stands, write_tiles

__all__ = ["folder", "stands"]


def test_a_restorer_without_weights_is_one_sentence_and_the_others_run(
    folder: Path, stands: collections.Counter[str]
) -> None:
    done = restore(folder, "tasks.restoration.track.restorers=[lighter,weightless,picky]")
    refused(
        done, "weightless needs its checkpoint: set checkpoints.weightless=FILE.", "picky takes tiles of 64 px, not 32."
    )
    assert len(row_files(folder)) == 2 * len(CASES)
    assert "weightless" not in stands


def test_a_restorer_that_breaks_ends_alone(folder: Path, stands: collections.Counter[str]) -> None:
    done = restore(folder, "tasks.restoration.track.restorers=[broken,lighter]")
    refused(done, "broken: RuntimeError: out of order")
    assert {row["model"] for row in row_files(folder).values()} == {"none", "lighter"}


@pytest.mark.parametrize("argument", ["track.corruptions=[drker]", "track.severities=[7]", "track.restorers=[lihter]"])
def test_a_wrong_name_is_one_sentence_before_any_work(
    folder: Path, stands: collections.Counter[str], argument: str
) -> None:
    done = restore(folder, f"tasks.restoration.{argument}")
    refused(done, f"tasks.restoration.{argument.partition('=')[0]}")
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "results" / "rows").exists()


def test_tiles_smaller_than_the_window_are_one_sentence_before_any_work(
    tmp_path: Path, stands: collections.Counter[str]
) -> None:
    write_tiles(tmp_path / "tiles", n=3, side=10)
    done = restore(tmp_path)
    refused(done, "Tiles of 10 x 10 px are smaller than the window of SSIM, 11 px")
    assert not stands


def test_a_small_tile_among_large_ones_is_one_sentence_too(folder: Path, stands: collections.Counter[str]) -> None:
    Image.fromarray(np.zeros((10, 40, 3), np.uint8)).save(folder / "tiles" / "05.png")
    refused(restore(folder), "Tiles of 40 x 10 px are smaller than the window of SSIM")
    assert not (folder / "results" / "rows").exists()


def test_an_unreadable_tile_is_a_sentence_or_left_out(folder: Path, stands: collections.Counter[str]) -> None:
    (folder / "tiles" / "07.png").write_bytes(b"no image")
    refused(restore(folder), "07.png")
    assert not (folder / "results" / "rows").exists()
    done = restore(folder, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    assert {(row["n_test"], row["n_skipped"]) for row in row_files(folder).values()} == {(23, 1)}


def test_without_data_it_says_what_to_set(tmp_path: Path, stands: collections.Counter[str]) -> None:
    refused(bench(tmp_path, "task=restoration", *TRACK), "The task restoration needs data: set data=PATH")


def test_settings_and_checkpoints_of_its_restorers_are_those_of_the_run(
    folder: Path, stands: collections.Counter[str]
) -> None:
    assert restore(folder, "frontends.lighter.by=3", "checkpoints.lighter=file").returncode == 0
    refused(restore(folder, "frontends.idle.by=3"), "frontends.idle is set and frontend=none does not name idle")
    refused(restore(folder, "checkpoints.idle=file"), "checkpoints.idle is set but neither")


def test_a_front_end_of_encoders_has_no_part_in_it(folder: Path, stands: collections.Counter[str]) -> None:
    refused(
        restore(folder, "frontend=darker_1"), "frontend=darker_1 stands before an encoder", "has none: leave it out"
    )
