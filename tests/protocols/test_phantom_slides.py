"""Attention-based MIL on slides whose truth is known: it finds the tumour, and needs to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from bench.demo import make_slides
from bench.demo.textures import Tissue
from bench.rows import read_predictions

REPO = Path(__file__).resolve().parents[2]
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    """The manifest by slide, and the results of both heads."""
    folder = tmp_path_factory.mktemp("phantom")
    table = make_slides(folder / "cohort")  # on smaller slides a tumour moves the mean enough to be found by it
    command = [sys.executable, "-m", "bench", "task=slides", f"data={table}", "model=efficientnet_lite0", "null=none"]
    command += ["protocol=[abmil,mean_pool]", "bootstrap=50", f"seeds={list(SEEDS)}".replace(" ", "")]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv(table)
    frame["truth"] = [str(table.parent / path) for path in frame["truth"]]
    return frame.set_index(frame["slide"].map(lambda path: Path(path).stem)), folder / "results"


def row(results: Path, protocol: str, seed: int) -> dict:
    (path,) = results.glob(f"rows/slides/*/efficientnet_lite0/{protocol}-*-seed{seed}.json")
    found: dict = json.loads(path.read_text())
    return found


def tumour_shares(slide: pd.Series, coords: np.ndarray, side: int) -> np.ndarray:
    """Share of tumour in the truth of each tile."""
    mask = np.asarray(Image.open(slide["truth"])) == Tissue.TUMOUR
    first = coords // slide["truth_downsample"]
    last = -(-(coords + side) // slide["truth_downsample"])
    return np.array([mask[y:y2, x:x2].mean() for (x, y), (x2, y2) in zip(first, last, strict=True)])


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_attention_finds_the_tumour(finished: tuple[pd.DataFrame, Path], seed: int) -> None:
    manifest, results = finished
    within, truth, attention = [], [], []
    with h5py.File(results / row(results, "abmil", seed)["info"]["attention"]) as file:
        for group in file.values():
            slide = manifest.loc[group.attrs["slide"]]
            assert slide["split"] == "test"
            if slide["label"] != "tumour":
                continue
            coords = group["coords"]
            is_tumour = tumour_shares(slide, coords[:], int(coords.attrs["patch_size_level0"])) >= 0.5
            truth.append(is_tumour)
            attention.append(group["attention"][:] * len(is_tumour))
            if is_tumour.any():
                within.append(roc_auc_score(is_tumour, attention[-1]))
    assert len(within) >= 3
    together = roc_auc_score(np.concatenate(truth), np.concatenate(attention))
    print(f"AUROC of attention: {np.round(within, 3)}, mean {np.mean(within):.3f}, all tiles {together:.3f}")
    assert np.mean(within) > 0.9
    assert together > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_attention_beats_the_mean(finished: tuple[pd.DataFrame, Path], seed: int) -> None:
    _, results = finished
    auroc = {}
    for protocol in ("abmil", "mean_pool"):
        predictions = read_predictions(results / row(results, protocol, seed)["predictions"])
        auroc[protocol] = roc_auc_score(predictions.y_true, predictions.scores[:, 1])
    print(f"AUROC of slides: {auroc}")
    assert auroc["abmil"] > auroc["mean_pool"]
    assert auroc["abmil"] > 0.8
