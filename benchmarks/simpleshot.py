"""Few-shot episodes as one product against a plain loop over episodes, interleaved.

    OMP_NUM_THREADS=1 python -m benchmarks.simpleshot [--episodes 1000] [--samples 2000] [--queries 1000]
        [--features 1024] [--classes 9] [--rounds 5] [--shots 1 4 16]

Both sides get the same features and supports; the loop is float64 NumPy, one product an episode. Prints for each number
of shots how many times longer the loop takes, and the share of predictions that are the same: centred on the training
samples (`simpleshot`) and on each episode's support (`simpleshot_uni`).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from bench.protocols.episodes import support_centred
from bench.protocols.prototype import centred_units
from bench.protocols.simpleshot import classify_episodes, draw_support

Classify = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def loop(units: np.ndarray, queries: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Class of the nearest support mean, one episode after the other."""
    chosen = []
    for episode in support:
        means = units[episode].mean(axis=1)
        chosen.append((queries @ means.T - 0.5 * (means**2).sum(axis=1)).argmax(axis=1))
    return np.array(chosen)


def loop_about_support(features: np.ndarray, queries: np.ndarray, support: np.ndarray) -> np.ndarray:
    """The same about the mean of each support, as UNI has it."""
    chosen = []
    for episode in support:
        own = features[episode]
        centre = own.mean(axis=(0, 1))
        means = np.stack([centred_units(of_class, centre).mean(axis=0) for of_class in own])
        chosen.append((centred_units(queries, centre) @ means.T - 0.5 * (means**2).sum(axis=1)).argmax(axis=1))
    return np.array(chosen)


def at_once(units: np.ndarray, queries: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Ours, of unit vectors."""
    return classify_episodes(units, queries, support, device="cpu")


def at_once_about_support(features: np.ndarray, queries: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Ours, of features as they are."""
    parts = support_centred(features, queries, support, "samples", 2**30, "cpu")
    return np.concatenate([chosen for chosen, _ in parts])


def main(argv: Sequence[str] | None = None) -> None:
    """Time the two in turn, in processor time; the ratio of each round is of times side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"episodes": 1000, "samples": 2000, "queries": 1000, "features": 1024, "classes": 9, "rounds": 5}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 4, 16])
    args = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    means = rng.normal(size=(args.classes, args.features)) * 0.3
    labels, of_queries = (np.arange(n) % args.classes for n in (args.samples, args.queries))
    raw, raw_queries = ((means[y] + rng.normal(size=(len(y), args.features))) for y in (labels, of_queries))
    centre = raw.mean(axis=0)
    units = centred_units(raw, centre), centred_units(raw_queries, centre)
    support = draw_support(labels, args.classes, max(args.shots), args.episodes, 0)
    cases: dict[str, tuple[Classify, Classify, tuple[np.ndarray, np.ndarray]]] = {
        "training samples": (at_once, loop, units),
        "the support": (at_once_about_support, loop_about_support, (raw, raw_queries)),
    }
    for about, (ours, plain, sides) in cases.items():
        ours(*sides, support[:1])  # the first use of a library is not what is timed
        for shots in args.shots:
            times, ratios, same = [], [], []
            for _ in range(args.rounds):
                start = time.process_time()
                own = ours(*sides, support[:, :, :shots])
                times.append(time.process_time() - start)
                start = time.process_time()
                theirs = plain(*sides, support[:, :, :shots])
                ratios.append((time.process_time() - start) / times[-1])
                same.append((own == theirs).mean())
            print(
                f"{shots} shots, centred on {about}: the loop takes {statistics.median(ratios):.2f} times as long "
                f"({min(ratios):.2f} to {max(ratios):.2f}); ours {statistics.median(times):.2f} s; "
                f"same predictions {min(same):.6f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
