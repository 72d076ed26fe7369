"""PSNR of each restorer on real tiles that were degraded, and its seconds a tile; how Wiener's constants were chosen.

    python -m benchmarks.restorers FOLDER [--names median,wiener] [--tiles 12] [--sheet FILE.png]
    python -m benchmarks.restorers FOLDER FOLDER --tune

A FOLDER has a folder of image files a class, as NCT-CRC-HE's has. Tiles are taken from one class after another; those
that `--tune` takes come after those of the table.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.frontends.restorers import NAMES, restorer
from bench.frontends.restorers.pixels import blurred, from_uint8, to_uint8

BALANCES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
PER_VARIANCE = (0.0, 3.0, 10.0, 30.0, 100.0, 300.0)
TUNED_ON = 5  # tiles of each folder


def read(folder: Path, count: int) -> Tensor:
    """`count` tiles, uint8 [B, 3, H, W], the first of each class, then the second, and so on."""
    classes = [sorted(path for path in kind.iterdir() if path.is_file()) for kind in sorted(folder.iterdir())]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*classes))
    files = [file for file in turns if file is not None][:count]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def noise(tiles: Tensor, sigma: float) -> Tensor:
    draws = np.random.default_rng(7).normal(0, sigma, tiles.shape)
    return (tiles + torch.from_numpy(draws)).round().clamp(0, 255).to(torch.uint8)


def blur(tiles: Tensor, sigma: float) -> Tensor:
    return to_uint8(blurred(from_uint8(tiles), sigma))


def smaller(tiles: Tensor, factor: int) -> Tensor:
    """Bicubic down and up."""
    size = tiles.shape[-1]
    small = F.interpolate(from_uint8(tiles), size // factor, mode="bicubic", antialias=True)
    return to_uint8(F.interpolate(small, size, mode="bicubic", antialias=True))


def jpeg(tiles: Tensor, quality: int) -> Tensor:
    made = []
    for tile in tiles:
        file = io.BytesIO()
        Image.fromarray(tile.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        made.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1))
    return torch.stack(made)


CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "clean": lambda tiles: tiles,
    "noise 15": lambda tiles: noise(tiles, 15),
    "noise 25": lambda tiles: noise(tiles, 25),
    "blur 2": lambda tiles: blur(tiles, 2),
    "x2": lambda tiles: smaller(tiles, 2),
    "x4": lambda tiles: smaller(tiles, 4),
    "JPEG 10": lambda tiles: jpeg(tiles, 10),
}


def psnr(one: Tensor, other: Tensor) -> float:
    """Mean over the tiles of their PSNR, that of equal tiles taken as 99 dB."""
    error = (one.double() - other.double()).square().mean(dim=(1, 2, 3)) / 255**2
    return float((-10 * torch.log10(error.clamp(min=10**-9.9))).mean())


def table(tiles: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Print the table; the first tile of each case by each restorer is returned for a contact sheet."""
    degraded = {case: make(tiles) for case, make in CASES.items()}
    sheet = {"none": torch.cat([values[:1] for values in degraded.values()])}
    seeds = torch.arange(len(tiles))
    print(f"| restorer | {' | '.join(CASES)} | s a tile |")
    print("|---" * (len(CASES) + 2) + "|")
    print(f"| none | {' | '.join(f'{psnr(values, tiles):.2f}' for values in degraded.values())} | |", flush=True)
    for name in names:
        apply = restorer(name).load(torch.device("cpu"))
        start = time.perf_counter()
        restored = [apply(values, seeds) for values in degraded.values()]
        seconds = (time.perf_counter() - start) / (len(tiles) * len(CASES))
        print(f"| {name} | {' | '.join(f'{psnr(r, tiles):.2f}' for r in restored)} | {seconds:.3f} |", flush=True)
        sheet[name] = torch.cat([values[:1] for values in restored])
    return sheet


def tune(sets: Sequence[Tensor], sigma: float) -> None:
    """Print what each pair of constants of the Wiener filter of one blur gains, the best last.

    The cases are that blur on each set of tiles, sharp and with noise of 3 grey levels; a gain is in dB over doing
    nothing, and the best has the largest mean over the cases.
    """
    cases = [(tiles, blur(tiles, sigma)) for tiles in sets]
    cases += [(tiles, noise(degraded, 3)) for tiles, degraded in cases]
    found = []
    for balance, per_variance in itertools.product(BALANCES, PER_VARIANCE):
        settings = {"sigma": sigma, "balance": balance, "noise": per_variance}
        apply = restorer("wiener", settings).load(torch.device("cpu"))
        gains = []
        for tiles, degraded in cases:
            restored = apply(degraded, torch.zeros(len(tiles), dtype=torch.int64))
            gains.append(psnr(restored, tiles) - psnr(degraded, tiles))
        found.append((float(np.mean(gains)), balance, per_variance, gains))
    for mean, balance, per_variance, gains in sorted(found)[-5:]:
        print(f"{mean:.3f} {sigma=} {balance=} noise={per_variance}", " ".join(f"{gain:.2f}" for gain in gains))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--names", default=",".join(name for name in NAMES if name not in ("lpfm", "siren")))
    parser.add_argument("--tiles", type=int, default=12)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    if options.tune:
        sets = [read(folder, options.tiles + TUNED_ON)[-TUNED_ON:] for folder in options.folders]
        for sigma in (1.0, 2.0):
            tune(sets, sigma)
        return
    tiles = read(options.folders[0], options.tiles)
    sheet = table(tiles, options.names.split(","))
    if options.sheet:
        rows = [torch.cat(list(row), dim=2) for row in sheet.values()]
        Image.fromarray(torch.cat(rows, dim=1).permute(1, 2, 0).numpy()).save(options.sheet)


if __name__ == "__main__":
    main()
