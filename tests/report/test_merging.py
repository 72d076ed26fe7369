"""Tables of several results folders: those of one folder with all the rows, and what is said where folders differ."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, Predicted, predicted, rebuild
from merged_folders import changed, copy_run, report, row_of, shared_out, tables, with_value
from robustness_rows import add_head, add_similarity

from bench.results import read_leaderboard
from bench.rows import merged_rows, predictions_path, read_rows, row_path, write

pytestmark = pytest.mark.usefixtures("each_warning_anew")


@pytest.fixture
def everything(filled: Path, add_run: AddRun) -> Path:
    """Rows of every table and plot: seeds and folds, five tasks of a head, robustness, restoration, a failure."""
    for task, (place, model) in itertools.product(("t1", "t2", "t3"), enumerate(("uni", "resnet50", "colour"))):
        add_run(model, predicted(2.0 - place, seed=place), task=task)
    for model, (seed, fold) in itertools.product(("uni", "resnet50"), itertools.product((0, 1), (1, 2))):
        one = predicted(2.0 + (model == "uni"), seed=10 * seed + fold)
        ids, groups = (np.array([f"{fold}-{name}" for name in names]) for names in (one.ids, one.groups))
        add_run(model, replace(one, ids=ids, groups=groups), task="folds", seed=seed, fold=fold)
    for model, wrong in (("uni", (2, 4, 8)), ("gpfm", (1, 6, 12)), ("colour", (7, 7, 7))):
        for frontend, n in zip(("", "jpeg_1", "jpeg_5"), wrong, strict=True):
            add_head(add_run, model, frontend, n)
            add_similarity(add_run, model, frontend, [0.9, 0.8])
    for frontend, n in (("lpfm", 2), ("jpeg_1+lpfm", 1), ("jpeg_5+lpfm", 2)):
        add_head(add_run, "uni", frontend, n)
    tiles = np.array([f"tile {i}" for i in range(6)])
    for place, restorer in enumerate(("none", "median", "lpfm")):
        values = np.column_stack([np.arange(20.0, 26.0) + place**2, np.full(6, 0.5), np.full(6, np.nan)])
        add_run(
            restorer,
            Predicted(tiles, tiles, np.empty((6, 0)), values, kind="image_quality"),
            task="restoration",
            frontend="jpeg_1",
            protocol="restoration",
            kind="image_quality",
            classes=["psnr", "ssim", "lpips"],
            primary_metric="psnr",
            baseline=restorer != "lpfm",
        )
    return filled


@pytest.mark.slow
def test_tables_of_two_folders_are_those_of_one_folder_with_all_rows(
    everything: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(f"results={everything}", plots="best") == 0
    printed = capsys.readouterr()
    expected = tables(everything)
    of_tracks = {"leaderboard.csv", "restoration.csv", "robustness_summary.csv", "plots/critical_difference-linear.svg"}
    assert of_tracks < set(expected)
    assert any(name.startswith("plots/") for name in expected)
    a, b, out = tmp_path / "a", tmp_path / "b", tmp_path / "out"
    shared_out(everything, [a, b])
    before = {path: path.read_bytes() for folder in (a, b) for path in folder.rglob("*") if path.is_file()}

    assert report(f"results={b},{a}", f"out={out}", plots="best") == 0

    assert tables(out) == expected
    merged = capsys.readouterr()
    (text, files), (text_of_one, _) = (shown.out.split("\n\nFiles in ") for shown in (merged, printed))
    assert text == text_of_one
    assert all(f"\n  {folder / 'predictions'}/ " in files for folder in (a, b))
    assert merged.err == printed.err == ""
    assert {path: path.read_bytes() for folder in (a, b) for path in folder.rglob("*") if path.is_file()} == before


def test_the_order_of_folders_does_not_matter(filled: Path, tmp_path: Path) -> None:
    rebuild(filled)
    folders = [tmp_path / name for name in "abc"]
    shared_out(filled, folders, in_all=3)
    assert all(0 < len(read_rows(folder)[0]) < len(read_rows(filled)[0]) for folder in folders)
    for a, b, c in (folders, folders[::-1]):
        assert report(f"results=[{a}, {b}, {c}]", f"out={tmp_path / 'out'}", "plots=none") == 0
        assert tables(tmp_path / "out") == tables(filled)


def test_times_and_names_of_jobs_are_no_difference(two: tuple[Path, Path]) -> None:
    a, b = two
    changed(b, tiles_per_s=None, info={"job": "123_4"}, notes=["the batch was halved"])
    changed(a, "colour", tiles_per_s=None)
    for folders in ([a, b], [b, a]):
        found = merged_rows(folders)
        assert found.sentences == []
        rows = {row.model: row for row in found.rows}
        assert sorted(rows) == ["colour", "dino", "resnet50", "uni"]
        assert rows["uni"] == row_of(a), "which knows its rate"
        assert rows["colour"] == row_of(b, "colour")
        assert found.predictions_path(rows["dino"]) == predictions_path(b, rows["dino"].key)


def test_other_values_under_one_run_hash_are_reported_and_those_of_the_folder_named_first_used(
    two: tuple[Path, Path],
) -> None:
    a, b = two
    row = row_of(a)
    changed(b, metrics=with_value(row, row.metrics["accuracy"]["value"] - 0.25))
    for first, second in ((a, b), (b, a)):
        found = merged_rows([first, second])
        (sentence,) = found.sentences
        assert sentence.startswith("Rows with the same run hash have different values")
        path = row_path(Path(), row.key)
        assert f"{path} of {first} (used), {second} (accuracy differs by 0.25)" in sentence
        assert "colour" not in sentence
        assert {row.model: row for row in found.rows}["uni"] == row_of(first)
        assert found.folders[row.key] == first


def test_a_run_with_other_settings_is_reported_likewise(two: tuple[Path, Path]) -> None:
    a, b = two
    changed(b, run_hash="other", version="0.2.0")
    sentences = merged_rows([a, b]).sentences
    assert sentences[0].startswith("Rows of the same run have different run hashes")
    assert f"{row_path(Path(), row_of(a).key)} of {a} (used), {b}." in sentences[0]
    assert len(sentences) == 1, "the row of the other version is not used"
    sentences = merged_rows([b, a]).sentences
    assert sentences[1].endswith(f"than this one (0.1.0) are used as they are: 1 of 0.2.0 ({b}).")
    assert len(sentences) == 2


def test_differences_in_other_fields_are_reported(two: tuple[Path, Path]) -> None:
    a, b = two
    changed(b, n_test=59)
    changed(
        b, "colour", metrics={**row_of(b, "colour").metrics, "accuracy": {"value": None, "ci_low": 0, "ci_high": 1}}
    )
    (sentence,) = merged_rows([a, b]).sentences
    assert f"{b} (n_test 59 and not 60)" in sentence
    assert f"{b} (another accuracy)" in sentence


def test_rounding_is_no_difference_and_is_counted(two: tuple[Path, Path]) -> None:
    a, b = two
    for model, size in (("uni", 2e-8), ("colour", 3e-7)):
        row = row_of(b, model)
        changed(b, model, metrics=with_value(row, row.metrics["accuracy"]["value"] + size))
    found = [merged_rows(folders) for folders in ([a, b], [b, a])]
    assert found[0].rows == found[1].rows
    for one in found:
        (sentence,) = one.sentences
        assert sentence.endswith(
            "rounding in 2 runs, of which one row each is used: accuracy differs by 3e-07 at most."
        )
    row = row_of(b)
    changed(b, metrics=with_value(row, row.metrics["accuracy"]["value"] + 1e-5))
    of_values, of_rounding = merged_rows([a, b]).sentences
    assert f"{b} (accuracy differs by 1e-05)" in of_values
    assert "in 1 run, of which" in of_rounding


@pytest.mark.parametrize(("psnr", "word"), [(30.00002, "rounding"), (30.0002, "different values")])
def test_rounding_is_measured_by_the_number(
    psnr: float, word: str, tmp_path: Path, results: Path, add_run: AddRun
) -> None:
    row = add_run("uni", values={"psnr": 30.0})
    write(tmp_path / "b", replace(row, metrics={"psnr": {**row.metrics["psnr"], "value": psnr}}), None)
    (sentence,) = merged_rows([results, tmp_path / "b"]).sentences
    assert word in sentence


def test_the_largest_difference_is_named_first(tmp_path: Path, results: Path, add_run: AddRun) -> None:
    for seed, value in enumerate((0.4, 0.1, 0.3)):
        row = add_run("uni", seed=seed, values={"accuracy": 0.5, "psnr": 30.0})
        write(tmp_path / "b", replace(row, metrics=with_value(row, value)), None)
    (sentence,) = merged_rows([results, tmp_path / "b"]).sentences
    places = [sentence.index(f"differs by {size}") for size in ("0.4", "0.2", "0.1")]
    assert places == sorted(places)


def test_many_differences_are_one_short_sentence(tmp_path: Path, results: Path, add_run: AddRun) -> None:
    for seed in range(25):
        row = add_run("uni", seed=seed, values={"accuracy": 0.5})
        write(tmp_path / "b", replace(row, metrics=with_value(row, 0.75)), None)
    (sentence,) = merged_rows([results, tmp_path / "b"]).sentences
    assert sentence.count("differs by 0.25") == 20
    assert sentence.endswith("; and 5 more.")


def test_a_row_with_scores_is_used_before_a_failed_one_of_the_folder_named_first(two: tuple[Path, Path]) -> None:
    a, b = two
    good = row_of(b)
    failed = changed(a, status="failed", error="Out of memory.", metrics={}, predictions="", run_hash="")
    for folders in ([a, b], [b, a]):
        found = merged_rows(folders)
        assert found.sentences == []
        assert {row.model: row for row in found.rows}["uni"] == good
    other = changed(b, status="failed", error="Killed.", metrics={}, predictions="", run_hash="")
    assert failed.key == other.key
    assert merged_rows([a, b]).rows == merged_rows([b, a]).rows
    changed(a, status="lost", error="Its job was lost.")
    for folders in ([a, b], [b, a]):
        assert other in merged_rows(folders).rows, "which says more than that a job was lost"


def test_of_rows_that_agree_the_one_whose_predictions_are_there_is_used(two: tuple[Path, Path]) -> None:
    a, b = two
    predictions_path(a, row_of(a).key).write_bytes(b"cut")
    changed(b, "colour", stale_error="Out of memory.")
    for folders in ([a, b], [b, a]):
        found = merged_rows(folders)
        assert found.folders[row_of(a).key] == b
        assert found.folders[row_of(a, "colour").key] == a
        faulty: list[str] = []
        assert len(read_leaderboard(found, warn=faulty.append).entries) == 4
        assert faulty == []


def test_a_mean_over_seeds_of_different_weights_is_named(tmp_path: Path, results: Path, add_run: AddRun) -> None:
    b = tmp_path / "b"
    for seed, sha in enumerate("xy"):
        row = add_run("uni", predicted(1.0), seed=seed, info={"weights": {"sha256": sha}})
        add_run("dino", predicted(1.0), seed=seed, info={"weights": {"sha256": "same"}})
    copy_run(results, row, b)
    row_path(results, row.key).unlink()
    (sentence,) = merged_rows([results, b]).sentences
    assert sentence.startswith("Means over seeds and folds are of different weights")
    assert sentence.endswith(f": uni on demo with linear ({results}, {b}).")
