"""The small restorer on held-out tiles against every classical restorer: PSNR and SSIM of each case, harm when clean.

    python -m benchmarks.small_restorer --data TILES [TILES ...] [--weights FILE] [--tiles 100] [--seed 0] [--network]

Prints a line a case: the mean over tiles of what is degraded and of each restorer, as PSNR (dB) and SSIM; the best
classical one of each case, which a user would have to know in advance; and in how many cases the network is better.
What is degraded counts among them, as leaving a tile alone is often the best. `--network` leaves the others out.
"""

from __future__ import annotations

import argparse
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import median_filter
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, estimate_sigma
from torch import Tensor
from torch.nn.functional import conv2d

from bench.frontends.base import WeightSources
from bench.frontends.restorers.filter_bank import gaussian
from bench.frontends.restorers.small_unet import NAME, restorer
from bench.frontends.training.degradations import Degradation, degrade
from bench.frontends.training.mixture import lpfm
from bench.frontends.training.tiles import read_folders

CASES: dict[str, Degradation | str] = {
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
    "jpeg 80": "80",
    "jpeg 50": "50",
    "jpeg 20": "20",
    "blur 1, x2, noise 10": Degradation(blur=(1, 1), shrink=2, noise=10),
    "blur 2, noise 15": Degradation(blur=(2, 2), noise=15),
    "LPFM's chain": "lpfm",
}


def degraded(tile: Tensor, case: str, number: int) -> Tensor:
    """A uint8 tile [3, H, W] in a case; its random numbers follow from the case and the tile's number."""
    what = CASES[case]
    key = zlib.crc32(f"{case} {number}".encode())
    if isinstance(what, str) and what != "lpfm":
        buffer = io.BytesIO()
        Image.fromarray(tile.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=int(what))
        return torch.from_numpy(np.array(Image.open(buffer).convert("RGB"))).permute(2, 0, 1)
    one = lpfm(np.random.default_rng(key)) if isinstance(what, str) else what
    return grey(degrade(tile[None].float() / 255, [one], torch.Generator().manual_seed(key))[0])


def grey(pixels: Tensor) -> Tensor:
    """Pixels in 0..1 as uint8."""
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8)


def unsharp(tile: Tensor, sigma: float, amount: float) -> Tensor:
    """A tile plus `amount` times its difference from its Gaussian of `sigma` px."""
    pixels = tile[None].float() / 255
    return grey(pixels + amount * (pixels - gaussian(pixels, sigma)))[0]


def non_local_means(tile: Tensor) -> Tensor:
    """Non-local means of scikit-image at the strength that it advises for the noise it estimates."""
    pixels = tile.permute(1, 2, 0).numpy() / np.float32(255)
    sigma = float(np.mean(estimate_sigma(pixels, channel_axis=-1)))
    settings = {"patch_size": 5, "patch_distance": 6, "fast_mode": True, "channel_axis": -1}
    clean = denoise_nl_means(pixels, h=max(0.8 * sigma, 1e-4), sigma=sigma, **settings)
    return grey(torch.from_numpy(clean).permute(2, 0, 1))


def total_variation(tile: Tensor) -> Tensor:
    """Total variation of scikit-image at a weight of half the noise that it estimates."""
    pixels = tile.permute(1, 2, 0).numpy() / np.float32(255)
    sigma = float(np.mean(estimate_sigma(pixels, channel_axis=-1)))
    clean = denoise_tv_chambolle(pixels, weight=max(sigma, 1e-3), channel_axis=-1)
    return grey(torch.from_numpy(np.ascontiguousarray(clean)).permute(2, 0, 1))


CLASSICAL: dict[str, Callable[[Tensor], Tensor]] = {
    "degraded": lambda tile: tile,
    "median 3": lambda tile: torch.from_numpy(median_filter(tile.numpy(), (1, 3, 3))),
    "median 5": lambda tile: torch.from_numpy(median_filter(tile.numpy(), (1, 5, 5))),
    "gaussian 1": lambda tile: grey(gaussian(tile[None].float() / 255, 1.0)[0]),
    "unsharp 1": lambda tile: unsharp(tile, 1.0, 1.0),
    "unsharp 2": lambda tile: unsharp(tile, 2.0, 1.0),
    "unsharp 4": lambda tile: unsharp(tile, 4.0, 1.0),
    "nl means": non_local_means,
    "tv": total_variation,
}


