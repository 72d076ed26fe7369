"""What `compile=true` gains on this device, and after how many tiles its start is paid for.

    OMP_NUM_THREADS=1 python -m benchmarks.compiling [--models NAME ...] [--device cuda] [--batch 32]

Each model in the precision that it takes where none is set, compiled and not, in turn; kernels that an earlier run left
in torch's cache on disk are not used.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time

import torch

import registry
from bench.embedding.host_memory import reuse_freed_memory
from benchmarks.precision import cut, load, timed
from registry.extractor import FeatureExtractor
from registry.text_table import aligned

ROUNDS = 5


def main() -> None:
    """Print a line a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["efficientnet_lite0", "random_vit_s16"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    lines: list[tuple[str, ...]] = [
        ("model", "precision", "not compiled takes", "start", "paid after", "largest difference")
    ]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        memory = reuse_freed_memory() if arguments.device == "cpu" else contextlib.nullcontext()
        with memory:
            lines += [line(name, arguments.device, arguments.batch) for name in arguments.models]
    print("\n".join(aligned(lines, left=2)))


def line(name: str, device: str, batch: int) -> tuple[str, ...]:
    """Of one model: its name, precision, gain, start, tiles until that is paid for, and what the features become."""
    plain = load(name, device, None)
    compiled = registry.load(plain.card.name, device=device, offline=True, compile=True)
    assert isinstance(compiled, FeatureExtractor)
    tiles = torch.cat(cut(plain, batch, None))
    began = time.perf_counter()
    with torch.inference_mode():
        first = compiled(tiles).cpu()
    start = time.perf_counter() - began
    with torch.inference_mode():
        expected = plain(tiles).cpu()
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        seconds[False].append(timed(plain, tiles))
        seconds[True].append(timed(compiled, tiles))
    before, after = (statistics.median(seconds[which]) for which in (False, True))
    saved = (before - after) / batch
    return (
        plain.card.name,
        plain.precision_on(device),
        f"{before / after:.2f} times",
        f"{start:.0f} s",
        f"{start / saved:,.0f} tiles" if saved > 0 else "never",
        f"{((first - expected).abs().max() / expected.std()).item():.1e} deviations",
    )


if __name__ == "__main__":
    main()
