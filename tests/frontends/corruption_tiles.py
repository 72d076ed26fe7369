"""Tiles for the tests of corruptions, made by a formula and real ones."""

import numpy as np
import torch
from PIL import Image

from bench.frontends.corruptions import KINDS, corruption
from bench.frontends.seeds import seeds_of

CPU = torch.device("cpu")
EVERY = [f"{kind}_{severity}" for kind in KINDS for severity in range(1, 6)]


def made_tiles(count, height, width, seed=0):
    """Tiles with smooth parts, edges, grey, black and white; uint8 [B, 3, H, W]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 3, -(-height // 6), -(-width // 6)))
    tiles = coarse.repeat(6, axis=2).repeat(6, axis=3)[:, :, :height, :width]
    tiles = np.clip(tiles + rng.integers(-20, 21, tiles.shape), 0, 255)
    tiles[:, :, : height // 8] = 255
    tiles[:, :, height // 8 : height // 6] = 0
    tiles[:, :, -(height // 8) - 1 :] = 128
    return torch.from_numpy(tiles.astype(np.uint8))


def real_tiles(shared, count=12):
    """Tiles of several classes, spread over the sample; uint8 [B, 3, 224, 224]."""
    files = sorted((shared / "data/nct_crc_sample").glob("*/*"))
    spread = files[:: len(files) // count][:count]
    return torch.from_numpy(np.stack([np.asarray(Image.open(file).convert("RGB")) for file in spread])).permute(
        0, 3, 1, 2
    )


def seeds(count, name="tile"):
    return torch.from_numpy(seeds_of([f"{name} {i}" for i in range(count)]))


def corrupted(name, tiles, own=None):
    """The tiles after a corruption such as ``jpeg_3``."""
    kind, _, severity = name.rpartition("_")
    return corruption(kind, int(severity)).load(CPU)(tiles, seeds(len(tiles)) if own is None else own)


def pictures(tiles):
    """The tiles as arrays [H, W, 3]."""
    return [tile.permute(1, 2, 0).contiguous().numpy() for tile in tiles]


def psnr(tiles, others):
    """In dB, for each tile."""
    error = (tiles.double() - others.double()).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(255**2 / error)
