"""The share of time that a fast device waits for data: a stand-in for a model that costs 1 ms a batch and no processor.

    python -m benchmarks.waiting [FOLDER] [--tree CHECKOUT]

The stage embeds tiles from files, from pyramids at 0.25 mpp as they lie and brought to 0.5 mpp, and from small slides,
end to end as in `benchmarks/embedding.py`. The device has waited for what is left of the run beside 1 ms a batch.
Beside it stands the decoder's own limit on the same tiles: bare decoding of their JPEG data by simplejpeg with as many
threads, each compressed tile once, from memory. With `--tree` the stage of another checkout runs in turn, and the ratio
of both is printed. `benchmarks/embedding_cases.py` says what FOLDER holds.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import simplejpeg

from bench.slides import find_tissue, open_slide, plan
from benchmarks.embedding import make_source
from benchmarks.embedding_cases import SIZE, FastDevice, Source, embed_once, parser, spread, tile_source
from benchmarks.slides import bare, compressed
from benchmarks.trees import trees

SOURCES = ("pcam", "nct", "aligned", "resampled", "small")
ENOUGH_S = 0.5  # of decoding at least, so that starting threads counts little


def measure(source: dict[str, Any], batch_size: int, workers: int, seconds: float) -> dict[str, float]:
    """One run of the stage with the stand-in."""
    device = FastDevice(seconds)
    run = embed_once(Source(**source), [device], batch_size, workers)
    return {"tiles": run.tiles, "seconds": run.seconds, "busy": device.calls * seconds}


def limit(source: dict[str, Any], tiles: int, workers: int) -> float:
    """Tiles/s of the decoder alone."""
    work = _decoding(Source(**source), workers)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < ENOUGH_S:
        work()
        count += tiles
    return count / (time.perf_counter() - began)


def _decoding(source: Source, workers: int) -> Any:
    """Decodes the compressed tiles of a source, which it holds in memory."""
    if not source.mpp:
        data = [Path(path).read_bytes() for path in dict.fromkeys(tile_source(source).paths)]
        repeated = [data[number % len(data)] for number in range(source.tiles)]
        return functools.partial(bare, lambda tile, index, out: simplejpeg.decode_jpeg(tile), repeated, workers)
    parts = []
    for path in sorted(Path(source.path).parent.glob("*.tif")):
        with open_slide(path) as slide:
            parts.append(compressed(slide, plan(slide, SIZE, source.mpp, tissue=find_tissue(slide))))

    def work() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda part: bare(*part, 1), parts))

    return work


def main() -> None:
    """Print a row a source."""
    arguments = parser(__doc__, tiles=3000, slides=200, tree=True)
    arguments.add_argument("--milliseconds", type=float, default=1.0, help="that the device takes a batch")
    arguments.add_argument("--sources", nargs="+", choices=SOURCES, default=SOURCES)
    options = arguments.parse_args()
    how = {"batch_size": options.batch_size, "workers": options.workers, "seconds": options.milliseconds / 1000}
    print("source | tiles | tiles/s | of the decoder's limit, tiles/s | share | waits | at the limit", end="")
    print(" | the other checkout takes | waits" if options.tree else "", flush=True)
    with tempfile.TemporaryDirectory() as scratch, trees(options.tree) as both:
        for name in options.sources:
            source = vars(make_source(name, options.folder, Path(scratch), options.tiles, options.slides))
            rounds, limits = [], []
            for _ in range(options.rounds + 1):  # the first lays grids and warms up
                rounds.append([tree.call("benchmarks.waiting:measure", source=source, **how) for tree in both])
                tiles = rounds[-1][0]["tiles"]
                limits.append(
                    both[0].call("benchmarks.waiting:limit", source=source, tiles=tiles, workers=options.workers)
                )
            rounds, limits = rounds[1:], limits[1:]
            own = [sides[0] for sides in rounds]
            rates = [one["tiles"] / one["seconds"] for one in own]
            at_limit = [1 - one["busy"] * most / one["tiles"] for one, most in zip(own, limits, strict=True)]
            line = (
                f"{source['name']} | {own[0]['tiles']} | {statistics.median(rates):.0f} | "
                f"{statistics.median(limits):.0f} | "
                f"{spread([rate / most for rate, most in zip(rates, limits, strict=True)])} | "
                f"{_waits(own)} | {max(0.0, statistics.median(at_limit)):.1%}"
            )
            if options.tree:
                ratios = [sides[1]["seconds"] / sides[0]["seconds"] for sides in rounds]
                line += f" | {spread(ratios)} times as long | {_waits([sides[1] for sides in rounds])}"
            print(line, flush=True)


def _waits(runs: list[dict[str, float]]) -> str:
    return f"{statistics.median(1 - run['busy'] / run['seconds'] for run in runs):.1%}"


if __name__ == "__main__":
    main()
