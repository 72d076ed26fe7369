"""Exact neighbours from float32 products with float64 decisions against scikit-learn's brute force, interleaved.

    python -m benchmarks.knn [--queries 4000] [--database 20000] [--features 1024] [--k 50] [--mean 1.3] [--rounds 5]
        [--metric cosine] [--float32]

`--mean` is the squared length of the mean that all features share over their total variance: 1.3 is that of
EfficientNet-Lite0 on PatchCamelyon; networks with random weights have a far longer one.
Prints how many times longer scikit-learn takes in float64, which gives the same neighbours, and in float32; with
`--float32` in the latter alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from sklearn.neighbors import NearestNeighbors

from bench.protocols.neighbours import nearest_rows


def main(argv: Sequence[str] | None = None) -> None:
    """Time them in turn; the ratio of each round is of times that passed side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("queries", 4000), ("database", 20_000), ("features", 1024), ("k", 50), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--mean", type=float, default=1.3)
    parser.add_argument("--metric", choices=("cosine", "l2"), default="cosine")
    parser.add_argument("--float32", action="store_true")
    args = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    scale = 1 / np.sqrt(1 + np.arange(args.features) / 10)
    shared = rng.normal(size=args.features)
    shared *= np.sqrt(args.mean * (scale**2).sum() / (shared**2).sum())
    database, query = (
        (rng.normal(size=(n, args.features)) * scale + shared).astype(np.float32) for n in (args.database, args.queries)
    )
    ours: list[np.ndarray] = []
    ratios: dict[str, list[np.ndarray]] = {"float32": []} if args.float32 else {"float64": [], "float32": []}
    same = dict.fromkeys(ratios, 1.0)
    nearest_rows(query[:8], database[:64], 5, args.metric)  # the first use of a library is not what is timed
    for _ in range(args.rounds):
        start = clocks()
        found = nearest_rows(query, database, args.k, args.metric)
        ours.append(clocks() - start)
        for precision, measured in ratios.items():
            own, queries = database.astype(precision), query.astype(precision)
            metric = "cosine" if args.metric == "cosine" else "euclidean"
            start = clocks()
            model = NearestNeighbors(n_neighbors=args.k, algorithm="brute", metric=metric).fit(own)
            theirs = model.kneighbors(queries, return_distance=False)
            measured.append((clocks() - start) / ours[-1])
            same[precision] = min(same[precision], (theirs == found).mean())
    for precision, measured in ratios.items():
        ratio, low, high = (how(measured, axis=0) for how in (np.median, np.min, np.max))
        elapsed, busy = np.median(ours, axis=0)
        print(
            f"neighbours, {args.metric}: scikit-learn in {precision} takes {ratio[0]:.2f} times as long ({low[0]:.2f} "
            f"to {high[0]:.2f}), {ratio[1]:.2f} times the processor time ({low[1]:.2f} to {high[1]:.2f}); ours "
            f"{elapsed:.2f} s, {busy:.2f} s; same neighbours {same[precision]:.6f}",
            flush=True,
        )


def clocks() -> np.ndarray:
    """The time by the clock and of the processor, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


if __name__ == "__main__":
    main()
