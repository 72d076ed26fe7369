"""A process a device: how many times as fast several are as one, where a device's work costs no processor.

    python -m benchmarks.devices [--processes 1 2 4] [--tiles 8192]

`device=[cpu,cpu,...]` with a stand-in for a model that sleeps 0.2 s a batch of 32, as a processor does while a GPU
works (`benchmarks/sleeper.py`). Prints for each number of processes the seconds of `bench.embed`, with and without
those that the same call takes for one batch a process (starting, importing, planning), and how many times as fast each
is as one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import bench

BATCH = 32
SHARD = 8 * BATCH
PLUGIN = Path(__file__).with_name("sleeper.py")


def make_table(folder: Path, tiles: int) -> Path:
    """A table of so many tiny tiles."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(tiles):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"{number}.jpg")
    lines = [f"{i}.jpg,{'ab'[i % 2]},{'train' if i % 4 > 1 else 'test'}" for i in range(tiles)]
    (folder / "tiles.csv").write_text("\n".join(["path,label,split", *lines]))
    return folder / "tiles.csv"


def seconds(table: Path, processes: int, shard: int) -> float:
    """Of one run with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        bench.embed(
            "sleeper",
            "tiles",
            data=table,
            cache=cache,
            plugins=[str(PLUGIN)],
            device=["cpu"] * processes,
            batch_size=BATCH,
            shard_tiles=shard,
        )
        return time.perf_counter() - began


def main() -> None:
    """Print a row a number of processes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--tiles", type=int, default=8192)
    options = parser.parse_args()
    print("processes | seconds | times as fast | without the start, seconds | times as fast", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        table = make_table(Path(folder) / "all", options.tiles)
        first: list[float] = []
        for processes in options.processes:
            few = make_table(Path(folder) / f"few{processes}", BATCH * processes)
            start = seconds(few, processes, BATCH)
            taken = seconds(table, processes, SHARD)
            first = first or [taken, taken - start]
            print(
                f"{processes} | {taken:.1f} | {first[0] / taken:.2f} | {taken - start:.1f} | "
                f"{first[1] / (taken - start):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
