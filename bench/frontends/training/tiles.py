"""The tiles of training: those of folders and synthetic ones, and batches of crops of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from bench.progress import progress_bar
from registry.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}

Pixels = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Tiles:
    """Clean tiles in memory.

    Attributes
    ----------
    real, synthetic
        RGB tiles; either may be empty, not both.
    share
        Of synthetic tiles in batches, 0 to 1, where there are both.
    """

    real: Sequence[Pixels]
    synthetic: Sequence[Pixels]
    share: float

    def crops(self, count: int, side: int, rng: np.random.Generator) -> UInt8[Tensor, "tile 3 side side"]:
        """Random crops of `side` px, mirrored and turned at random; every pixel of a kind of tiles is as likely."""
        every = []
        for _ in range(count):
            synthetic = bool(rng.random() < self.share)
            pool = self.synthetic if self.synthetic and (synthetic or not self.real) else self.real
            ends = self._synthetic_ends if pool is self.synthetic else self._real_ends
            tile = pool[np.searchsorted(ends, rng.integers(ends[-1]), side="right")]
            top, left = (int(rng.integers(length - side + 1)) for length in tile.shape[:2])
            crop = np.rot90(tile[top : top + side, left : left + side], int(rng.integers(4)))
            every.append(crop[::-1] if rng.random() < 0.5 else crop)
        return torch.from_numpy(np.stack(every).transpose(0, 3, 1, 2).copy())

    @cached_property
    def _real_ends(self) -> np.ndarray:
        return np.cumsum([one.shape[0] * one.shape[1] for one in self.real])

    @cached_property
    def _synthetic_ends(self) -> np.ndarray:
        return np.cumsum([one.shape[0] * one.shape[1] for one in self.synthetic])

    @cached_property
    def sha256(self) -> str:
        """Of all pixels in their order."""
        digest = hashlib.sha256()
        for one in (*self.real, *self.synthetic):
            digest.update(str(one.shape).encode() + one.tobytes())
        return digest.hexdigest()


def read_folders(folders: Sequence[Path], side: int, at_most: int, seed: int) -> list[Pixels]:
    """All images in folders and their subfolders, in the order of their paths; of more than `at_most` a random subset.

    Raises
    ------
    UserError
        If a folder is missing or holds no image, or an image cannot be read or is smaller than `side` px.
    """
    paths: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}: name folders of tiles with --data.")
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise UserError(
                f"The folder {folder} holds no image ({', '.join(sorted(SUFFIXES))}): name another with --data."
            )
        paths += found
    if len(paths) > at_most:
        chosen = np.random.default_rng(seed).choice(len(paths), at_most, replace=False)
        paths = [paths[number] for number in sorted(chosen)]
    tiles = []
    with progress_bar("reading", "tiles", len(paths), leave=False) as bar:
        for path in paths:
            tiles.append(_read(path, side))
            bar.update()
    return tiles


def _read(path: Path, side: int) -> Pixels:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"The tile {path} cannot be read ({error}): remove it or name another folder.") from error
    if min(pixels.shape[:2]) < side:
        raise UserError(
            f"The tile {path} is {pixels.shape[1]}x{pixels.shape[0]} px, and training takes crops of {side} px before "
            "they are cut: choose a smaller --size or leave the tile out."
        )
    return pixels
