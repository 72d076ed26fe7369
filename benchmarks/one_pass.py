"""Four models in one pass over the tiles against four passes of one model each, interleaved in one process.

    python -m benchmarks.one_pass [FOLDER]

Both sides start from a cold cache and end with written feature files. The models are stand-ins for a fast device (1 ms
a batch and nothing of the processor), networks of one convolution with random weights on this processor, and
efficientnet_lite0 four times. Beside the ratio stands what a pass of a model that costs nothing takes of a pass of one
model: the share of reading and decoding.
`benchmarks/embedding_cases.py` says what FOLDER holds.
"""

from __future__ import annotations

import functools
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import registry
from benchmarks.embedding import make_source
from benchmarks.embedding_cases import FastDevice, Source, embed_once, extractor, parser, spread
from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

CASES = {"device": "1 ms a batch", "tiny": "one convolution", "lite0": "efficientnet_lite0"}
COLUMNS = "source | four models | tiles | tiles/s of one pass | four passes take | by processor time | reading is"


def patch_means(width: int) -> nn.Module:
    """One convolution over patches of 16 px and the mean of its outputs."""
    return nn.Sequential(nn.Conv2d(3, width, 16, 16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@functools.cache
def tiny(width: int) -> Any:
    """An extractor of `patch_means`, of tiles of any size."""
    card = ModelCard(
        name=f"patch_means_{width}",
        family="benchmark",
        title="One convolution",
        dim=width,
        params=width * (3 * 16 * 16 + 1),
        paper="none",
        url="none",
        licence="Apache-2.0",
        architecture=Architecture(builder="benchmarks.one_pass:patch_means", kwargs={"width": width}),
        preprocessing=Preprocessing(size=224, mpp=None, tile_size=224, resize=None, multiple_of=1),
        weights=Weights(layout="random"),
        precision="float32",
        pretraining=Pretraining(method="none", data="none", evidence="stated"),
    )
    registry.add(card)
    return extractor(card.name)


def models_of(case: str) -> list[Any]:
    """Four models, each called as an encoder is."""
    if case == "device":
        return [FastDevice() for _ in range(4)]
    if case == "tiny":
        return [tiny(width) for width in (16, 24, 32, 40)]
    return [extractor("efficientnet_lite0")] * 4


def compare(source: Source, models: Sequence[Any], batch_size: int, workers: int) -> dict[str, float]:
    """Seconds of both sides and of decoding alone; ends with an error if a feature differs between both sides."""
    together = embed_once(source, models, batch_size, workers)
    alone = [embed_once(source, [model], batch_size, workers) for model in models]
    decoding = embed_once(source, [FastDevice(0.0)], batch_size, workers)
    for number, one in enumerate(alone):
        if not np.array_equal(together.features[number], one.features[0]):
            raise SystemExit(f"model {number} gives other features of {source.name} in one pass with the others")
    seconds = sum(one.seconds for one in alone)
    return {
        "tiles": together.tiles,
        "rate": together.tiles / together.seconds,
        "ratio": seconds / together.seconds,
        "processor": sum(one.processor for one in alone) / together.processor,
        "decoding": decoding.seconds / (seconds / len(alone)),
    }


def main() -> None:
    """Print a row a source and set of models."""
    arguments = parser(__doc__, tiles=1000)
    arguments.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    arguments.add_argument("--sources", nargs="+", default=("nct", "aligned", "resampled"))
    options = arguments.parse_args()
    print(
        "source | four models | tiles | tiles/s of one pass | four passes take | by processor time | reading is of one"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for case in options.cases:
            tiles = options.tiles if case != "lite0" else max(1, options.tiles // 8)
            models = models_of(case)
            (Path(scratch) / case).mkdir()
            for name in options.sources[: 1 if case == "lite0" else None]:
                source = make_source(name, options.folder, Path(scratch) / case, tiles, 0)
                embed_once(source, models[:1])
                runs = [compare(source, models, options.batch_size, options.workers) for _ in range(options.rounds)]
                print(
                    f"{source.name} | {CASES[case]} | {runs[0]['tiles']:.0f} | "
                    f"{statistics.median(run['rate'] for run in runs):.0f} | "
                    f"{spread([run['ratio'] for run in runs])} times as long | "
                    f"{spread([run['processor'] for run in runs])} | "
                    f"{statistics.median(run['decoding'] for run in runs):.0%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
