"""What reduced precision does to the features and the scores of each model, against float32 on the same device.

    OMP_NUM_THREADS=1 python -m benchmarks.precision [--models NAME ...] [--tiles FOLDER] [--scores FOLDER]
        [--device cuda] [--count 32] [--weights-dir FOLDER]

By default every model of tiles that the registry has, the largest too, which take long and much memory: name those that
you want. A model whose weights are not at hand is run with seeded random ones, and says so. The tiles are cut of the
region of CMU-1 in the package, or are the images of a folder. With `--scores`, the linear probe of every model with
published weights is scored on a tile dataset in each precision.

The gate: a cosine of .999 or more to float32 for every tile, and a score within the interval of the score in float32.
Exits with 1 if a model does not pass it in the precision that it takes where none is set.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import bench
import registry
from bench.embedding.host_memory import reuse_freed_memory
from registry import UserError
from registry.extractor import FeatureExtractor
from registry.precision import Precision
from registry.text_table import aligned

REGION = Path(__file__).parents[1] / "registry" / "data" / "cmu1_region.jpg"
LEAST_COSINE = 0.999
BATCH = 8
ROUNDS = 3
FORMATS: dict[str, tuple[Precision, ...]] = {"cpu": ("bfloat16",), "cuda": ("bfloat16", "float16")}


def main() -> int:
    """Print a line a model and precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models", nargs="+", default=[n for n in registry.names() if registry.card(n).unit != "slide"]
    )
    parser.add_argument("--tiles", type=Path, help="a folder of images instead of the region in the package")
    parser.add_argument("--count", type=int, default=32, help="tiles a model")
    parser.add_argument("--scores", type=Path, help="a tile dataset, as task=tiles takes it")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--weights-dir", type=Path)
    arguments = parser.parse_args()
    kind = torch.device(arguments.device).type
    if kind not in FORMATS:
        parser.error(f"--device {arguments.device}: there is only float32")
    header = ("model", "weights", "precision", "by default", "cosine min", "median", "float32 takes", "gate")
    lines: list[tuple[str, ...]] = []
    published, passed = [], True
    for name in arguments.models:
        model = load(name, arguments.device, arguments.weights_dir)
        known = model.weights.origin not in ("random", "none")
        published += [name] if known else []
        default = model.precision_on(arguments.device)
        batches = cut(model, arguments.count, arguments.tiles)
        for precision in FORMATS[kind]:
            with reuse_freed_memory() if kind == "cpu" else contextlib.nullcontext():
                cosines, ratio = compare(model, precision, batches)
            fine = float(cosines.min()) >= LEAST_COSINE
            passed &= fine or precision != default
            lines.append(
                (
                    model.card.name,
                    "published" if known else model.weights.origin,
                    precision,
                    default,
                    f"{cosines.min():.5f}",
                    f"{cosines.median():.5f}",
                    f"{ratio:.2f} times",
                    "passes" if fine else "does not pass",
                )
            )
            print(" · ".join(lines[-1]), file=sys.stderr, flush=True)
        del model
    print("\n".join(aligned([header, *lines], left=4)))
    if arguments.scores and published:
        passed &= scores(published, arguments, FORMATS[kind])
    return 0 if passed else 1


def load(name: str, device: str, weights_dir: Path | None) -> FeatureExtractor:
    """The model with its published weights if they are at hand, and with seeded random ones otherwise."""
    try:
        model = registry.load(name, device=device, weights_dir=weights_dir, offline=True)
    except UserError:
        model = registry.load(name, device=device, weights="random", offline=True)
    assert isinstance(model, FeatureExtractor)
    return model


def cut(model: FeatureExtractor, count: int, folder: Path | None) -> list[torch.Tensor]:
    """Batches of uint8 tiles of the size that the card wants; a region that is too small is repeated."""
    if folder is not None:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in Image.registered_extensions())
        paths = paths[:: max(1, len(paths) // count)][:count]
        images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    else:
        side = model.card.preprocessing.tile_size
        region = np.asarray(Image.open(REGION).convert("RGB"))
        repeats = -(-side // min(region.shape[:2]))
        region = np.tile(region, (repeats, repeats, 1))
        rng = np.random.default_rng(0)
        count = max(1, count // repeats**2)
        places = rng.integers(0, np.array(region.shape[:2]) - side + 1, (count, 2))
        images = [region[y : y + side, x : x + side] for y, x in places]
    tiles = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return list(tiles.split(1 if tiles.shape[-1] > 1024 else BATCH))


def compare(model: FeatureExtractor, precision: Precision, batches: list[torch.Tensor]) -> tuple[torch.Tensor, float]:
    """Cosines of each tile's features to those in float32, and how many times as long float32 takes."""
    networks = {
        p: FeatureExtractor(model.card, model.network, model.weights, precision=p) for p in ("float32", precision)
    }
    for network in networks.values():
        network.to(model.device)
    features = {}
    for name, network in networks.items():
        with torch.inference_mode():
            features[name] = torch.cat([network(batch).double().cpu() for batch in batches])
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(ROUNDS):
        for name, network in networks.items():
            seconds[name].append(timed(network, batches[0]))
    full, reduced = (statistics.median(times) for times in seconds.values())
    return torch.cosine_similarity(features["float32"], features[precision]), full / reduced


def timed(model: FeatureExtractor, tiles: torch.Tensor) -> float:
    """Processor time on a CPU, which others on the machine do not change; time by the clock on a GPU."""
    clock = time.process_time if model.device.type == "cpu" else time.perf_counter
    began = clock()
    with torch.inference_mode():
        model(tiles).cpu()
    return clock() - began


def scores(models: list[str], arguments: argparse.Namespace, formats: tuple[str, ...]) -> bool:
    """Print the linear probe's scores in each precision; whether each default lies in the interval of float32."""
    lines: list[tuple[str, ...]] = []
    passed = True
    full: dict[str, tuple[float, float]] = {}
    for precision in ("float32", *formats):
        with tempfile.TemporaryDirectory() as folder:
            found = bench.evaluate(
                models,
                "tiles",
                ["linear"],
                data=arguments.scores,
                results=Path(folder) / "results",
                cache=Path(folder) / "cache",
                null="none",
                precision=precision,
                device=arguments.device,
                offline=True,
                weights_dir=str(arguments.weights_dir) if arguments.weights_dir else None,
            )
        metric = found.rows[found.rows.metric == "balanced_accuracy"].set_index("model")
        for name, row in metric.iterrows():
            low, high = full.setdefault(str(name), (row.ci_low, row.ci_high))
            fine = low <= row.value <= high
            passed &= fine or precision != registry.resolve_precision(registry.card(str(name)), None, arguments.device)
            shown = f"{row.ci_low:.3f} to {row.ci_high:.3f}"
            lines.append((str(name), precision, f"{row.value:.3f}", shown, "yes" if fine else "no"))
    header = ("model", "precision", "balanced accuracy", "interval", "within that of float32")
    print("\n".join(aligned([header, *sorted(lines, key=lambda line: models.index(line[0]))], left=2)))
    return passed


if __name__ == "__main__":
    sys.exit(main())
