"""Training ABMIL on bags packed together, and in bfloat16, against one at a time in float32; on the CPU, interleaved.

    OMP_NUM_THREADS=1 python -m benchmarks.abmil [--slides 32] [--tiles 64] [--features 1024] [--batch 8]

Bags have half to one and a half times `--tiles` tiles. Steps hold the same bags on both sides, without dropout, so
that the sides differ in rounding only. Prints how many times longer one bag at a time in float32 takes, and the
largest difference of the epochs' losses.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from bench.protocols import Bags, abmil
from bench.protocols.abmil_losses import Objective
from bench.protocols.abmil_training import History, train

ROUNDS = 5
EPOCHS = 2


def cohort(slides: int, tiles: int, dim: int) -> Bags:
    """Bags of which every other has a few tiles of another kind."""
    rng = np.random.default_rng(0)
    labels = np.arange(slides) % 2
    bags = [rng.normal(size=(n, dim)).astype(np.float32) for n in rng.integers(tiles // 2, tiles * 3 // 2, slides)]
    for bag, label in zip(bags, labels, strict=True):
        bag[: len(bag) // 10 * label] += 1
    names = np.array([f"{i:04d}" for i in range(slides)])
    return Bags(names, names, bags, labels)


def trained(bags: Bags, config: abmil.Config) -> History:
    """A fresh network of seed 0, trained."""
    torch.manual_seed(0)
    network = abmil.build(config, bags.dim, 2)
    return train(network, bags, None, Objective(2), config, 0, torch.device("cpu"))


def main() -> None:
    """Time the two in turn, in processor time; the ratio of each round is of times side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("slides", 32), ("tiles", 64), ("features", 1024), ("batch", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    bags = cohort(args.slides, args.tiles, args.features)
    common = abmil.Config(epochs=EPOCHS, batch=args.batch, dropout=0.0, keep="last", precision="float32")
    packed = abmil.Config(**{**vars(common), "pack_tiles": args.batch * args.tiles * 2})
    reduced = abmil.Config(**{**vars(common), "precision": "bfloat16"})
    trained(bags.take(np.arange(2)), common)  # the first use of a library is not what is timed
    for name, other in (("packed", packed), ("bfloat16", reduced)):
        theirs, ratios, differences = [], [], []
        for _ in range(ROUNDS):
            start = time.process_time()
            changed = trained(bags, other)
            theirs.append(time.process_time() - start)
            start = time.process_time()
            plain = trained(bags, common)
            ratios.append((time.process_time() - start) / theirs[-1])
            differences.append(np.abs(np.subtract(plain.training_loss, changed.training_loss)).max())
        print(
            f"{args.slides} bags of about {args.tiles} tiles, {name}: one at a time in float32 takes "
            f"{statistics.median(ratios):.2f} times as long ({min(ratios):.2f} to {max(ratios):.2f}); {name} "
            f"{1000 * statistics.median(theirs) / EPOCHS:.0f} ms an epoch; losses differ by {max(differences):.1e} at "
            "most"
        )


if __name__ == "__main__":
    main()
