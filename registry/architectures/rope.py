"""Axial rotary position embedding of DINOv3: rows turn the first half of a head's pairs, columns the second."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def periods(head_dim: int, base: float = 100.0, dtype: torch.dtype = torch.float32) -> Float[Tensor, " frequency"]:
    """``base ** (2 i / (head_dim / 2))`` for the head_dim / 4 frequencies of each axis, as DINOv3 makes them."""
    return base ** (2 * torch.arange(head_dim // 4, dtype=dtype) / (head_dim // 2))


def turns(
    rows: int, columns: int, periods: Float[Tensor, " frequency"]
) -> tuple[Float[Tensor, "patch feature"], Float[Tensor, "patch feature"]]:
    """Sine and cosine for the patches of a grid, row by row, in the dtype of `periods`.

    Patch centres run from -1 to 1 along each axis ("separate" normalisation).
    """
    down = torch.arange(0.5, rows, device=periods.device, dtype=periods.dtype) / rows
    across = torch.arange(0.5, columns, device=periods.device, dtype=periods.dtype) / columns
    centres = torch.stack(torch.meshgrid(down, across, indexing="ij"), dim=-1).flatten(0, 1) * 2.0 - 1.0
    angles = 2 * math.pi * centres[:, :, None] / periods
    angles = angles.flatten(1).tile(2)
    return torch.sin(angles), torch.cos(angles)


def rotate(
    x: Float[Tensor, "*head token feature"],
    sine: Float[Tensor, "patch feature"],
    cosine: Float[Tensor, "patch feature"],
) -> Float[Tensor, "*head token feature"]:
    """Turn the last tokens, the patches; tokens before them stay. Computed in the dtype of `sine`, returned in x's."""
    wide = x.to(sine.dtype)
    prefix, patches = wide[..., : -len(sine), :], wide[..., -len(sine) :, :]
    low, high = patches.chunk(2, dim=-1)
    turned = patches * cosine + torch.cat([-high, low], dim=-1) * sine
    return torch.cat([prefix, turned], dim=-2).to(x.dtype)
