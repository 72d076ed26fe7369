"""The restoration task from a folder of tiles to its tables, and again without computing anything."""

from __future__ import annotations

import collections
import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from command_helpers import bench, row_files
from PIL import Image
from restoration_helpers import CASES, IDENTITIES, STOPS, TRACK, folder, restore, stands, write_tiles
from skimage.metrics import peak_signal_noise_ratio

import bench as api
from bench.frontends import seeds_of
from bench.runs import restoring
from bench.tiles import read_batches

__all__ = ["folder", "stands"]


def table(folder: Path, results: str = "results", **where: str) -> list[dict[str, str]]:
    with open(folder / results / "restoration.csv", newline="") as file:
        return [line for line in csv.DictReader(file) if all(line[name] == value for name, value in where.items())]


def test_rows_of_all_cases_with_the_measures_of_every_tile(folder: Path, stands: collections.Counter[str]) -> None:
    done = restore(folder)
    assert done.returncode == 0, done.stderr
    rows = list(row_files(folder).values())
    assert {(row["model"], row["frontend"]) for row in rows} == {
        (restorer, case) for restorer in ("none", "median", "lighter") for case in CASES
    }
    assert {row["baseline"] for row in rows if row["model"] in ("none", "median")} == {True}
    assert {row["baseline"] for row in rows if row["model"] == "lighter"} == {False}
    assert {(row["protocol"], row["kind"], row["n_test"], row["n_groups"]) for row in rows} == {
        ("restoration", "image_quality", 24, 8)
    }
    [lighter] = [row for row in rows if (row["model"], row["frontend"]) == ("lighter", "darker_1")]
    saved = pd.read_parquet(folder / "results" / lighter["predictions"])
    expected = {}
    for file in sorted((folder / "tiles").glob("*.png")):
        clean = np.array(Image.open(file))
        restored = np.clip(np.clip(clean.astype(int) - 5, 0, 255) + 10, 0, 255).astype(np.uint8)
        expected[file.name] = peak_signal_noise_ratio(clean, restored, data_range=255)
    assert saved.set_index("id")["score_0"].to_dict() == pytest.approx(expected)
    assert lighter["metrics"]["psnr"]["value"] == pytest.approx(np.mean(list(expected.values())))
    assert saved["group"].tolist() == [f"p{i % 8}" for i in range(24)]


def test_each_corruption_is_computed_once_a_tile_and_each_restorer_once_a_case(
    folder: Path, stands: collections.Counter[str]
) -> None:
    restore(folder, "batch_size=7")
    assert stands == {
        **dict.fromkeys(CASES[1:], 24),
        "median": 24 * len(CASES),
        "lighter": 24 * len(CASES),
    }


def test_a_second_run_computes_nothing_and_leaves_the_same_tables(
    folder: Path, stands: collections.Counter[str]
) -> None:
    first = restore(folder)
    tables = {path.name: path.read_bytes() for path in (folder / "results").glob("*.csv")}
    stands.clear()
    second = restore(folder)
    assert not stands
    assert "15 of 15 rows up to date" in second.stderr
    assert second.stdout == first.stdout
    assert {path.name: path.read_bytes() for path in (folder / "results").glob("*.csv")} == tables


@pytest.mark.slow
def test_a_run_that_was_stopped_loses_the_corruption_that_it_was_at(
    folder: Path, stands: collections.Counter[str]
) -> None:
    STOPS.add("speckled_1")
    stopped = restore(folder, "batch_size=7")
    assert stopped.returncode == 130
    assert {row["frontend"] for row in row_files(folder).values()} == {"", "darker_1", "darker_2"}
    STOPS.clear()
    stands.clear()
    restore(folder, "batch_size=7")
    assert stands == {"speckled_1": 24, "speckled_2": 24, "median": 48, "lighter": 48}
    restore(folder, "results=other")
    assert (folder / "results" / "restoration.csv").exists()
    rate = {"tiles_per_s": ""}
    assert [line | rate for line in table(folder)] == [line | rate for line in table(folder, "other")]


