"""What a user hands to an extractor: a batch of tiles as a tensor, or as images that become one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from .errors import UserError

_WANTED = (
    "uint8 [B, 3, H, W] as a tensor; a PIL image or a list of them; or uint8 [B, H, W, 3] or [H, W, 3] as a numpy array"
)


def as_batch(tiles: Any) -> UInt8[Tensor, "tile 3 height width"]:
    """Tiles as the networks' preprocessing takes them; a tensor is returned as it is.

    Parameters
    ----------
    tiles : uint8 tensor [B, 3, H, W], PIL image, list of PIL images of one size, or uint8 array [B, H, W, 3], [H, W, 3]
        RGB. Images of another mode are converted to it.

    Raises
    ------
    UserError
        If they are anything else; it says what they are and what is taken.
    """
    if isinstance(tiles, Tensor):
        if tiles.dtype != torch.uint8 or tiles.ndim != 4 or tiles.shape[1] != 3:
            raise UserError(f"tiles are a tensor {_kind(tiles)}, and must be {_WANTED}")
        return tiles
    if isinstance(tiles, Image.Image):
        tiles = [tiles]
    if isinstance(tiles, list | tuple) and tiles and all(isinstance(tile, Image.Image) for tile in tiles):
        sizes = sorted({tile.size for tile in tiles})
        if len(sizes) > 1:
            raise UserError(
                f"tiles are images of {len(sizes)} sizes, {sizes[0][0]} x {sizes[0][1]} and {sizes[1][0]} x "
                f"{sizes[1][1]} px among them: the tiles of a batch have one; give them one after another"
            )
        tiles = np.stack([np.asarray(tile.convert("RGB")) for tile in tiles])
    if not isinstance(tiles, np.ndarray):
        raise UserError(f"tiles are of the type {type(tiles).__name__}, and must be {_WANTED}")
    array = tiles[None] if tiles.ndim == 3 else tiles
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3:
        raise UserError(f"tiles are an array {_kind(tiles)}, and must be {_WANTED}")
    return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2)))


def _kind(tiles: Tensor | np.ndarray) -> str:
    return f"{str(tiles.dtype).removeprefix('torch.')} {list(tiles.shape)}"
