"""The restoration task with the weights of LPIPS and without."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from command_helpers import Done, bench, refused, row_files
from lpips_helpers import show_package, write_backbone, write_heads
from PIL import Image
from restoration_helpers import stands, write_tiles

from bench.frontends import Clean, LpipsWeights

__all__ = ["stands"]
TRACK = (
    "tasks.restoration.track.corruptions=[darker]",
    "tasks.restoration.track.severities=[1,2]",
    "tasks.restoration.track.restorers=[lighter]",
)
ROWS = 2 * 3


def restore(folder: Path, *arguments: str, plan: bool = False) -> Done:
    return bench(folder, *(["plan"] * plan), "task=restoration", "data=tiles", *TRACK, "bootstrap=50", *arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tiles(tmp_path / "tiles", n=6, groups=3)
    return tmp_path


def add_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> LpipsWeights:
    """Into the hub folder and the packages."""
    weights = LpipsWeights(write_backbone(folder / "hub"), write_heads(folder))
    show_package(monkeypatch, folder)
    return weights


def test_without_weights_it_is_none_in_rows_and_in_no_table(folder: Path, stands: collections.Counter[str]) -> None:
    done = restore(folder)
    assert done.returncode == 0, done.stderr
    assert "restoration: LPIPS is not measured: install the package lpips and put " in done.stderr
    assert "psnr and ssim against the clean tiles" in done.stdout
    assert "lpips" not in (folder / "results" / "restoration.csv").read_text()
    for row in row_files(folder).values():
        assert row["metrics"]["lpips"]["value"] is None
        assert row["classes"] == ["psnr", "ssim", "lpips"]
        assert not any("LPIPS" in note for note in row["notes"])


def test_values_are_those_of_the_weights(
    folder: Path, stands: collections.Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = add_weights(folder, monkeypatch)
    done = restore(folder, "batch_size=4")
    assert done.returncode == 0, done.stderr
    assert f"restoration: LPIPS is measured, with {weights.backbone}." in done.stderr
    assert "psnr, ssim and lpips against the clean tiles" in done.stdout
    network = weights.load(torch.device("cpu"))
    [row] = row_files(folder, model="none", frontend="darker_2").values()
    saved = pd.read_parquet(folder / "results" / row["predictions"]).set_index("id")["score_2"]
    for file in sorted((folder / "tiles").glob("*.png")):
        clean = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None]
        darker = (clean.int() - 10).clamp(0, 255).to(torch.uint8)
        assert saved[file.name] == Clean(clean, network).lpips(darker)[0] > 0
    assert row["metrics"]["lpips"]["value"] == pytest.approx(saved.mean())
    assert row["info"]["lpips"] == weights.identity
    for model, case in (("none", ""), ("lighter", "darker_2")):
        [same] = row_files(folder, model=model, frontend=case).values()
        assert same["metrics"]["lpips"]["value"] == 0.0


@pytest.mark.slow
def test_rows_are_made_again_with_the_weights_and_are_up_to_date_then(
    folder: Path, stands: collections.Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"{ROWS} of {ROWS} rows to measure" in restore(folder, plan=True).stdout
    restore(folder)
    assert f"{ROWS} of {ROWS} rows up to date" in restore(folder).stderr
    weights = add_weights(folder, monkeypatch)
    planned = restore(folder, plan=True).stdout
    assert f"{ROWS} of {ROWS} rows to measure" in planned
    assert f"  LPIPS is measured, with {weights.backbone}." in planned
    restore(folder)
    assert len(row_files(folder)) == ROWS, "in place of the former ones"
    assert f"{ROWS} of {ROWS} rows up to date" in restore(folder).stderr
    weights.backbone.unlink()
    done = restore(folder)
    assert f"{ROWS} of {ROWS} rows up to date" in done.stderr, "nothing is lost with the weights"
    assert "psnr, ssim and lpips" in done.stdout
    other = torch.load(weights.heads)
    torch.save({name: value * 2 for name, value in other.items()}, weights.heads)
    write_backbone(folder / "hub")
    assert f"0 of {ROWS} rows up to date" in restore(folder).stderr


def test_weights_dir_is_searched_too(
    folder: Path, stands: collections.Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = add_weights(folder, monkeypatch)
    own = folder / "own" / weights.backbone.name
    own.parent.mkdir()
    weights.backbone.rename(own)
    assert f"LPIPS is measured, with {own}." in restore(folder, f"weights_dir={own.parent}", plan=True).stdout


def test_tiles_that_are_too_small_are_left_out_with_a_note(
    folder: Path, stands: collections.Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_weights(folder, monkeypatch)
    Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(folder / "tiles" / "05.png")
    done = restore(folder)
    assert done.returncode == 0, done.stderr
    assert "note: LPIPS is not measured of 1 of 6 tiles, which are below 31 px." in done.stdout
    [row] = row_files(folder, model="none", frontend="darker_1").values()
    saved = pd.read_parquet(folder / "results" / row["predictions"]).set_index("id")["score_2"]
    assert saved.index[saved.isna()].tolist() == ["05.png"]
    assert row["metrics"]["lpips"]["value"] == pytest.approx(saved.mean())


def test_damaged_weights_are_one_sentence_before_any_row(
    folder: Path, stands: collections.Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = add_weights(folder, monkeypatch)
    weights.backbone.write_bytes(b"half a download")
    refused(restore(folder), f"{weights.backbone} holds no weights that can be read")
    assert not (folder / "results" / "rows").exists()
