"""What keeping the freed memory of a network's layers gains on a CPU (`bench.embedding.host_memory`).

    OMP_NUM_THREADS=1 python -m benchmarks.host_memory [--models NAME ...] [--batch 32]

Forward passes in turn with memory as the C library manages it and with what is freed kept: processor time, the system's
share of it, and whether the features are the same bits.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import statistics

import torch

from bench.embedding.host_memory import reuse_freed_memory
from benchmarks.precision import cut, load
from registry.extractor import FeatureExtractor
from registry.text_table import aligned

ROUNDS = 5


def main() -> None:
    """Print a line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["efficientnet_lite0", "efficientnet_lite2", "random_vit_s16"])
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    lines: list[tuple[str, ...]] = [("model", "usual takes", "system's share, usual", "kept", "ms a tile", "features")]
    for name in arguments.models:
        model = load(name, "cpu", None)
        tiles = torch.cat(cut(model, arguments.batch, None))
        found: dict[bool, list[tuple[float, float, torch.Tensor]]] = {False: [], True: []}
        for _ in range(ROUNDS):
            for kept, rounds in found.items():
                with reuse_freed_memory() if kept else contextlib.nullcontext():
                    forward(model, tiles)
                    rounds.append(forward(model, tiles))
        usual, kept_total = (statistics.median(user + system for user, system, _ in found[k]) for k in (False, True))
        shares = [statistics.median(s / (u + s) for u, s, _ in found[k]) for k in (False, True)]
        same = all(torch.equal(found[False][0][2], features) for rounds in found.values() for *_, features in rounds)
        lines.append(
            (
                name,
                f"{usual / kept_total:.2f} times as long",
                *(f"{share:.0%}" for share in shares),
                f"{kept_total / arguments.batch * 1e3:.1f}",
                "the same bits" if same else "differ",
            )
        )
    print("\n".join(aligned(lines, left=1)))


def forward(model: FeatureExtractor, tiles: torch.Tensor) -> tuple[float, float, torch.Tensor]:
    """The processor's seconds in the program and in the system, and the features."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    with torch.inference_mode():
        features = model(tiles)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, features


if __name__ == "__main__":
    main()
