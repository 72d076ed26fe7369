"""The linear probe at the strengths of its sweep against scikit-learn on features of real tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from protocol_helpers import logistic_oracle

import registry
from bench.protocols import linear
from bench.protocols.logistic import Design, solve
from benchmarks.linear import crops_as_patches, objective, tiles_of

DEFAULTS = linear.Config()
STRENGTHS = np.logspace(np.log10(DEFAULTS.c_min), np.log10(DEFAULTS.c_max), DEFAULTS.n_strengths)
WIDE = np.array([0, 12, 24, 44])  # of the wide matrix only these: `python -m benchmarks.linear --tiles` does all 45


def embedded(tiles: list[np.ndarray]) -> np.ndarray:
    """Features by EfficientNet-Lite0 with its ImageNet weights."""
    network = registry.load("efficientnet_lite0")
    features = []
    with torch.inference_mode():
        for start in range(0, len(tiles), 50):
            batch = torch.from_numpy(np.stack(tiles[start : start + 50])).permute(0, 3, 1, 2)
            features.append(network(batch).numpy())
    return np.concatenate(features)


def compared(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> list[float]:
    """Ours at all strengths, scikit-learn's at some: how much higher our objective is, as a share of theirs."""
    classes = int(y.max()) + 1
    solution = solve(Design.of(x), y, classes, STRENGTHS)
    assert solution.gradient_norm.max() <= 1e-6
    double = x.astype(np.float64)
    differences = []
    for i in at:
        fitted = logistic_oracle(double, y, STRENGTHS[i])
        best = objective(fitted.coef_, fitted.intercept_, STRENGTHS[i], double, y)
        own = objective(solution.weights[i].numpy(), solution.bias[i].numpy(), STRENGTHS[i], double, y)
        assert solution.objective[i] == pytest.approx(own, rel=1e-6)
        differences.append((own - best) / best)
    print(f"ours minus scikit-learn's objective, relative: {min(differences):.1e} to {max(differences):.1e}")
    return differences


@pytest.mark.slow
def test_every_strength_on_patchcamelyon(shared: Path) -> None:
    tiles, y = tiles_of([shared / f"data/pcam_sample/train/{label}" for label in (0, 1)])
    kept = np.flatnonzero(np.arange(len(y)) % 4 == 0)
    assert np.bincount(y[kept]).min() >= 200
    assert len(STRENGTHS) == 45
    assert max(compared(embedded([tiles[i] for i in kept]), y[kept], np.arange(45))) <= 1e-6


@pytest.mark.slow
def test_every_strength_on_nine_tissues(shared: Path) -> None:
    tiles, y = tiles_of(sorted(path for path in (shared / "data/nct_crc_sample").iterdir() if path.is_dir()))
    assert len(np.unique(y)) == 9
    assert max(compared(embedded(tiles), y, np.arange(45))) <= 1e-6


@pytest.mark.slow
def test_strengths_on_8_000_crops_of_1024_features(shared: Path) -> None:
    tiles, labels = tiles_of([shared / f"data/pcam_sample/train/{label}" for label in (0, 1)])
    x, y = crops_as_patches(tiles, 4, 1024), np.repeat(labels, 4)
    assert x.shape == (8_000, 1024)
    assert max(compared(x, y, WIDE)) <= 1e-6
