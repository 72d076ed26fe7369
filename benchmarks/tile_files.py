"""Single tiles from files as `bench.tiles` reads them, against the bare decoder and the loop before, in one process.

    OMP_NUM_THREADS=1 python -m benchmarks.tile_files [FOLDER] [--reads 1000] [--rounds 9] [--run 16]

FOLDER holds `pcam_sample` (JPEG of 96 px) and `nct_crc_sample` (JPEG and PackBits TIFF of 224 px); it is ../shared/data
if none is named. Each list of files is repeated until there are as many reads as said. Of the files themselves, of the
same tiles packed in one file, and of the same pixels in an HDF5 array [N, 96, 96, 3] as PCam has (in one block, and in
chunks with gzip), the table shows tiles/s with one thread and with two, and the time of two others as shares of ours:

- the bare decoder: of JPEG simplejpeg, and of TIFF and PNG Pillow, on bytes that are in memory, into memory that is
  allocated; of arrays the copy of the rows from memory, and of gzip zlib alone;
- Pillow a future a tile, which was the loop before (`h5py` a future a row).

All are run in turn, so that the speed of a shared machine drifts for all alike. Rates are by the clock, medians of the
rounds; shares are medians (lowest to highest) of those of each round, of processor time and by the clock.
"""

from __future__ import annotations

import argparse
import io
import itertools
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import simplejpeg
from PIL import Image

from bench.tiles import TileSource, decode_tile

REAL = Path(__file__).resolve().parents[2] / "shared/data"
BATCH = 256
CHUNK = 16  # tiles a chunk of the gzip array

Work = Callable[[range], None]


@dataclass(frozen=True)
class Case:
    """One way to store tiles.

    Attributes
    ----------
    source : TileSource
    bare : callable
        Decodes the tiles of a run, which are in memory, into its argument.
    before : callable
        Reads and decodes one tile, as the loop before did.
    """

    name: str
    source: TileSource
    bare: Callable[[np.ndarray, range], None]
    before: Callable[[int], np.ndarray]


def of_files(name: str, paths: Sequence[str], packed: Path | None = None) -> Case:
    """Image files, packed or not."""
    source = TileSource(paths, paths, [-1] * len(paths))
    data = [Path(path).read_bytes() for path in paths]

    def bare(out: np.ndarray, rows: range) -> None:
        for place, row in zip(out, rows, strict=True):
            if data[row][:2] == b"\xff\xd8":
                simplejpeg.decode_jpeg(data[row], "RGB", buffer=place)
            else:
                place[...] = np.asarray(Image.open(io.BytesIO(data[row])).convert("RGB"))

    if packed is not None:
        source = source.packed(packed, source.digest())
    return Case(name, source, bare, lambda row: decode_tile(paths[row]))


def of_array(name: str, path: Path, tiles: np.ndarray, gzip: bool) -> Case:
    """An HDF5 array of tiles."""
    chunks = {"chunks": (CHUNK, *tiles.shape[1:]), "compression": "gzip", "compression_opts": 4} if gzip else {}
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=tiles, **chunks)
    source = TileSource([str(i) for i in range(len(tiles))], [str(path)] * len(tiles), range(len(tiles)))
    deflated = [zlib.compress(tiles[i : i + CHUNK].tobytes(), 4) for i in range(0, len(tiles), CHUNK)] if gzip else []

    def bare(out: np.ndarray, rows: range) -> None:
        if gzip:
            for chunk in range(rows.start // CHUNK, -(-rows.stop // CHUNK)):
                zlib.decompress(deflated[chunk])
        else:
            out[...] = tiles[rows.start : rows.stop]

    opened = h5py.File(path, "r")["x"]
    return Case(name, source, bare, lambda row: np.ascontiguousarray(opened[row]))


@dataclass(frozen=True)
class Spent:
    """Seconds of all processors and by the clock."""

    processor: float
    clock: float

    @classmethod
    def on(cls, work: Callable[[], None]) -> Spent:
        """What a piece of work takes."""
        processor, clock = time.process_time(), time.perf_counter()
        work()
        return cls(time.process_time() - processor, time.perf_counter() - clock)


def in_runs(n_tiles: int, run: int, threads: int, work: Work) -> None:
    """All tiles in runs of neighbours."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, [range(first, min(first + run, n_tiles)) for first in range(0, n_tiles, run)]))


def loop_before(case: Case, threads: int) -> None:
    """All tiles, a future each, stacked to batches."""
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(case.source), BATCH):
            rows = range(first, min(first + BATCH, len(case.source)))
            np.stack([future.result() for future in [pool.submit(case.before, row) for row in rows]])


def measured(case: Case, run: int, threads: int, rounds: int) -> str:
    """A row of the table."""
    n_tiles, spent = len(case.source), []
    with case.source.open() as tiles:
        batch = np.zeros((BATCH, *tiles.shape, 3), np.uint8)

        def place(rows: range) -> np.ndarray:
            first = rows.start % (BATCH - len(rows) + 1)
            return batch[first : first + len(rows)]

        def ours(rows: range) -> None:
            found = tiles.read_into(place(rows), rows)
            assert not found.unreadable
            assert not found.other_size

        for _ in range(rounds + 1):
            own = Spent.on(lambda: in_runs(n_tiles, run, threads, ours))
            bare = Spent.on(lambda: in_runs(n_tiles, run, threads, lambda rows: case.bare(place(rows), rows)))
            before = Spent.on(lambda: loop_before(case, threads))
            spent.append((own, bare, before))
    spent = spent[1:]  # the first fills the cache of the disk
    cells = [
        case.name,
        f"{threads}",
        f"{statistics.median(n_tiles / own.clock for own, _, _ in spent):,.0f}",
        spread([bare.processor / own.processor for own, bare, _ in spent]),
        spread([bare.clock / own.clock for own, bare, _ in spent]),
        spread([before.processor / own.processor for own, _, before in spent]),
        spread([before.clock / own.clock for own, _, before in spent]),
    ]
    return f"| {' | '.join(cells)} |"


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """All cases with one thread and with two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=REAL)
    parser.add_argument("--reads", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--run", type=int, default=16, help="neighbouring tiles that are one task of the pool")
    settings = parser.parse_args()

    def paths(pattern: str) -> list[str]:
        found = sorted(str(path) for path in settings.folder.glob(pattern))
        return list(itertools.islice(itertools.cycle(found), settings.reads))

    pcam, nct, tiff = paths("pcam_sample/*/*/*.jpg"), paths("nct_crc_sample/*/*.jpg"), paths("nct_crc_sample/*/*.tif")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pixels = np.stack([decode_tile(path) for path in pcam])
        cases = [
            of_files("JPEG, 96 px", pcam),
            of_files("the same, packed", pcam, folder),
            of_files("JPEG, 224 px", nct),
            of_files("the same, packed", nct, folder),
            of_files("TIFF (PackBits), 224 px", tiff),
            of_array("HDF5, one block, 96 px", folder / "plain.h5", pixels, gzip=False),
            of_array("HDF5, gzip, 96 px", folder / "gzip.h5", pixels, gzip=True),
        ]
        print(
            "| tiles | threads | tiles/s | bare decoder / ours, processor time | by the clock "
            "| before / ours, processor time | by the clock |"
        )
        print("|---|---|---|---|---|---|---|")
        for case in cases:
            for threads in (1, 2):
                print(measured(case, settings.run, threads, settings.rounds), flush=True)


if __name__ == "__main__":
    main()
