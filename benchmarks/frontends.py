"""Front-ends: tiles a second of each, in batches on one device.

    python -m benchmarks.frontends [FOLDER] [--frontends jpeg_3 median ...] [--device cpu] [--side 224] [--rounds 5]

Takes every corruption at severity 3 unless front-ends are named. The tiles are the images of FOLDER (its subfolders
too), resized to the side, or without one a pattern of noise on coarse squares. Prints for each front-end the tiles a
second of the median round, with the slowest and the fastest round, after one round that is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.frontends.base import FrontEnd
from bench.frontends.corruptions import KINDS, corruption
from bench.frontends.seeds import seeds_of


def front_end(name: str) -> FrontEnd:
    """The corruption or the restorer of this name."""
    kind, _, severity = name.rpartition("_")
    if kind in KINDS:
        return corruption(kind, int(severity))
    from bench.frontends import restorers

    return restorers.restorer(name)


def tiles_of(folder: Path | None, count: int, side: int) -> torch.Tensor:
    """A batch of tiles, uint8 [B, 3, side, side]."""
    if folder is None:
        rng = np.random.default_rng(0)
        coarse = rng.integers(40, 240, (count, 3, side // 8 + 1, side // 8 + 1)).repeat(8, axis=2).repeat(8, axis=3)
        noisy = coarse[:, :, :side, :side] + rng.integers(-12, 13, (count, 3, side, side))
        return torch.from_numpy(noisy.astype(np.uint8))
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif"))
    some = [files[i * len(files) // count] for i in range(count)]
    pictures = [np.asarray(Image.open(file).convert("RGB").resize((side, side))) for file in some]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def seconds(one: FrontEnd, tiles: torch.Tensor, rounds: int) -> Iterator[float]:
    """Of each round: one batch through the front-end, to the end of the device's work."""
    apply = one.load(tiles.device)
    seeds = torch.from_numpy(seeds_of([str(i) for i in range(len(tiles))])).to(tiles.device)
    for number in range(rounds + 1):
        began = time.perf_counter()
        with torch.inference_mode():
            apply(tiles, seeds)
        if tiles.is_cuda:
            torch.cuda.synchronize(tiles.device)
        if number:
            yield time.perf_counter() - began


def main() -> None:
    """Print a row a front-end."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--frontends", nargs="+", default=[f"{kind}_3" for kind in KINDS])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    tiles = tiles_of(options.folder, options.batch_size, options.side).to(options.device)
    print("front-end | tiles/s (slowest to fastest round)", flush=True)
    for name in options.frontends:
        one = front_end(name)
        one.check(options.side, options.side)
        rates = sorted(len(tiles) / taken for taken in seconds(one, tiles, options.rounds))
        print(f"{name} | {statistics.median(rates):.0f} ({rates[0]:.0f} to {rates[-1]:.0f})", flush=True)


if __name__ == "__main__":
    main()
