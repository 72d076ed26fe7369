"""Many front-ends in one pass over the tiles against a run each, interleaved in one process.

    python -m benchmarks.behind_frontends [FOLDER] [--models colour efficientnet_lite0] [--tiles 256]

Both sides start from a cold cache and end with written feature files, of clean tiles and of `CHAINS`. In one pass a
tile is decoded once, a corruption is computed once for the tiles as they are and for those that are then restored, and
a network is in memory once. `benchmarks/embedding_cases.py` says what FOLDER holds.
"""

from __future__ import annotations

import dataclasses
import functools
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.embedding import EmbeddingJob, EmbeddingSettings, embed, shards_of
from bench.frontends import Chain, chain_of
from benchmarks.embedding import make_source
from benchmarks.embedding_cases import extractor, feature_key, parser, spread, tile_source

CORRUPTIONS = ("jpeg", "pixelate", "brightness", "downsample")
CHAINS = [f"{kind}_{severity}{then}" for kind in CORRUPTIONS for severity in (1, 3, 5) for then in ("", "+median")]


def seconds_of(source: Any, model: Any, chains: Sequence[Chain]) -> float:
    """Of one pass behind these front-ends."""
    how = EmbeddingSettings(batch_size=32, workers=2, progress=False)
    with tempfile.TemporaryDirectory() as cache:
        jobs = [
            EmbeddingJob(
                dataclasses.replace(feature_key(model.card.name), frontend=chain.identity),
                Path(cache),
                functools.partial(lambda own: own, model),
                frontend=chain,
            )
            for chain in chains
        ]
        began = time.perf_counter()
        found = embed(shards_of(tile_source(source), 512), jobs, how)
        took = time.perf_counter() - began
    for own in found.values():
        if own.error is not None:
            raise own.error
    return took


def main() -> None:
    """Print a row a model."""
    arguments = parser(__doc__, tiles=256, rounds=2)
    arguments.add_argument("--models", nargs="+", default=["colour", "efficientnet_lite0"])
    options = arguments.parse_args()
    chains = [chain_of("none"), *(chain_of(name) for name in CHAINS)]
    print("source | model | tiles | front-ends | tiles/s of one pass, through all | a run each takes", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = make_source("pcam", options.folder, Path(scratch), options.tiles, 0)
        for name in options.models:
            model = extractor(name)
            seconds_of(source, model, chains[:2])
            both = [
                (seconds_of(source, model, chains), sum(seconds_of(source, model, [chain]) for chain in chains))
                for _ in range(options.rounds)
            ]
            rate = options.tiles * len(chains) / statistics.median(together for together, _ in both)
            ratio = spread([apart / together for together, apart in both])
            print(f"{source.name} | {name} | {options.tiles} | {len(chains)} | {rate:.0f} | {ratio} times as long")


if __name__ == "__main__":
    main()
