"""Numbers back to the grey levels of a tile."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def nearest_levels(values: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Numbers on the scale of grey levels as bytes, clipped at 0 and 255.

    The published corruptions cut the fraction off. Here the nearest level is taken, since cutting darkens every tile by
    half a level and turns the white of a filtered tile to 254 by the last bit of a sum.
    """
    return values.round().clamp_(0, 255).to(torch.uint8)
