"""The embedding stage end to end against the pure forward of the same network, interleaved in one process.

    python -m benchmarks.embedding [FOLDER] [--models efficientnet_lite0 random_vit_s16] [--tree CHECKOUT]

End to end is from compressed tiles on the disk to written feature files, with a cold cache (the grids of slides are
known, but for those of the small slides, whose tissue is found in every run). The pure forward is the network alone on
as many batches of the same size, decoded and preprocessed beforehand and held in memory. Prints tiles/s and the share
of the pure forward's rate that is left, by the clock and by processor time; and the share of a plain loop of PyTorch
over the same batches, which leaves the memory of layers to the system as any program does that does not ask for more
(`bench/embedding/host_memory.py`). With `--tree` the stage of another checkout runs the same in turn, and the ratio of
both is printed. `benchmarks/embedding_cases.py` says what FOLDER holds.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.embedding_cases import (
    Source,
    embed_once,
    extractor,
    files_source,
    parser,
    processor_seconds,
    pyramid_source,
    small_slides_source,
    spread,
    svs_source,
)
from benchmarks.trees import trees
from registry.extractor import pool

MODELS = ("efficientnet_lite0", "random_vit_s16")
IN_MEMORY = 4  # preprocessed batches, over and over; one is larger than a core's cache
SOURCES = ("pcam", "nct", "aligned", "resampled", "svs", "small")


def pure_forward(model: Any, inputs: list[torch.Tensor], tiles: int) -> None:
    """Features of so many tiles, batch for batch, of what lies in memory."""
    batch_size = len(inputs[0])
    for number, first in enumerate(range(0, tiles, batch_size)):
        batch = inputs[number % len(inputs)][: min(batch_size, tiles - first)]
        with torch.inference_mode(), model._numerics(batch.device):
            pool(model.network(batch), model.card.pooling).cpu()


def preprocessed(model: Any, batch_size: int, side: int) -> list[torch.Tensor]:
    """Batches as the network takes them, of tiles of noise."""
    made = torch.Generator().manual_seed(0)
    noise = [torch.randint(0, 256, (batch_size, side, side, 3), generator=made, dtype=torch.uint8) for _ in range(2)]
    with torch.inference_mode():
        return [model.preprocess(noise[i % 2].permute(0, 3, 1, 2).to(model.device)) for i in range(IN_MEMORY)]


def measure(source: dict[str, Any], name: str, batch_size: int, workers: int) -> dict[str, float]:
    """Seconds of one run of the stage and of the pure forward of as many tiles, one after the other."""
    model, tiles_on_disk = extractor(name), Source(**source)
    run = embed_once(tiles_on_disk, [model], batch_size, workers)
    inputs = preprocessed(model, batch_size, model.card.preprocessing.tile_size)
    with _memory_as_the_stage():
        pure_forward(model, inputs, batch_size)
        clock, processor = time.perf_counter(), processor_seconds()
        pure_forward(model, inputs, run.tiles)
        pure_seconds, pure_processor = time.perf_counter() - clock, processor_seconds() - processor
    clock = time.perf_counter()
    pure_forward(model, inputs, run.tiles)
    plain_seconds = time.perf_counter() - clock
    return {
        "tiles": run.tiles,
        "seconds": run.seconds,
        "processor": run.processor,
        "pure_seconds": pure_seconds,
        "pure_processor": pure_processor,
        "plain_seconds": plain_seconds,
    }


def _memory_as_the_stage() -> contextlib.AbstractContextManager[None]:
    """What the stage does about the memory of layers, which it did not in earlier checkouts."""
    try:
        from bench.embedding.host_memory import reuse_freed_memory
    except ImportError:
        return contextlib.nullcontext()
    return reuse_freed_memory()


def make_source(name: str, data: Path, scratch: Path, tiles: int, slides: int) -> Source:
    """One of `SOURCES`, with about so many tiles."""
    if name in ("pcam", "nct"):
        return files_source(name, data, scratch, tiles)
    if name == "svs":
        return svs_source(data, scratch, tiles)
    if name == "small":
        return small_slides_source(data, scratch, slides)
    return pyramid_source(data, scratch, tiles, 0.25 if name == "aligned" else 0.5)


def main() -> None:
    """Print a row a source and model."""
    arguments = parser(__doc__, tiles=512, slides=200, tree=True)
    arguments.add_argument("--models", nargs="+", default=MODELS)
    arguments.add_argument("--sources", nargs="+", choices=SOURCES, default=SOURCES)
    options = arguments.parse_args()
    print("source | model | tiles | tiles/s | share of the pure forward | by processor time | of a plain loop", end="")
    print(" | the other checkout takes" if options.tree else "", flush=True)
    with tempfile.TemporaryDirectory() as scratch, trees(options.tree) as both:
        for name in options.sources:
            source = make_source(name, options.folder, Path(scratch), options.tiles, options.slides)
            for model in options.models:
                how = {"name": model, "batch_size": options.batch_size, "workers": options.workers}
                rounds: list[list[dict[str, float]]] = [
                    [tree.call("benchmarks.embedding:measure", source=vars(source), **how) for tree in both]
                    for _ in range(options.rounds + 1)  # the first lays grids and warms up
                ]
                own = [sides[0] for sides in rounds[1:]]
                rate = statistics.median(one["tiles"] / one["seconds"] for one in own)
                line = (
                    f"{source.name} | {model} | {own[0]['tiles']:.0f} | {rate:.0f} | "
                    f"{spread([one['pure_seconds'] / one['seconds'] for one in own])} | "
                    f"{spread([one['pure_processor'] / one['processor'] for one in own])} | "
                    f"{spread([one['plain_seconds'] / one['seconds'] for one in own])}"
                )
                if options.tree:
                    ratios = [sides[1]["seconds"] / sides[0]["seconds"] for sides in rounds[1:]]
                    line += f" | {spread(ratios)} times as long"
                print(line, flush=True)


if __name__ == "__main__":
    main()
