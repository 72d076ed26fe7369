"""The tiles of a cohort's slides as PNG files, as their network sees them before its own preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bench.embedding import Shard
from bench.files import atomic_write
from registry.errors import UserError


def write_tiles(folder: Path, shard: Shard) -> int:
    """Write ``NAME/X_Y.png`` for each tile of a slide, X and Y in level-0 px; gives how many.

    Raises
    ------
    UserError
        If the slide cannot be opened or a tile cannot be decoded.
    """
    assert shard.coords is not None
    with shard.tiles.open() as tiles:
        pixels = np.empty((1, *tiles.shape, 3), np.uint8)
        for row, (x, y) in enumerate(shard.coords.tolist()):
            failed = tiles.read_into(pixels, range(row, row + 1)).unreadable
            if failed:
                raise UserError(f"The tile at {x}, {y} of the slide {shard.name} cannot be decoded: {failed[row]}")
            with atomic_write(folder / shard.name / f"{x}_{y}.png") as temporary:
                Image.fromarray(pixels[0]).save(temporary, format="PNG")
    return len(shard.coords)
