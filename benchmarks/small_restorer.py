"""The small restorer on held-out tiles against every classical restorer: PSNR and SSIM of each case, harm when clean.

    python -m benchmarks.small_restorer --data TILES [TILES ...] [--cases trained] [--weights FILE]

Prints a line a case: the mean over tiles of what is degraded and of each restorer, as PSNR (dB) and SSIM, and the
difference from the best classical one of the case, which a user would have to know in advance; then in how many cases
the network is better. What is degraded counts among the classical ones, as leaving a tile alone is often the best.

`--cases trained` are degradations of the kinds of the training at fixed parameters, `--cases corruptions` are those of
`bench.frontends.corruptions` that a restorer without knowledge of the stain can undo, at severities 1, 3 and 5.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.frontends import Clean, FrontEnd, WeightSources
from bench.frontends.corruptions import corruption
from bench.frontends.restorers import CLASSICAL, restorer
from bench.frontends.restorers.pixels import from_uint8, to_uint8
from bench.frontends.seeds import mixed, seeds_of
from bench.frontends.training.degradations import Degradation, degrade
from bench.frontends.training.mixture import lpfm
from bench.frontends.training.tiles import read_folders

Method = Callable[[Tensor, Tensor], Tensor]  # uint8 tiles and their seeds, to uint8 tiles

NETWORK = "small_unet"
TRAINED = {
    "clean": Degradation(),
    "x2": Degradation(shrink=2),
    "x4": Degradation(shrink=4),
    "x8": Degradation(shrink=8),
    "blur 1": Degradation(blur=(1, 1)),
    "blur 2": Degradation(blur=(2, 2)),
    "blur 4": Degradation(blur=(4, 4)),
    "disc 3": Degradation(disc=3),
    "noise 10": Degradation(noise=10),
    "noise 25": Degradation(noise=25),
    "noise 50": Degradation(noise=50),
    "shot 25": Degradation(noise=25, shot=True),
    "jpeg 80": 80,
    "jpeg 50": 50,
    "jpeg 20": 20,
    "blur 1, x2, noise 10": Degradation(blur=(1, 1), shrink=2, noise=10),
    "blur 2, noise 15": Degradation(blur=(2, 2), noise=15),
    "LPFM's chain": lpfm,
}
DETAIL = ("pixelate", "jpeg", "defocus", "motion", "gaussian_blur", "gaussian_noise", "shot_noise", "downsample")
SEVERITIES = (1, 3, 5)
CPU = torch.device("cpu")


def cases(of: str) -> dict[str, Method]:
    """The function of every case."""
    if of == "trained":
        return {name: lambda tiles, seeds, name=name: degraded(tiles, seeds, name) for name in TRAINED}
    names = [(kind, severity) for kind in (*DETAIL, "lpfm_chain") for severity in SEVERITIES]
    return {f"{kind}_{severity}": corruption(kind, severity).load(CPU) for kind, severity in names}


def degraded(tiles: Tensor, seeds: Tensor, name: str) -> Tensor:
    """uint8 tiles [B, 3, H, W] in a case of `TRAINED`; JPEG is Pillow's, and not that of the training."""
    case = TRAINED[name]
    if isinstance(case, int):
        return torch.stack([_jpeg(tile, case) for tile in tiles])
    every = []
    for tile, seed in zip(tiles, seeds.tolist(), strict=True):
        key = mixed(seed, name)
        one = case if isinstance(case, Degradation) else case(np.random.default_rng(key))
        every.append(degrade(from_uint8(tile[None]), [one], torch.Generator().manual_seed(key)))
    return to_uint8(torch.cat(every))


def _jpeg(tile: Tensor, quality: int) -> Tensor:
    buffer = io.BytesIO()
    Image.fromarray(tile.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(buffer).convert("RGB"))).permute(2, 0, 1)


def central(folders: Sequence[Path], count: int, side: int, seed: int) -> Tensor:
    """At most `count` tiles of each folder, cut to their central `side` px: uint8 [B, 3, side, side]."""
    every = []
    for folder in folders:
        for pixels in read_folders([folder], side, count, seed):
            top, left = ((length - side) // 2 for length in pixels.shape[:2])
            every.append(pixels[top : top + side, left : left + side])
    return torch.from_numpy(np.stack(every)).permute(0, 3, 1, 2).contiguous()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="folders of tiles of no training")
    parser.add_argument("--cases", choices=["trained", "corruptions"], default="trained")
    parser.add_argument("--restorers", nargs="+", default=[*CLASSICAL, NETWORK], help="(all)")
    parser.add_argument("--weights", type=Path, help="of the network (those of the package)")
    parser.add_argument("--tiles", type=int, default=30, help="of each folder at most (30)")
    parser.add_argument("--side", type=int, default=96, help="of the centre that is taken of each tile, px (96)")
    parser.add_argument("--seed", type=int, default=0, help="of which tiles these are (0)")
    parser.add_argument("--means", type=Path, help="a file for the means: those that it holds are not computed again")
    args = parser.parse_args()
    tiles = central(args.data, args.tiles, args.side, args.seed)
    seeds = torch.from_numpy(seeds_of([str(number) for number in range(len(tiles))]))
    sources = WeightSources({NETWORK: str(args.weights)} if args.weights else {})
    methods: dict[str, FrontEnd | None] = {"degraded": None}
    methods |= {name: restorer(name, {}, sources) for name in args.restorers}
    known = json.loads(args.means.read_text()) if args.means and args.means.exists() else {}
    clean = Clean(tiles)
    cohort = hashlib.sha256(tiles.numpy().tobytes()).hexdigest()[:16]

    print(f"{len(tiles)} tiles; PSNR (dB) / SSIM")
    print(" | ".join(["case", *methods, "over the best classical"]))
    gains = []
    for case, function in cases(args.cases).items():
        worse = function(tiles, seeds)
        means = {}
        for name, method in methods.items():
            key = f"{cohort} {case} {name} {method.identity if method else ''}"
            if key not in known:
                apply = method.load(CPU) if method else None
                restored = apply(worse, seeds) if apply else worse
                known[key] = [float(clean.psnr(restored).mean()), float(clean.ssim(restored).mean())]
                if args.means:
                    args.means.write_text(json.dumps(known, indent=1))
            means[name] = known[key]
        cells = [f"{value:.2f} / {likeness:.3f}" for value, likeness in means.values()]
        if NETWORK in means:
            others = {name: value for name, value in means.items() if name != NETWORK}
            gain = [means[NETWORK][of] - max(value[of] for value in others.values()) for of in (0, 1)]
            best = max(others, key=lambda name: others[name][0])
            cells.append(f"{gain[0]:+.2f} ({best}) / {gain[1]:+.3f}")
            gains += [gain] if case != "clean" else []
        print(" | ".join([case, *cells]), flush=True)
    if gains:
        mean, better = np.mean(gains, 0), (np.array(gains) > 0).sum(0)
        print(
            f"Over the best classical one of each case, mean of {len(gains)} degraded cases: {mean[0]:+.2f} dB and "
            f"{mean[1]:+.4f} SSIM; better in {better[0]} cases by PSNR and in {better[1]} by SSIM."
        )


if __name__ == "__main__":
    main()
