"""The robustness task from labelled tiles to its rows: heads of clean tiles on corrupted and restored ones."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_helpers import Done, bench, refused, row_files
from PIL import Image
from restoration_helpers import stands

from bench.protocols import Predictions
from bench.runs.clean_thresholds import CleanThreshold, clean_thresholds, threshold_shift
from bench.runs.robustness_rows import parted

__all__ = ["stands"]
TRACK = (
    "tasks.robustness.track.corruptions=[darker,speckled]",
    "tasks.robustness.track.severities=[1,5]",
    "tasks.robustness.track.restorers=[lighter]",
)
CORRUPTED = ("", "darker_1", "darker_5", "speckled_1", "speckled_5")
CHAINS = [*CORRUPTED, *(f"{name}+lighter".strip("+") for name in CORRUPTED)]


def measure(folder: Path, *arguments: str) -> Done:
    own = ("task=robustness", "data=tiles", "model=colour", "null=none", "protocol=linear", "bootstrap=50")
    return bench(folder, *own, *TRACK, *arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tiles of two classes that differ in brightness, of patients on either side."""
    rng = np.random.default_rng(0)
    lines = ["path,label,patient,split"]
    (tmp_path / "tiles").mkdir()
    for number in range(48):
        label, split = "ab"[number % 2], "train" if number < 32 else "test"
        pixels = rng.normal(90 + 60 * (number % 2), 8 + number % 5, (24, 24, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "tiles" / f"{number}.png")
        lines.append(f"{number}.png,{label},p{number // 2},{split}")
    (tmp_path / "tiles" / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def predictions(folder: Path, row: dict) -> pd.DataFrame:
    return pd.read_parquet(folder / "results" / row["predictions"])


def test_a_row_of_every_front_end_for_features_and_heads(folder: Path, stands: collections.Counter[str]) -> None:
    done = measure(folder)
    assert done.returncode == 0, done.stderr
    every = row_files(folder).values()
    by_name = {(row["protocol"], row["frontend"]): row for row in every}
    assert by_name.keys() == {
        (protocol, chain) for protocol in ("similarity", "linear", "linear-augmented") for chain in CHAINS
    }

    clean = by_name["similarity", ""]["metrics"]
    assert clean["cosine"]["value"] == pytest.approx(1.0)
    assert (clean["top1"]["value"], clean["recovery"]["value"]) == (1.0, None)
    lost = by_name["similarity", "darker_5"]["metrics"]["cosine"]["value"]
    restored = by_name["similarity", "darker_5+lighter"]
    table = predictions(folder, restored)
    recovery = 1 - (1 - table["score_0"]).sum() / (1 - table["score_3"]).sum()
    assert restored["metrics"]["recovery"]["value"] == pytest.approx(recovery)
    assert table["score_3"].mean() == pytest.approx(lost)
    assert 0 < recovery < 1, "10 of the 25 grey levels are given back"

    of_clean, of_dark = by_name["linear", ""], by_name["linear", "darker_5"]
    assert of_clean["metrics"]["balanced_accuracy"]["value"] == 1.0
    assert of_dark["info"]["temperature"] == of_clean["info"]["temperature"], "one fit, on clean tiles"
    shift = of_dark["info"]["threshold_shift"]
    assert of_clean["info"]["threshold_shift"].keys() == shift.keys()
    assert shift["sensitivity_at_95_specificity"] < 0, "dark tiles look like the dark class"
    assert by_name["linear-augmented", ""]["n_train"] == 2 * of_clean["n_train"]


@pytest.mark.slow
def test_the_second_run_computes_nothing_and_a_new_restorer_only_its_rows(
    folder: Path, stands: collections.Counter[str]
) -> None:
    assert measure(folder).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in row_files(folder)}
    stands.clear()

    assert measure(folder).returncode == 0
    assert not stands
    assert {path: path.stat().st_mtime_ns for path in row_files(folder)} == before

    more = measure(folder, "tasks.robustness.track.restorers=[lighter,idle]")
    assert more.returncode == 0, more.stderr
    assert stands["idle"] == 5 * 16, "clean test tiles and those of four corruptions"
    assert len(row_files(folder)) == 3 * 15


@pytest.mark.slow
def test_idle_restoring_recovers_nothing_and_harms_nothing(folder: Path, stands: collections.Counter[str]) -> None:
    assert measure(folder, "tasks.robustness.track.restorers=[idle]").returncode == 0
    by_name = {(row["protocol"], row["frontend"]): row["metrics"] for row in row_files(folder).values()}

    assert by_name["similarity", "speckled_5+idle"]["recovery"]["value"] == pytest.approx(0.0)
    assert by_name["similarity", "idle"]["cosine"]["value"] == pytest.approx(1.0)
    assert by_name["linear", "darker_5+idle"] == by_name["linear", "darker_5"]


@pytest.mark.slow
def test_fewer_test_tiles_are_another_cohort(folder: Path, stands: collections.Counter[str]) -> None:
    assert measure(folder, "tasks.robustness.track.tiles=8").returncode == 0
    rows = list(row_files(folder).values())
    assert {row["n_test"] for row in rows} == {8}
    assert measure(folder).returncode == 0
    assert len({row["cohort_hash"] for row in row_files(folder).values()}) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["frontend=darker_1"], "do not go together"),
        (["tasks.robustness.track.corruptions=[darke]"], "Is darker meant?"),
        (["tasks.robustness.track.severities=[7]"], "from 1 to 5"),
        (["tasks.robustness.track.restorers=[lightr]"], "Is lighter meant?"),
        (["tasks.robustness.split.folds=3"], "has one test set"),
        (["protocol=abmil"], "abmil"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_embedded(
    folder: Path, stands: collections.Counter[str], arguments: list[str], sentence: str
) -> None:
    if "folds" in arguments[0]:
        table = folder / "tiles" / "manifest.csv"
        table.write_text("\n".join(line.rpartition(",")[0] for line in table.read_text().splitlines()))
    refused(measure(folder, *arguments), sentence)
    assert not stands


def test_a_restorer_without_weights_is_named_and_the_others_are_measured(
    folder: Path, stands: collections.Counter[str]
) -> None:
    done = measure(folder, "tasks.robustness.track.restorers=[weightless,lighter]")
    refused(done, "weightless needs its checkpoint")
    assert {row["frontend"] for row in row_files(folder).values()} == set(CHAINS)


def test_the_threshold_shift_by_hand():
    def of(scores: list[float]) -> Predictions:
        table = np.stack([1 - np.array(scores), scores], axis=1)
        names = np.array([str(i) for i in range(len(scores))])
        info = {"thresholds": {"sensitivity_at_95_specificity": 0.5}}
        return Predictions(names, names, np.array([0, 0, 0, 0, 1, 1]), table, info)

    clean, dark = of([0.1, 0.2, 0.3, 0.6, 0.7, 0.9]), of([0.0, 0.05, 0.1, 0.3, 0.2, 0.8])
    on_clean = clean_thresholds(clean)

    # three of four negatives are below 0.5, and so they are below 0.6, the next score
    assert on_clean == {"sensitivity_at_95_specificity": CleanThreshold(0.75, 0.6)}
    assert threshold_shift(clean, on_clean) == {"sensitivity_at_95_specificity": 0.0}
    # three of four negatives are below 0.2 and not below 0.1, so the threshold moves from 0.6 to 0.2
    assert threshold_shift(dark, on_clean) == pytest.approx({"sensitivity_at_95_specificity": -0.4})


def test_predictions_of_joined_samples_are_parted_again():
    table = np.arange(10, dtype=float).reshape(5, 2)
    names = np.array(list("abcde"))
    whole = Predictions(names, names, np.arange(5), table, calibrated=table + 1)

    first, second = parted(whole, [2, 3])

    assert (first.ids.tolist(), second.ids.tolist()) == (["a", "b"], ["c", "d", "e"])
    np.testing.assert_array_equal(second.scores, table[2:])
    np.testing.assert_array_equal(second.calibrated, table[2:] + 1)


def test_plan_says_what_would_be_measured(folder: Path, stands: collections.Counter[str]) -> None:
    done = measure(folder, "steps=[plan]")
    assert done.returncode == 0, done.stderr
    assert "16 test tiles of 8 groups behind 10 front-ends, 32 tiles to train on" in done.stdout
    assert not list(folder.glob("results/**/*.json"))
