"""45 strengths of logistic regression as one batched problem against 45 fits of scikit-learn, interleaved.

    python -m benchmarks.linear [--strengths 45] [--samples 20000] [--features 1024] [--classes 9] [--tol 1e-6]
    python -m benchmarks.linear --tiles FOLDER --tol 1e-8   # real tissue: a folder of tiles for each class

Prints how many times longer scikit-learn takes, every fit measured, and how far the objectives differ. Scikit-learn's
lbfgs stops at a largest gradient element of `tol`, ours at a gradient norm of 1e-6, both of the mean objective.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from bench.protocols.logistic import Design, solve

ROUNDS = 5
PATCH, CROP = 16, 64  # pixels


def features(n: int, dim: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features and labels that depend on them.

    Variances fall like rank ** -1.2 about a mean of 1.3 times their sum, squared: measured on the features of
    EfficientNet-Lite0 on PatchCamelyon.
    """
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    deviation = (1 + np.arange(dim)) ** -0.6
    white = rng.normal(size=(n, dim))
    mean = rng.normal(size=dim)
    mean *= np.sqrt(1.3 * (deviation**2).sum() / (mean**2).sum())
    logits = 2 * white @ rng.normal(size=(dim, classes)) / np.sqrt(dim)
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return ((white * deviation) @ turn + mean).astype(np.float32), y


def tiles_of(folders: list[Path]) -> tuple[list[np.ndarray], np.ndarray]:
    """RGB tiles, and the number of each one's folder."""
    tiles, labels = [], []
    for label, folder in enumerate(folders):
        paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".tif", ".png"))
        tiles += [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        labels += [label] * len(paths)
    return tiles, np.array(labels)


def crops_as_patches(tiles: list[np.ndarray], of_each: int, dim: int) -> np.ndarray:
    """Random crops through the patch embedding, one layer, mean pooling and norm of a seeded random network."""
    rng = np.random.default_rng(0)
    crops = []
    for tile in tiles:
        for y, x in rng.integers(0, len(tile) - CROP + 1, size=(of_each, 2)):
            crops.append(tile[y : y + CROP, x : x + CROP][:: rng.choice([-1, 1]), :: rng.choice([-1, 1])])
    draws = torch.Generator().manual_seed(0)
    embed = torch.randn(3 * PATCH**2, dim, generator=draws) / (3 * PATCH**2) ** 0.5
    mix = torch.randn(dim, dim, generator=draws) / dim**0.5
    features = []
    for start in range(0, len(crops), 250):
        pixels = torch.from_numpy(np.stack(crops[start : start + 250])).permute(0, 3, 1, 2).float() / 127.5 - 1
        patches = torch.nn.functional.unfold(pixels, PATCH, stride=PATCH).mT
        pooled = (torch.nn.functional.gelu(patches @ embed) @ mix).tanh().mean(1)
        features.append(torch.nn.functional.layer_norm(pooled, (dim,)).numpy())
    return np.concatenate(features)


def objective(
    w: np.ndarray, b: np.ndarray, c: float, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Scikit-learn's objective over C times the sum of the weights, in float64; without weights each sample's is 1."""
    weights = np.ones(len(y)) if weights is None else weights
    logits = x.astype(np.float64, copy=False) @ w.T + b
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    entropy = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]
    return float((weights * entropy).sum() / weights.sum() + (w**2).sum() / (2 * c * weights.sum()))


def main() -> None:
    """Time ours between shares of scikit-learn's fits, so that both see the same machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, kind, default in (
        ("strengths", int, 45),
        ("samples", int, 20_000),
        ("features", int, 1024),
        ("classes", int, 9),
        ("tol", float, 1e-6),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default)
    parser.add_argument("--tiles", type=Path, help="folders of tiles, one a class: their crops instead of made-up rows")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.tiles:
        tiles, labels = tiles_of(sorted(path for path in args.tiles.iterdir() if path.is_dir()))
        of_each = args.samples // len(tiles)
        x, y = crops_as_patches(tiles, of_each, args.features), np.repeat(labels, of_each)
        args.classes = int(y.max()) + 1
    else:
        x, y = features(args.samples, args.features, args.classes)
    print(f"{len(x)} x {x.shape[1]} features, {args.classes} classes, tolerance {args.tol:g}", flush=True)
    double = x.astype(np.float64)
    strengths = np.logspace(-6, 5, args.strengths)
    ours, theirs, differences = [], 0.0, []
    for part in np.array_split(np.random.default_rng(0).permutation(args.strengths), ROUNDS):
        start = time.perf_counter()
        solution = solve(Design.of(x), y, args.classes, strengths)
        ours.append(time.perf_counter() - start)
        share = 0.0
        for i in part:
            start = time.perf_counter()
            model = LogisticRegression(C=strengths[i], tol=args.tol, max_iter=20_000).fit(double, y)
            share += time.perf_counter() - start
            best = objective(model.coef_, model.intercept_, strengths[i], double, y)
            own = objective(solution.weights[i].numpy(), solution.bias[i].numpy(), strengths[i], double, y)
            differences.append((own - best) / best)
        theirs += share
        print(
            f"round: ours, all strengths, {ours[-1]:.1f} s; scikit-learn, {len(part)} strengths, {share:.1f} s",
            flush=True,
        )
    print(f"ours minus scikit-learn's objective, relative: {min(differences):.1e} to {max(differences):.1e}")
    print(f"largest gradient norm of ours: {solution.gradient_norm.max():.1e}")
    print(
        f"scikit-learn takes {theirs / statistics.median(ours):.0f} times as long: {theirs:.0f} s against "
        f"{statistics.median(ours):.1f} s (median of {ROUNDS}, {min(ours):.1f} to {max(ours):.1f})"
    )


if __name__ == "__main__":
    main()
