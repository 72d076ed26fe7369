"""Model FLOP utilisation: the rate of encoders against the rate of matrix products that the device is measured to have.

    python -m benchmarks.mfu [FOLDER] [--device cuda] [--models random_vit_s16 kaiko_vitb16 uni virchow2 prov_gigapath]

The device's matrix rate is the best of square products of several sizes in each number format. A forward's operations
are counted by torch (two to a multiplication with addition) on one tile. Weights are random (`NAME@random`), number
formats bfloat16 on CUDA (`--precision`) and elsewhere what the extractor takes by itself. For each model stand the pure
forward on uint8 tiles that lie on the device already, with the model's own preprocessing, and the stage end to end from
JPEG files of the model's tile size on the disk to written features: tiles/s, operations/s, their share of the matrix
rate of the same format, the share of time that the model waited for data, and the peak memory of the device (of the
process on a CPU).
`benchmarks/embedding_cases.py` says what FOLDER holds.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import registry
from benchmarks.embedding_cases import Source, embed_once, image_files, parser

SIZES = {"cuda": (4096, 8192, 16384), "cpu": (512, 1024, 2048)}
MODELS = {
    "cuda": ("random_vit_s16", "kaiko_vitb16", "uni", "virchow2", "prov_gigapath"),
    "cpu": ("random_vit_s16",),
}
FILES = 256  # JPEG files on the disk, over and over
LONG_ENOUGH_S = 0.5


def wait(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rate(work: Callable[[], object], device: torch.device, rounds: int) -> float:
    """Calls a second, median of rounds that are long enough to be timed; the first calls warm up."""
    for _ in range(2):
        work()
    wait(device)
    calls, found = 1, []
    while len(found) < rounds:
        began = time.perf_counter()
        for _ in range(calls):
            work()
        wait(device)
        seconds = time.perf_counter() - began
        if seconds < LONG_ENOUGH_S:
            calls = max(calls + 1, int(calls * LONG_ENOUGH_S / max(seconds, 1e-6)) + 1)
        else:
            found.append(calls / seconds)
    return statistics.median(found)


def matrix_rate(dtype: torch.dtype, device: torch.device, rounds: int) -> float:
    """Operations a second of the best square product."""
    best = 0.0
    for side in SIZES[device.type]:
        one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        best = max(best, 2 * side**3 * rate(lambda one=one, other=other: one @ other, device, rounds))
    return best


def operations(model: Any) -> float:
    """Of one tile, products of matrices and convolutions; attention as plain products, which torch counts anywhere."""
    side = model.card.preprocessing.size
    plain = sdpa_kernel(SDPBackend.MATH)
    with FlopCounterMode(display=False) as counter, torch.inference_mode(), plain:
        model.network(torch.zeros(1, 3, side, side, device=model.device))
    return counter.get_total_flops()


class Busy:
    """The time in which the device preprocesses and runs the network: until it is done, not until it is told.

    Parameters
    ----------
    model : FeatureExtractor
        Its parts are watched until `close`.
    """

    def __init__(self, model: Any) -> None:
        self._device, self._marks = model.device, list[Any]()
        self._hooks = []
        for part in (model.preprocess, model.network):
            self._hooks += [part.register_forward_pre_hook(self._mark), part.register_forward_hook(self._mark)]

    def _mark(self, *_: object) -> None:
        if self._device.type == "cuda":
            self._marks.append(torch.cuda.Event(enable_timing=True))
            self._marks[-1].record()
        else:
            self._marks.append(time.perf_counter())

    def close(self) -> float:
        """Stop watching; gives the seconds."""
        for hook in self._hooks:
            hook.remove()
        wait(self._device)
        spans = zip(self._marks[::2], self._marks[1::2], strict=True)
        if self._device.type == "cuda":
            return sum(start.elapsed_time(end) for start, end in spans) / 1000
        return sum(end - start for start, end in spans)


def write_tiles(data: Path, folder: Path, side: int, count: int = FILES) -> None:
    """Real tiles brought to a model's tile size, as JPEG."""
    folder.mkdir()
    files = image_files(data / "nct_crc_sample")
    for number in range(count):
        image = Image.open(files[number % len(files)]).convert("RGB")
        image.rotate(90 * (number // len(files) % 4)).resize((side, side)).save(
            folder / f"{number:06d}.jpg", quality=90
        )


def peak_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def row(name: str, device: torch.device, peaks: dict[str, float], data: Path, scratch: Path, options: Any) -> str:
    """What one model reaches."""
    network = f"{name.removesuffix(registry.RANDOM)}{registry.RANDOM}"
    precision = options.precision if device.type == "cuda" and options.precision != "card" else None
    model = registry.load(network, device=device, precision=precision)
    tile_size = model.card.preprocessing.tile_size
    precision = model.precision_on(device)
    flops, peak = operations(model), peaks[precision]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    tiles = torch.randint(0, 256, (options.batch_size, tile_size, tile_size, 3), dtype=torch.uint8).to(device)
    with torch.inference_mode():
        pure = options.batch_size * rate(lambda: model(tiles.permute(0, 3, 1, 2)), device, options.rounds)
    folder = scratch / f"{tile_size} px"
    if not folder.is_dir():
        write_tiles(data, folder, tile_size)
    source = Source(folder.name, str(folder), options.tiles)
    embed_once(Source(folder.name, str(folder), min(options.tiles, 2 * options.batch_size)), [model])
    rates, waits = [], []
    for _ in range(options.rounds):
        busy = Busy(model)
        run = embed_once(source, [model], options.batch_size, options.workers)
        rates.append(run.tiles / run.seconds)
        waits.append(max(0.0, 1 - busy.close() / run.seconds))
    reached = statistics.median(rates)
    return (
        f"{name} | {model.card.params / 1e6:.0f} M | {flops / 1e9:.1f} | {precision} | "
        f"{pure:.1f} | {pure * flops / 1e12:.2f} | {pure * flops / peak:.0%} | "
        f"{reached:.1f} | {reached * flops / 1e12:.2f} | {reached * flops / peak:.0%} | "
        f"{statistics.median(waits):.1%} | {peak_memory(device) / 1e9:.1f} GB"
    )


def main() -> None:
    """Print the device's rates and a row a model."""
    arguments = parser(__doc__, tiles=0, rounds=3)
    arguments.set_defaults(batch_size=0, workers=os.cpu_count() or 1)
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--models", nargs="+", default=None)
    arguments.add_argument("--precision", default="bfloat16", help="autocast on CUDA: a number format, or card")
    options = arguments.parse_args()
    device = torch.device(options.device)
    options.batch_size = options.batch_size or (256 if device.type == "cuda" else 32)
    options.tiles = options.tiles or (16_384 if device.type == "cuda" else 64)
    formats = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if device.type == "cuda":
        formats["float16"] = torch.float16
    print(
        f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else 'CPU'}, torch {torch.__version__}:", end=" "
    )
    print(f"{torch.get_num_threads()} threads, batches of {options.batch_size}, TF32 ", end="")
    print("allowed" if torch.backends.cuda.matmul.allow_tf32 else "off")
    peaks = {name: matrix_rate(dtype, device, options.rounds) for name, dtype in formats.items()}
    print("matrix rate: " + ", ".join(f"{name} {peak / 1e12:.2f} TFLOP/s" for name, peak in peaks.items()))
    print("model | parameters | GFLOP a tile | format | forward, tiles/s | TFLOP/s | of the matrix rate", end=" | ")
    print("end to end, tiles/s | TFLOP/s | of the matrix rate | waits | peak memory", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.models or MODELS[device.type]:
            print(row(name, device, peaks, options.folder, Path(scratch), options), flush=True)
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
