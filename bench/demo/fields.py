"""Smooth random fields and distances, of which the phantom tissue is made."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy.spatial import cKDTree

Field = Float[np.ndarray, "high wide"]


def noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Field:
    """Smooth random field of about zero mean and unit variance whose blobs are about `scale` pixels wide."""
    high, wide = shape
    if scale <= 1:
        return rng.standard_normal(shape, dtype=np.float32)
    grid = rng.standard_normal((int(high / scale) + 4, int(wide / scale) + 4), dtype=np.float32)
    y, x = rng.uniform(1, 2, 2)
    box = (x, y, x + wide / scale, y + high / scale)
    return 1.3 * np.asarray(Image.fromarray(grid).resize((wide, high), Image.Resampling.BICUBIC, box=box))


def smooth_step(field: Field, edge: float, width: float) -> Field:
    """0 below `edge` and 1 above it, with a linear ramp of `width` around it."""
    return np.clip((field - edge) / width + 0.5, 0, 1)


def nearest(
    shape: tuple[int, int], points: Float[np.ndarray, "n 2"], count: int, step: int
) -> list[Float[np.ndarray, "high wide"]]:
    """Distances in pixels to the nearest `count` points, found on every `step`-th pixel and interpolated."""
    high, wide = shape
    rows, columns = -(-high // step) + 1, -(-wide // step) + 1
    grid = np.indices((rows, columns)).reshape(2, -1).T * float(step)
    distance = cKDTree(points).query(grid, k=count)[0].reshape(rows, columns, count).astype(np.float32)
    box = (0.5, 0.5, 0.5 + wide / step, 0.5 + high / step)
    return [
        np.asarray(Image.fromarray(distance[..., k]).resize((wide, high), Image.Resampling.BILINEAR, box=box))
        for k in range(count)
    ]


def value_at(field: Field, centres: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """The field at the pixels nearest to these places."""
    row = centres[:, 0].astype(int).clip(0, field.shape[0] - 1)
    column = centres[:, 1].astype(int).clip(0, field.shape[1] - 1)
    return field[row, column]
