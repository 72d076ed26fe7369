"""Memory of one long run of the embedding stage: 200,000 tiles of a few files, by a model that costs next to nothing.

    OMP_NUM_THREADS=1 python -m benchmarks.soak [FOLDER] [--tiles 200000]

The files of the PatchCamelyon sample stand for as many tiles as are wanted; the model gives the mean of each channel.
Prints the resident memory after each tenth of the tiles, its highest in both halves of the run and its slope over the
second half, of 200 readings, and what the features themselves take, which the stage holds for one shard at a time.
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

STEPS, READINGS = 10, 200
PAGE = os.sysconf("SC_PAGE_SIZE")


class Watched(FastDevice):
    """Mean of each channel, as wide as a small encoder; notes the resident memory on the way and prints some of it."""

    def __init__(self, tiles: int, dim: int = 384) -> None:
        super().__init__(0.0, dim)
        self.card = SimpleNamespace(name="channel_means", dim=dim)
        self.tiles, self.done, self.printed = tiles, 0, 0
        self.began = time.perf_counter()
        self.noted: list[tuple[int, int]] = []

    def __call__(self, tiles: torch.Tensor) -> torch.Tensor:
        self.done += len(tiles)
        if self.done * READINGS // self.tiles > len(self.noted):
            self.noted.append((self.done, resident_bytes()))
        if self.done * STEPS // self.tiles > self.printed:
            self.printed += 1
            seconds = time.perf_counter() - self.began
            print(f"{self.done} | {resident_bytes() / 2**20:.1f} | {self.done / seconds:.0f}", flush=True)
        return tiles[:, :, ::8, ::8].float().mean((2, 3)).repeat(1, self.card.dim // 3)


def resident_bytes() -> int:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def main() -> None:
    """Embed once and print the memory on the way."""
    arguments = parser(__doc__, tiles=200_000, rounds=1)
    options = arguments.parse_args()
    model = Watched(options.tiles)
    source = files_source("pcam", options.folder or DATA, Path(), options.tiles)
    print("tiles | resident, MiB | tiles/s so far", flush=True)
    run = embed_once(source, [model], options.batch_size, options.workers)
    assert run.tiles == options.tiles
    tiles, held = np.array(model.noted, float).T
    late = tiles > options.tiles / 2
    slope = np.polyfit(tiles[late], held[late], 1)[0]
    first, second = held[~late].max() / 2**20, held[late].max() / 2**20
    shard, every = (tiles * model.card.dim * 4 / 2**20 for tiles in (SHARD_TILES, options.tiles))
    print(
        f"highest in the first half {first:.1f} MiB, in the second {second:.1f}; slope there {slope:.1f} bytes a tile"
    )
    print(f"features in float32: of one shard {shard:.1f} MiB, of all tiles {every:.1f} MiB")


if __name__ == "__main__":
    main()
