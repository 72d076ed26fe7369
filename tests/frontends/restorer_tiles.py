"""Real and made-up tiles for the tests of restorers, and how restored tiles are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

CLASSES = ("LYM", "STR", "TUM", "MUC")


def real_tiles(shared: Path, classes: tuple[str, ...] = CLASSES, side: int = 96) -> torch.Tensor:
    """The upper left corner of the first tile of each class, uint8 [B, 3, side, side]."""
    found = [sorted((shared / "data/nct_crc_sample" / name).iterdir())[0] for name in classes]
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB"))[:side, :side] for file in found])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def made_up(count: int = 3, side: int = 40, seed: int = 0) -> torch.Tensor:
    """Smooth colours with noise, on odd sides too."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, : side + 3]
    waves = [np.sin(y * a + x * b + c) for a, b, c in draw.uniform(0.1, 0.5, (3 * count, 3))]
    pixels = 160 + 60 * np.stack(waves).reshape(count, 3, side, side + 3)
    return torch.from_numpy((pixels + draw.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8))


def seeds_for(count: int) -> torch.Tensor:
    return torch.arange(11, 11 + count)


def apply(front_end, tiles: torch.Tensor, seeds: torch.Tensor | None = None) -> torch.Tensor:
    return front_end.load(torch.device("cpu"))(tiles, seeds_for(len(tiles)) if seeds is None else seeds)


def rows_last(tile: torch.Tensor) -> np.ndarray:
    """One tile as scikit-image takes it, [H, W, 3]."""
    return tile.permute(1, 2, 0).numpy()


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(-10 * torch.log10(((one.double() - other.double()) / 255).square().mean()))
