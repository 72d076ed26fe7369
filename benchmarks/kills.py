"""Processes that embed one dataset together and are killed at random: bad files, and tiles that were embedded again.

    OMP_NUM_THREADS=1 python -m benchmarks.kills [--kills 100] [--processes 2] [--seed 0]

Two processes embed 320 tiles in 80 feature files. At random moments one of them gets SIGKILL and another is started in
its place, until all files stand; then the next dataset follows, until there were as many kills as are wanted. After
each kill every file that has its name is compared with that of a run that nobody disturbed. A tile that was embedded in
a process that was killed before its file stood is embedded again, and no other.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from bench.embedding import EmbeddingJob, EmbeddingSettings, FeatureKey, embed, shards_of
from bench.tiles import TileSource

TILES, SHARD_TILES, BATCH_SIZE = 320, 4, 4
PAUSE_S = 0.004  # of the stand-in for an encoder, a batch
CALM_TILES, CALM_S = 80, 0.02  # at most between two kills, each drawn uniformly
HOW = EmbeddingSettings(batch_size=BATCH_SIZE, workers=1, progress=False)


@dataclass
class Outcome:
    """What a number of kills left.

    Attributes
    ----------
    kills, datasets, files : int
    bad : list of str
        Files under their final names that differ from those of a run that nobody disturbed.
    redone : int
        Files that stood and were made again.
    repeated : int
        Tiles that were embedded again, counted each time.
    claims : int
        Claims that were left beside files that stand.
    longest : float
        Seconds that the last process of a dataset needed after the last kill.
    """

    kills: int = 0
    datasets: int = 0
    files: int = 0
    bad: list[str] = field(default_factory=list)
    redone: int = 0
    repeated: int = 0
    claims: int = 0
    longest: float = 0.0


class Logged:
    """A stand-in for an encoder, channel means; writes a line a tile to a file."""

    device = torch.device("cpu")
    weights = SimpleNamespace(commit="", notes=())

    def __init__(self, log: Path) -> None:
        self.log = log

    def __call__(self, tiles: torch.Tensor) -> torch.Tensor:
        names = dict.fromkeys(hashlib.sha256(tile.numpy().tobytes()).hexdigest() for tile in tiles.contiguous())
        handle = os.open(self.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(handle, "".join(f"{name}\n" for name in names).encode())
        os.close(handle)
        time.sleep(PAUSE_S)
        return tiles.float().mean((2, 3))


def measure(folder: Path, kills: int, processes: int = 2, seed: int = 0) -> Outcome:
    """Kill as often as is wanted, in as many datasets as that takes; gives what was found."""
    rng, outcome = random.Random(seed), Outcome()
    source = _source(folder / "tiles")
    _embed(source, folder / "alone", folder / "alone.log")
    undisturbed = _contents(folder / "alone")
    while outcome.kills < kills:
        cache, log = folder / str(outcome.datasets), folder / f"{outcome.datasets}.log"
        last = time.monotonic()
        stood: dict[str, int] = {}
        with _started(source, cache, log, processes) as running:
            while any(one.is_alive() for one in running):
                _wait(running, log, rng.randrange(CALM_TILES))
                time.sleep(rng.uniform(0, CALM_S))
                if outcome.kills == kills or not (alive := [one for one in running if one.is_alive()]):
                    continue
                victim = rng.choice(alive)
                victim.kill()
                victim.join()
                outcome.kills += 1
                last = time.monotonic()
                stood |= _compare(cache, undisturbed, outcome)
                running[running.index(victim)] = _start(source, cache, log)
            assert all(one.exitcode == 0 for one in running), "a process that was not killed failed"
        outcome.longest = max(outcome.longest, time.monotonic() - last)
        changed = _compare(cache, undisturbed, outcome)
        outcome.bad += sorted(undisturbed.keys() - changed.keys())
        outcome.redone += sum(changed.get(name) != at for name, at in stood.items())
        counts = Counter(log.read_text().splitlines())
        outcome.repeated += sum(counts.values()) - TILES
        outcome.claims += len(list(cache.rglob("*.claim")))
        outcome.datasets += 1
        outcome.files += len(changed)
    return outcome


def _source(folder: Path) -> TileSource:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    paths = [str(folder / f"{number}.png") for number in range(TILES)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return TileSource([Path(path).stem for path in paths], paths, [-1] * TILES)


def _embed(source: TileSource, cache: Path, log: Path) -> None:
    key = FeatureKey("m", "c", "w", "{}", "", "device", "float32", "s")
    job = EmbeddingJob(key, cache, lambda: Logged(log))
    made = embed(shards_of(source, SHARD_TILES), [job], HOW)[key]
    if made.error is not None:
        raise made.error


def _start(source: TileSource, cache: Path, log: Path) -> ForkProcess:
    started = multiprocessing.get_context("fork").Process(target=_embed, args=(source, cache, log))
    started.start()
    return started


@contextmanager
def _started(source: TileSource, cache: Path, log: Path, processes: int) -> Iterator[list[ForkProcess]]:
    running = [_start(source, cache, log) for _ in range(processes)]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
            one.join()


def _wait(running: list[ForkProcess], log: Path, tiles: int) -> None:
    """Until so many more tiles were embedded, or nobody is left who could."""
    until = _embedded(log) + tiles
    while _embedded(log) < until and any(one.is_alive() for one in running):
        time.sleep(0.002)


def _embedded(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def _contents(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.rglob("*.h5")}


def _compare(cache: Path, undisturbed: dict[str, bytes], outcome: Outcome) -> dict[str, int]:
    """The files that stand, with the times at which they were made; those that are not as they should be are bad."""
    found = {}
    for path in cache.rglob("*.h5"):
        found[path.name] = path.stat().st_mtime_ns
        if path.read_bytes() != undisturbed.get(path.name):
            outcome.bad.append(str(path))
    return found


def main() -> None:
    """Kill and print what it left."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=100)
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.kills, options.processes, options.seed)
    print(f"kills: {found.kills}, over {found.datasets} datasets of {TILES} tiles in {TILES // SHARD_TILES} files each")
    print(f"bad files: {len(found.bad)} of {found.files}; files that stood and were made again: {found.redone}")
    print(
        f"tiles that were embedded again: {found.repeated}, {found.repeated / max(1, found.kills):.2f} a kill "
        f"(a file has {SHARD_TILES}, a batch {BATCH_SIZE})"
    )
    print(f"claims left beside files that stand: {found.claims}; longest end after a last kill {found.longest:.1f} s")


if __name__ == "__main__":
    main()
