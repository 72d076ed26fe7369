"""Exact neighbours from float32 products with float64 decisions against scikit-learn's brute force, interleaved.

    python -m benchmarks.knn [--queries 4000] [--database 20000] [--features 1024] [--k 50] [--mean 1.3]

`--mean` is the squared length of the mean that all features share over their total variance: 1.3 is that of
EfficientNet-Lite0 on PatchCamelyon; networks with random weights have a far longer one.
Prints how many times longer scikit-learn takes in float64, which gives the same neighbours, and in float32.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from sklearn.neighbors import NearestNeighbors

from bench.protocols.neighbours import nearest

ROUNDS = 5


def main() -> None:
    """Time the three in turn; the ratio of each round is of times that passed side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("queries", 4000), ("database", 20_000), ("features", 1024), ("k", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--mean", type=float, default=1.3)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(1 + np.arange(args.features) / 10)
    shared = rng.normal(size=args.features)
    shared *= np.sqrt(args.mean * (scale**2).sum() / (shared**2).sum())
    database, query = (
        (rng.normal(size=(n, args.features)) * scale + shared).astype(np.float32) for n in (args.database, args.queries)
    )
    ours: list[float] = []
    ratios: dict[str, list[float]] = {"float64": [], "float32": []}
    for _ in range(ROUNDS):
        start = time.perf_counter()
        found, _ = nearest(query, database, args.k)
        ours.append(time.perf_counter() - start)
        for precision, kept in ratios.items():
            start = time.perf_counter()
            model = NearestNeighbors(n_neighbors=args.k, algorithm="brute", metric="cosine").fit(
                database.astype(precision)
            )
            theirs = model.kneighbors(query.astype(precision), return_distance=False)
            kept.append((time.perf_counter() - start) / ours[-1])
            same = (theirs == found).mean()
            print(f"{precision}: ours {ours[-1]:.2f} s, scikit-learn {kept[-1]:.2f} times; same neighbours {same:.6f}")
    for precision, kept in ratios.items():
        print(
            f"scikit-learn in {precision} takes {statistics.median(kept):.2f} times as long "
            f"({min(kept):.2f} to {max(kept):.2f}); ours {statistics.median(ours):.2f} s"
        )


if __name__ == "__main__":
    main()
