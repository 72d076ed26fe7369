"""The linear probe at every strength against scikit-learn on features of real tiles."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

import registry
from bench.protocols import linear
from bench.protocols.logistic import Design, solve

TILES = 250  # of each class


def objective(w: np.ndarray, b: np.ndarray, c: float, x: np.ndarray, y: np.ndarray) -> float:
    """scikit-learn's for two classes, divided by C times the number of samples, in float64 from its definition."""
    logit = x @ w[0] + b[0]
    return float(np.logaddexp(0, np.where(y == 1, -logit, logit)).mean() + (w**2).sum() / (2 * c * len(y)))


@pytest.fixture(scope="module")
def pcam(shared: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features by EfficientNet-Lite0, and labels."""
    network = registry.load("efficientnet_lite0")
    features, labels = [], []
    for label in (0, 1):
        paths = sorted((shared / f"data/pcam_sample/train/{label}").glob("*.jpg"))[:TILES]
        for start in range(0, len(paths), 50):
            tiles = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths[start : start + 50]])
            with torch.inference_mode():
                features.append(network(torch.from_numpy(tiles).permute(0, 3, 1, 2)).numpy())
        labels += [label] * len(paths)
    return np.concatenate(features), np.array(labels)


@pytest.mark.slow
def test_every_strength_of_the_sweep_reaches_sklearn(pcam: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pcam
    assert len(y) == 2 * TILES
    defaults = linear.Config()
    strengths = np.logspace(np.log10(defaults.c_min), np.log10(defaults.c_max), defaults.n_strengths)
    assert len(strengths) == 45
    solution = solve(Design.of(x), y, 2, strengths)
    double = x.astype(np.float64)
    differences = []
    for i, c in enumerate(strengths):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = LogisticRegression(C=c, tol=1e-8, max_iter=20_000).fit(double, y)
        best = objective(fitted.coef_, fitted.intercept_, c, double, y)
        own = objective(solution.weights[i].numpy(), solution.bias[i].numpy(), c, double, y)
        assert solution.objective[i] == pytest.approx(own, rel=1e-6)
        differences.append((own - best) / best)
    print(f"ours minus scikit-learn's objective, relative: {min(differences):.1e} to {max(differences):.1e}")
    assert max(differences) <= 1e-6
    assert solution.gradient_norm.max() <= 1e-6
