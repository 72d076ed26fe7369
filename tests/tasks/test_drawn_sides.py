"""What is drawn for a task is spread evenly: every fold, test side and validation side has its share of every class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from bench.tasks import Manifest

PATIENTS, EACH = 90, 2
SHARES = {"common": 0.6, "seldom": 0.3, "rare": 0.1}

KINDS = {
    "classes": ("tasks.tiles.min_groups=1",),
    "ordinal": ("tasks.tiles.kind=ordinal", "tasks.tiles.classes=[common,seldom,rare]", "tasks.tiles.min_groups=1"),
    "survival": ("tasks.tiles.kind=survival",),
    "multilabel": ("tasks.tiles.kind=multilabel", "tasks.tiles.targets=[often,never]"),
    "regression": ("tasks.tiles.kind=regression", "tasks.tiles.targets=[number]"),
}


@pytest.fixture
def table(data: Path) -> Path:
    """Patients of one class each, dealt at random; the other answers say the same in their own ways."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(list(SHARES), [round(PATIENTS * share) for share in SHARES.values()]))
    with h5py.File(data / "tiles.h5", "w") as file:
        file["x"] = np.zeros((PATIENTS * EACH, 8, 8, 3), np.uint8)
    label = np.repeat(labels, EACH)
    patient = np.repeat(np.arange(PATIENTS), EACH)
    frame = pd.DataFrame(
        {
            "id": [f"tile {number}" for number in range(PATIENTS * EACH)],
            "path": "tiles.h5",
            "index": range(PATIENTS * EACH),
            "patient": [f"P{number}" for number in patient],
            "label": label,
            "time": 1 + patient,
            "event": (label == "rare").astype(int),
            "often": (label == "common").astype(int),
            "never": (label == "rare").astype(int),
            "number": [list(SHARES).index(name) + number / 1000 for name, number in zip(label, patient, strict=True)],
        }
    )
    frame.to_csv(data / "manifest.csv", index=False)
    return data / "manifest.csv"


def strata(manifest: Manifest) -> np.ndarray:
    """What ought to be spread evenly, from the table itself."""
    frame, kind = manifest.frame, manifest.task.kind
    if kind == "regression":
        return pd.qcut(frame["number"].astype(float), 4, labels=False).to_numpy()
    return frame[{"classes": "label", "ordinal": "label", "survival": "event", "multilabel": "never"}[kind]].to_numpy(
        str
    )


def assert_even(manifest: Manifest, chosen: np.ndarray, among: np.ndarray, share: float) -> None:
    """Of every stratum, `share` of the samples among which were drawn are chosen, to within one patient."""
    of = strata(manifest)
    for stratum in np.unique(of):
        there = (of == stratum) & among
        assert abs((chosen & there).sum() - share * there.sum()) <= EACH, (stratum, share)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_drawn_folds(read: Callable[..., Manifest], table: Path, kind: str, seed: int) -> None:
    drawn = ("tasks.tiles.split.folds=5", f"tasks.tiles.split.seed={seed}", "tasks.tiles.split.val=0.25")
    manifest = read("tiles", table, *KINDS[kind], *drawn)
    everything = np.ones(len(manifest), bool)
    for fold in manifest.folds:
        side = manifest.split_labels_of(fold)
        assert_even(manifest, side == "test", everything, 1 / 5)
        assert_even(manifest, side == "val", side != "test", 0.25)
    assert (sum((manifest.split_labels_of(fold) == "test").astype(int) for fold in manifest.folds) == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawn_split(read: Callable[..., Manifest], table: Path, kind: str) -> None:
    manifest = read("tiles", table, *KINDS[kind], "tasks.tiles.split.test=0.3", "tasks.tiles.split.val=0.2")
    side = manifest.split_labels_of(0)
    assert_even(manifest, side == "test", np.ones(len(manifest), bool), 0.3)
    assert_even(manifest, side == "val", side != "test", 0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_drawn_beside_named_test_samples(read: Callable[..., Manifest], table: Path, kind: str) -> None:
    frame = pd.read_csv(table)
    frame["split"] = np.where(frame["patient"].str[1:].astype(int) < 30, "test", "train")
    frame.to_csv(table, index=False)
    manifest = read("tiles", table, *KINDS[kind], "tasks.tiles.split.val=0.25")
    side = manifest.split_labels_of(0)
    assert list(manifest.frame["id"][side == "test"]) == list(frame["id"][frame["split"] == "test"])
    assert_even(manifest, side == "val", side != "test", 0.25)