def psnr(tile: Tensor, clean: Tensor) -> float:
    """In dB; an equal tile counts as one that differs by a grey level at a twelfth of its pixels, 58.9 dB."""
    error = (tile.double() - clean.double()).square().mean().item()
    return 10 * np.log10(255**2 / max(error, 1 / 12))


def ssim(tile: Tensor, clean: Tensor) -> float:
    """The mean over channels, 11x11 px under a Gaussian of 1.5 px, without the outermost 5 px."""
    along = torch.exp(-(torch.arange(-5.0, 6.0) ** 2) / (2 * 1.5**2))
    along = along / along.sum()
    x, y = tile.float()[:, None], clean.float()[:, None]

    def local(values: Tensor) -> Tensor:
        return conv2d(conv2d(values, along.view(1, 1, 1, -1)), along.view(1, 1, -1, 1))

    mean_x, mean_y = local(x), local(y)
    var_x, var_y, both = local(x * x) - mean_x**2, local(y * y) - mean_y**2, local(x * y) - mean_x * mean_y
    low, high = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_x * mean_y + low) * (2 * both + high)
    return (top / ((mean_x**2 + mean_y**2 + low) * (var_x + var_y + high))).mean().item()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="folders of tiles of no training")
    parser.add_argument("--weights", type=Path, help="of the network (those of the package)")
    parser.add_argument("--tiles", type=int, default=100, help="of each folder at most (100)")
    parser.add_argument("--seed", type=int, default=0, help="of which tiles these are (0)")
    parser.add_argument("--network", action="store_true", help="the network alone")
    args = parser.parse_args()
    tiles = [
        torch.from_numpy(one).permute(2, 0, 1).contiguous()
        for folder in args.data
        for one in read_folders([folder], 32, args.tiles, args.seed)
    ]
    sources = WeightSources({NAME: str(args.weights)} if args.weights else {})
    network = restorer(NAME, {}, sources).load(torch.device("cpu"))
    methods = {"degraded": CLASSICAL["degraded"]} if args.network else dict(CLASSICAL)
    methods[NAME] = lambda tile: network(tile[None], torch.zeros(1, dtype=torch.int64))[0]
    print(f"{len(tiles)} tiles; PSNR (dB) / SSIM", " | ".join(["case", *methods, "over the best classical"]), sep="\n")
    gains, better = [], [0, 0]
    for case in CASES:
        pairs = [(degraded(tile, case, number), tile) for number, tile in enumerate(tiles)]
        means = {}
        for name, method in methods.items():
            restored = [(method(tile), clean) for tile, clean in pairs]
            means[name] = (np.mean([psnr(*pair) for pair in restored]), np.mean([ssim(*pair) for pair in restored]))
        best = max((name for name in means if name != NAME), key=lambda name: means[name][0])
        gain = np.array(means[NAME]) - means[best]
        similar = max(means[name][1] for name in means if name != NAME)
        cells = [f"{value:.2f} / {likeness:.3f}" for value, likeness in means.values()]
        print(" | ".join([case, *cells, f"{gain[0]:+.2f} / {means[NAME][1] - similar:+.3f} ({best})"]), flush=True)
        if case != "clean":
            gains.append((gain[0], means[NAME][1] - similar))
    better = [sum(one[number] > 0 for one in gains) for number in (0, 1)]
    print(
        f"Over the best classical restorer of each case, the mean of {len(gains)} degraded cases: "
        f"{np.mean([one[0] for one in gains]):+.2f} dB, {np.mean([one[1] for one in gains]):+.3f} SSIM; "
        f"better in {better[0]} cases by PSNR and {better[1]} by SSIM."
    )


if __name__ == "__main__":
    main()
