"""Memory of one long run of the embedding stage: 200,000 tiles of a few files, by a model that costs next to nothing.

    OMP_NUM_THREADS=1 python -m benchmarks.soak [FOLDER] [--tiles 200000]

The files of the PatchCamelyon sample stand for as many tiles as are wanted; the model gives the mean of each channel.
Prints the resident memory after each tenth of the tiles, its slope over the second half of the run, and what the
features themselves take, which the stage holds for one shard of tiles at a time.
`benchmarks/embedding_cases.py` says what FOLDER holds.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from benchmarks.embedding_cases import DATA, SHARD_TILES, FastDevice, embed_once, files_source, parser

STEPS = 10
PAGE = os.sysconf("SC_PAGE_SIZE")


class Watched(FastDevice):
    """Mean of each channel, as wide as a small encoder; notes the resident memory at each step of the tiles."""

    def __init__(self, step: int, dim: int = 384) -> None:
        super().__init__(0.0, dim)
        self.card = SimpleNamespace(name="channel_means", dim=dim)
        self.step, self.done = step, 0
        self.began = time.perf_counter()
        self.noted: list[tuple[int, int]] = []

    def __call__(self, tiles: torch.Tensor) -> torch.Tensor:
        self.done += len(tiles)
        if self.done // self.step > len(self.noted):
            self.noted.append((self.done, resident_bytes()))
            seconds = time.perf_counter() - self.began
            print(f"{self.done} | {self.noted[-1][1] / 2**20:.1f} | {self.done / seconds:.0f}", flush=True)
        return tiles[:, :, ::8, ::8].float().mean((2, 3)).repeat(1, self.card.dim // 3)


def resident_bytes() -> int:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def main() -> None:
    """Embed once and print the memory on the way."""
    arguments = parser(__doc__, tiles=200_000, rounds=1)
    options = arguments.parse_args()
    model = Watched(max(1, options.tiles // STEPS))
    source = files_source("pcam", options.folder or DATA, Path(), options.tiles)
    print("tiles | resident, MiB | tiles/s so far", flush=True)
    run = embed_once(source, [model], options.batch_size, options.workers)
    assert run.tiles == options.tiles
    tiles, held = np.array(model.noted[len(model.noted) // 2 :], float).T
    slope = np.polyfit(tiles, held, 1)[0] if len(tiles) > 1 else float("nan")
    shard = SHARD_TILES * model.card.dim * 4
    print(
        f"slope over the second half: {slope:.1f} bytes a tile, {slope * 1e6 / 2**20:.1f} MiB a million tiles; "
        f"features of one shard in float32: {shard / 2**20:.1f} MiB, of all tiles: "
        f"{options.tiles * model.card.dim * 4 / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
