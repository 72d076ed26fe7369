"""What it costs to check feature files against their checksums: beside reading them alone, and once they were checked.

    python -m benchmarks.verification [--rounds 5]

Files of random float16 numbers in a temporary folder: one of 10,000 x 1,536, and 1,000 slides of 64 x 1,536. Each round
reads all numbers of all files in three ways, in turn: mapped without any check; checked as by a first process, which
then writes its note; and checked as by a later process, which finds the note. The files are in the page cache, so that
a disk would make the share of checking smaller. `is_cached` is timed alone too, as a plan calls it. Times are those of
the processor, in this process and in the system for it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from bench.embedding import is_cached, read_features, write_features
from bench.integrity import remember_verified, verified

CASES = (("one shard of 10,000 x 1,536", 1, 10_000), ("1,000 slides of 64 x 1,536", 1000, 64))
ATTRIBUTES = {f"key_{name}": "0123456789abcdef" for name in ("model", "card", "weights", "options", "source")}


def made(folder: Path, files: int, tiles: int) -> list[Path]:
    """Feature files of random numbers."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.h5" for number in range(files)]
    for path in paths:
        write_features(path, rng.normal(size=(tiles, 1536)).astype(np.float32), ATTRIBUTES)
    return paths


def unchecked(paths: Sequence[Path]) -> float:
    """Read every number, from where HDF5 says that they are, as files without checksums were read."""
    total = 0.0
    for path in paths:
        with h5py.File(path, "r") as file:
            stored = file["features"]
            offset, shape, dtype = stored.id.get_offset(), stored.shape, stored.dtype
            dict(file.attrs)
        total += float(np.array(np.memmap(path, dtype, "r", offset, shape), np.float32)[0, 0])
    return total


def checked(paths: Sequence[Path]) -> float:
    """Read every number as the heads do."""
    total = sum(float(np.asarray(read_features(path)[0], np.float32)[0, 0]) for path in paths)
    remember_verified(paths[0].parent)
    return total


def looked_up(paths: Sequence[Path]) -> float:
    """As a plan does."""
    return float(sum(is_cached(path, ATTRIBUTES) for path in paths))


def forget(folder: Path, note: bool) -> None:
    """What a new process knows; with `note` also without what earlier ones noted."""
    verified._verified.clear()
    verified._noted.clear()
    if note:
        (folder / verified.NOTE).unlink(missing_ok=True)


def main() -> None:
    """Print the medians."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    for what, files, tiles in CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            paths = made(folder, files, tiles)
            ways: dict[str, tuple[Callable[[Sequence[Path]], float], bool]] = {
                "reading alone": (unchecked, False),
                "first process": (checked, True),
                "later process": (checked, False),
                "is_cached, later": (looked_up, False),
            }
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(options.rounds):
                for way, (work, note) in ways.items():
                    forget(folder, note)
                    began = time.process_time()
                    work(paths)
                    seconds[way].append(time.process_time() - began)
            print(what)
            for way, own in seconds.items():
                median = statistics.median(own)
                share = median / statistics.median(seconds["reading alone"]) - 1
                print(
                    f"  {way}: {1e3 * median:.1f} ms ({share:+.1%}; from {1e3 * min(own):.1f} to {1e3 * max(own):.1f})"
                )


if __name__ == "__main__":
    main()