@pytest.mark.slow
def test_tiles_beyond_the_memory_limit_are_decoded_again_for_each_corruption(
    folder: Path, stands: collections.Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def counting(*arguments: Any, **named: Any) -> Any:
        read.append(arguments)
        return read_batches(*arguments, **named)

    monkeypatch.setattr(restoring, "read_batches", counting)
    restore(folder, "batch_size=7")
    assert len(read) == 1
    monkeypatch.setattr(restoring, "MOST_KEPT", 3 * 7 * 32 * 32)
    restore(folder, "batch_size=7", "results=other")
    assert len(read) == 1 + len(CASES)
    rate = {"tiles_per_s": ""}
    assert [line | rate for line in table(folder)] == [line | rate for line in table(folder, "other")]


@pytest.mark.slow
def test_only_what_changed_is_computed_again(folder: Path, stands: collections.Counter[str]) -> None:
    restore(folder)
    stands.clear()
    IDENTITIES["lighter"] = "2"
    restore(folder)
    assert stands == {**dict.fromkeys(CASES[1:], 24), "lighter": 24 * len(CASES)}
    stands.clear()
    IDENTITIES["darker_2"] = "other"
    restore(folder)
    assert stands == {"darker_2": 24, "median": 24, "lighter": 24}
    stands.clear()
    next((folder / "results" / "predictions").rglob("*.parquet")).unlink()
    restore(folder)
    assert sum(stands.values()) in (0, 24, 48)
    assert "15 of 15 rows up to date" in restore(folder).stderr


@pytest.mark.slow
def test_more_restorers_and_severities_join_the_same_table(folder: Path, stands: collections.Counter[str]) -> None:
    restore(folder)
    stands.clear()
    done = restore(folder, "tasks.restoration.track.restorers=[median,lighter,idle]")
    assert stands == {**dict.fromkeys(CASES[1:], 24), "idle": 24 * len(CASES)}
    assert len({line["cohort_hash"] for line in table(folder)}) == 1
    assert " idle " in done.stdout


def test_batches_do_not_matter(folder: Path, stands: collections.Counter[str]) -> None:
    restore(folder, "batch_size=24")
    restore(folder, "batch_size=5", "results=other")
    for path, row in row_files(folder).items():
        other = folder / "other" / path.relative_to(folder / "results")
        assert other.exists()
        one, two = (pd.read_parquet(base / row["predictions"]) for base in (folder / "results", folder / "other"))
        pd.testing.assert_frame_equal(one, two, rtol=0, atol=1e-12)


def test_noise_is_that_of_the_seed_of_the_tile(folder: Path, stands: collections.Counter[str]) -> None:
    restore(folder)
    [row] = row_files(folder, model="none", frontend="speckled_1").values()
    saved = pd.read_parquet(folder / "results" / row["predictions"]).set_index("id")["score_0"]
    clean = np.array(Image.open(folder / "tiles" / "03.png"))
    noise = np.random.default_rng(int(seeds_of(["03.png"])[0])).integers(-9, 10, (3, 32, 32))
    noisy = np.clip(clean + noise.transpose(1, 2, 0), 0, 255).astype(np.uint8)
    assert saved["03.png"] == pytest.approx(peak_signal_noise_ratio(clean, noisy, data_range=255))


def test_the_table_by_hand(folder: Path, stands: collections.Counter[str]) -> None:
    """Within 0..255 everywhere: darker_1 is 5 off, lighter makes it 5 too bright; darker_2 is 10 off and mended."""
    restore(folder)
    of = {line["corruption"] + line["severity"]: line for line in table(folder, restorer="lighter", metric="psnr")}
    assert float(of["darker1"]["value"]) == pytest.approx(20 * np.log10(255 / 5), abs=1e-6)
    assert float(of["darker1"]["over_none"]) == pytest.approx(0, abs=1e-6)
    assert float(of["darker2"]["value"]) == 100.0
    assert float(of["darker2"]["over_none"]) == pytest.approx(100 - 20 * np.log10(255 / 10), abs=1e-6)
    assert of["darker2"]["best_classical"] == "median"
    assert of[""]["over_none"] == "", "on clean tiles there is nothing to win"
    assert float(of[""]["value"]) == pytest.approx(20 * np.log10(255 / 10), abs=1e-6)
    [median] = table(folder, restorer="median", corruption="darker", severity="2", metric="psnr")
    assert (median["over_none"], median["best_classical"], median["over_classical"]) == ("0.000000", "", "")


def test_the_printed_table_is_compact(folder: Path, stands: collections.Counter[str]) -> None:
    shown = restore(folder).stdout
    own = shown.split("Files in ")[0]
    assert "restoration  psnr and ssim against the clean tiles, 24 tiles, 8 groups, 4 cases of 2 corruptions" in own
    assert "psnr, mean over severities 1, 2" in own
    assert len(own.splitlines()) < 25
    assert "over baseline" not in own
    assert (folder / "results" / "restoration.csv").name in shown


def test_a_plan_writes_nothing(folder: Path, stands: collections.Counter[str]) -> None:
    done = bench(folder, "plan", "task=restoration", "data=tiles", *TRACK)
    assert done.returncode == 0, done.stderr
    assert "24 tiles, 8 groups, clean and behind 4 corruptions, 2 restorers and none; 15 of 15 rows to measure" in (
        done.stdout
    )
    assert not stands
    assert not (folder / "results").exists()


def test_from_python(folder: Path, stands: collections.Counter[str]) -> None:
    track = {"corruptions": ["darker"], "severities": [2], "restorers": ["lighter"]}
    found = api.evaluate(
        "colour",
        {"restoration": {"track": track}},
        data=folder / "tiles",
        results=folder / "results",
        cache=folder / "cache",
    )
    psnr = found.leaderboard.query("metric == 'psnr'").set_index(["model", "frontend"])["value"]
    assert psnr["lighter", "darker_2"] == 100.0
    assert psnr["none", "darker_2"] == pytest.approx(20 * np.log10(255 / 10))


def test_it_runs_beside_a_task_of_predictions(tmp_path: Path, stands: collections.Counter[str]) -> None:
    for label in ("a", "b"):
        write_tiles(tmp_path / "tiles" / label)
        (tmp_path / "tiles" / label / "manifest.csv").unlink()
    arguments = ("task=[tiles,restoration]", "model=colour", "null=none", "protocol=knn", "data=tiles")
    done = bench(tmp_path, *arguments, *TRACK)
    assert done.returncode == 0, done.stderr
    assert "tiles  primary metric balanced_accuracy" in done.stdout
    assert "restoration  psnr and ssim against the clean tiles, 48 tiles" in done.stdout


@pytest.mark.slow
def test_tiles_of_several_sizes_are_measured_together(folder: Path, stands: collections.Counter[str]) -> None:
    Image.fromarray(np.full((20, 40, 3), 90, np.uint8)).save(folder / "tiles" / "05.png")
    done = restore(folder)
    assert done.returncode == 0, done.stderr
    [row] = row_files(folder, model="none", frontend="darker_1").values()
    saved = pd.read_parquet(folder / "results" / row["predictions"]).set_index("id")["score_0"]
    assert saved["05.png"] == pytest.approx(20 * np.log10(255 / 5))
    assert len(saved) == 24


def test_the_models_of_the_run_are_not_loaded(folder: Path, stands: collections.Counter[str]) -> None:
    assert restore(folder, "model=uni").returncode == 0


def test_devices_other_than_the_first_do_not_run_it(folder: Path, stands: collections.Counter[str]) -> None:
    done = restore(folder, "steps=[embed]")
    assert done.returncode == 0, done.stderr
    assert not stands
    assert torch.is_inference_mode_enabled() is False


def test_real_front_ends_and_a_track_of_any_task(folder: Path) -> None:
    for label in ("a", "b"):
        write_tiles(folder / "classes" / label, n=6)
        (folder / "classes" / label / "manifest.csv").unlink()
    track = (
        "track.name=restoration",
        "track.corruptions=[jpeg,gaussian_noise]",
        "track.severities=[3]",
        "track.restorers=[median]",
    )
    done = bench(folder, "task=tiles", "data=classes", *(f"tasks.tiles.{setting}" for setting in track))
    assert done.returncode == 0, done.stderr
    assert "2 cases of 2 corruptions" in done.stdout
    psnr = {(line["restorer"], line["corruption"]): float(line["value"]) for line in table(folder, metric="psnr")}
    assert psnr["none", ""] == 100.0
    assert psnr["median", "gaussian_noise"] > psnr["none", "gaussian_noise"] + 2
