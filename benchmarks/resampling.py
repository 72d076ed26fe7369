"""Windows of a slide brought to the size of a tile: how fast `tiling.resample=exact` and `fast` are, and how far apart.

    python -m benchmarks.resampling [FOLDER]

FOLDER holds `CMU-1-Small-Region.svs` (see `benchmarks.slides`, whose pyramid is read here too, once more with chroma at
half the width, as many scanners write it). Prints, for each case,

- tiles a second a core of both ways, by processor time, one after another in each of five rounds; how many times as
  long it took with `torch.nn.functional.interpolate` and a copy, the way until now; and the share of bare decoding;
- grey levels between the tiles and those that Pillow makes of the same windows with its filters BICUBIC and BOX, mean
  and largest, on the 48 darkest of 300 windows drawn at random;
- the cosine between features of EfficientNet-Lite0 of the same tiles, lowest and median. Beside it, for scale, those
  of Pillow's BOX and LANCZOS filters and of the exact way with the window moved by one pixel, each against exact.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import registry
from bench.slides import Grid, Resample, Slide, SlideTiles, from_coords, open_slide
from benchmarks.slides import REAL, ROUNDS, bare, compressed, first, spread, timed, write_pyramid

SIDE, DRAWN, TILES = 256, 300, 48
FACTORS = (2.0, 1.98, 2.06, 2.2, 4.0)  # of 40x scanners at 0.25, 0.2525, 0.243 and 0.227 mpp for 0.5, and of 0.25 for 1
Filter = Image.Resampling


def former(slide: Slide, grid: Grid) -> None:
    """Every window into memory of its own, through `interpolate`, and copied into a batch."""
    batch = np.empty((64, grid.size, grid.size, 3), np.uint8)
    for row, (x, y) in enumerate(grid.coords.tolist()):
        window = torch.from_numpy(slide.read_region(x, y, grid.level, *grid.window)).permute(2, 0, 1)[None]
        small = torch.nn.functional.interpolate(window, size=(grid.size, grid.size), mode="bicubic", antialias=True)
        batch[row % 64] = small[0].permute(1, 2, 0).numpy()


def now(slide: Slide, grid: Grid, resample: Resample) -> None:
    """The same through the reader."""
    batch = np.empty((64, grid.size, grid.size, 3), np.uint8)
    tiles = SlideTiles(slide, grid, resample)
    for row in range(len(grid)):
        batch[row % 64] = tiles.tile(row)


def speed(name: str, path: Path, grid_of: Callable[[Slide], Grid]) -> None:
    """Time all ways in turn; each by a slide opened anew, so that nothing is cached."""
    seconds: dict[str, list[float]] = {"former": [], "exact": [], "fast": [], "bare": []}
    for attempt in range(ROUNDS + 1):
        for way in seconds:
            with open_slide(path) as slide:
                grid = grid_of(slide)
                if way == "bare":
                    decode, data = compressed(slide, grid)
                    took = timed(lambda decode=decode, data=data: bare(decode, data, 1))[0]
                elif way == "former":
                    took = timed(lambda slide=slide, grid=grid: former(slide, grid))[0]
                else:
                    took = timed(lambda slide=slide, grid=grid, way=way: now(slide, grid, way))[0]
            if attempt:  # the first round imports, and brings the file into memory
                seconds[way].append(took)
    exact, fast = seconds["exact"], seconds["fast"]
    per_second = {way: len(grid) / statistics.median(took) for way, took in seconds.items()}
    print(
        f"{name}: {len(grid)} tiles, window {grid.window[0]} px\n"
        f"    exact {per_second['exact']:.0f} tiles/s a core, fast {per_second['fast']:.0f}, "
        f"until now {per_second['former']:.0f}, bare decoding {per_second['bare']:.0f};\n"
        f"    until now takes {ratio(seconds['former'], exact)} times as long as exact, which takes\n"
        f"    {ratio(exact, fast)} times as long as fast; bare decoding is {ratio(seconds['bare'], exact)} of exact",
        flush=True,
    )


def ratio(ones: Sequence[float], others: Sequence[float]) -> str:
    """Median and range of the ratios of each round."""
    return spread([one / other for one, other in zip(ones, others, strict=True)])


def distance(
    name: str, path: Path, factor: float, network: Callable[[torch.Tensor], torch.Tensor], step: int = 1
) -> None:
    """Pixels and features of the tiles of one factor, at multiples of `step` px."""
    side = round(SIDE * factor)
    draw = np.random.default_rng(0)
    with open_slide(path) as slide:
        area = [min(length, 4000) - side - 1 for length in slide.dimensions]
        places = np.stack([draw.integers(0, length, DRAWN) // step * step for length in area], axis=1)
        light = [slide.read_region(x, y, 0, side, side)[::8, ::8].mean() for x, y in places.tolist()]
        places = places[np.argsort(light)[:TILES]]

        def tiles(shift: int, resample: Resample) -> np.ndarray:
            grid = from_coords(slide, places + shift, (float(side), float(side)), SIDE)
            reader = SlideTiles(slide, grid, resample)
            return np.stack([reader.tile(row) for row in range(TILES)])

        def pillow(kind: Filter) -> np.ndarray:
            windows = [Image.fromarray(slide.read_region(x, y, 0, side, side)) for x, y in places.tolist()]
            return np.stack([np.asarray(window.resize((SIDE, SIDE), kind)) for window in windows])

        exact, fast, moved = tiles(0, "exact"), tiles(0, "fast"), tiles(1, "exact")
        cubic, box, lanczos = pillow(Filter.BICUBIC), pillow(Filter.BOX), pillow(Filter.LANCZOS)
    features = [network(torch.from_numpy(t).permute(0, 3, 1, 2)) for t in (exact, fast, box, lanczos, moved)]
    cosines = [torch.nn.functional.cosine_similarity(features[0], other) for other in features[1:]]
    low = ", ".join(f"{c.min():.4f} ({c.median():.4f})" for c in cosines)
    print(
        f"{name}, window {side} px: exact and BICUBIC {levels(exact, cubic)}, fast and BICUBIC {levels(fast, cubic)}, "
        f"fast and BOX {levels(fast, box)}, BOX and BICUBIC {levels(box, cubic)} grey levels;\n"
        f"    cosine to exact of fast, BOX, LANCZOS, and moved by a pixel: {low}",
        flush=True,
    )


def levels(ones: np.ndarray, others: np.ndarray) -> str:
    """Mean and largest difference."""
    difference = np.abs(ones.astype(int) - others)
    return f"{difference.mean():.2f} / {difference.max()}"


def main() -> None:
    """All cases."""
    torch.set_num_threads(1)
    svs = (Path(sys.argv[1]) if len(sys.argv) > 1 else REAL) / "CMU-1-Small-Region.svs"
    network = registry.load("efficientnet_lite0")
    with open_slide(svs) as slide:
        tissue = slide.read_region(0, 0, 0, *slide.dimensions)
    with tempfile.TemporaryDirectory() as scratch:
        half, wide = Path(scratch) / "420.tif", Path(scratch) / "422.tif"
        write_pyramid(half, tissue)
        write_pyramid(wide, tissue, (2, 1))
        for mpp in (0.5, 0.495, 0.55):
            speed(f"pyramid, 256 px at {mpp} mpp", half, lambda s, mpp=mpp: first(s, SIDE, mpp))
        speed("pyramid, chroma at half the width, 256 px at 0.5 mpp", wide, lambda s: first(s, SIDE, 0.5))
        speed("real SVS, 256 px at 1 mpp", svs, lambda s: first(s, SIDE, 1.0))
        for name, path, factors in (
            ("real SVS", svs, FACTORS),
            ("pyramid", half, FACTORS[:-1]),  # it has a level for the last one
            ("chroma at half the width", wide, FACTORS[:2]),
        ):
            for factor in factors:
                distance(name, path, factor, network)
            distance(f"{name}, where blocks begin", path, 2.0, network, 2)


if __name__ == "__main__":
    main()
