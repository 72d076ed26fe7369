"""Few-shot episodes as one product against a plain loop over episodes, interleaved.

    OMP_NUM_THREADS=1 python -m benchmarks.simpleshot [--episodes 1000] [--samples 2000] [--queries 1000]
        [--features 1024] [--classes 9]

Both sides get the same unit vectors and supports; the loop is float64 NumPy, one product an episode. Prints for each
number of shots how many times longer the loop takes, and the share of predictions that are the same.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from bench.protocols.prototype import centred_units
from bench.protocols.simpleshot import classify_episodes, draw_support

ROUNDS = 5
SHOTS = (1, 4, 16)


def loop(units: np.ndarray, queries: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Class of the nearest support mean, one episode after the other."""
    chosen = []
    for episode in support:
        means = units[episode].mean(axis=1)
        chosen.append((queries @ means.T - 0.5 * (means**2).sum(axis=1)).argmax(axis=1))
    return np.array(chosen)


def main() -> None:
    """Time the two in turn, in processor time; the ratio of each round is of times side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("episodes", 1000), ("samples", 2000), ("queries", 1000), ("features", 1024), ("classes", 9)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    means = rng.normal(size=(args.classes, args.features)) * 0.3
    labels, of_queries = (np.arange(n) % args.classes for n in (args.samples, args.queries))
    raw, raw_queries = ((means[y] + rng.normal(size=(len(y), args.features))) for y in (labels, of_queries))
    centre = raw.mean(axis=0)
    units, queries = centred_units(raw, centre), centred_units(raw_queries, centre)
    support = draw_support(labels, args.classes, max(SHOTS), args.episodes, 0)
    classify_episodes(units, queries, support[:1], device="cpu")  # the first use of a library is not what is timed
    for shots in SHOTS:
        ours, ratios, same = [], [], []
        for _ in range(ROUNDS):
            start = time.process_time()
            own = classify_episodes(units, queries, support[:, :, :shots], device="cpu")
            ours.append(time.process_time() - start)
            start = time.process_time()
            plain = loop(units, queries, support[:, :, :shots])
            ratios.append((time.process_time() - start) / ours[-1])
            same.append((own == plain).mean())
        print(
            f"{shots} shots: the loop takes {statistics.median(ratios):.2f} times as long "
            f"({min(ratios):.2f} to {max(ratios):.2f}); ours {statistics.median(ours):.2f} s; "
            f"same predictions {min(same):.6f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
