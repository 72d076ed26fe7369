"""Other harnesses themselves, each in an environment of its own, against this one on the same tiles and weights.

    python -m benchmarks.real_peers [FOLDER] --python eva=PYTHON thunder=PYTHON slide2vec=PYTHON

Each PYTHON is that of a virtual environment in which the harness is installed (`benchmarks/README.md` says how). The
tiles are real ones brought to 256 px, as JPEG; the network is efficientnet_lite0 with its weights, in float32 on the
processor, for everyone. Timed is the call of each harness from image files to written features, without imports and the
loading of the model; ours runs before each. Prints how many times as long each takes, and the largest difference of
features. `benchmarks/embedding_cases.py` says what FOLDER holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks import mfu
from benchmarks.embedding_cases import Source, embed_once, extractor, parser, spread

PROGRAM = Path(__file__).with_name("peer_programs.py")
TILE_SIZE = 256


def theirs(name: str, python: str, tiles: Path, weights: Path) -> tuple[float, np.ndarray]:
    """Seconds and features of one run."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        done = subprocess.run(
            [python, str(PROGRAM), name, str(tiles), str(weights), str(out)],
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{name} failed: {done.stderr[-2000:]}")
        seconds = next(line for line in done.stdout.splitlines() if line.startswith("seconds: "))
        return float(seconds.removeprefix("seconds: ")), np.load(out / "features.npy")


def main() -> None:
    """Print a row a harness."""
    arguments = parser(__doc__, tiles=512, rounds=3)
    arguments.add_argument("--python", nargs="+", required=True, metavar="NAME=PYTHON")
    options = arguments.parse_args()
    model = extractor("efficientnet_lite0")
    print("harness | tiles | ours, tiles/s | theirs, tiles/s | theirs takes | features differ by", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        tiles, weights = Path(scratch) / "tiles", Path(scratch) / "weights.pt"
        mfu.write_tiles(options.folder, tiles, TILE_SIZE, options.tiles)
        torch.save(model.network.state_dict(), weights)
        source = Source("JPEG files of 256 px", str(tiles), options.tiles)
        embed_once(Source(source.name, source.path, 2 * options.batch_size), [model])
        for name, _, python in (pair.partition("=") for pair in options.python):
            ratios, own, other, difference = [], [], [], 0.0
            for _ in range(options.rounds):
                run = embed_once(source, [model], options.batch_size, options.workers)
                seconds, features = theirs(name, python, tiles, weights)
                own.append(run.tiles / run.seconds)
                other.append(run.tiles / seconds)
                ratios.append(seconds / run.seconds)
                difference = max(difference, float(np.abs(features - run.features[0]).max()))
            print(
                f"{name} | {run.tiles} | {np.median(own):.1f} | {np.median(other):.1f} | "
                f"{spread(ratios)} times as long | {difference:.2g}",
                flush=True,
            )


if __name__ == "__main__":
    main()
