"""A timm ViT that resamples its position embeddings at run time by DINO's rule, for networks fed at several sizes."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

_NUDGE = 0.1  # keeps floor(side * scale) from falling below the wanted side


def resample(
    positions: Float[Tensor, "1 position feature"], rows: int, columns: int
) -> Float[Tensor, "1 out_position feature"]:
    """Position embeddings for a grid of `rows` x `columns`; the first stays with the class token.

    DINO's rule (facebookresearch/dino, ``interpolate_pos_encoding``): bicubic without antialiasing, by the *scale*
    (rows + 0.1) / side rather than to the size, which also shifts the sampling points a little.
    """
    side = math.isqrt(positions.shape[1] - 1)
    if (rows, columns) == (side, side):
        return positions
    grid = positions[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
    scale = ((rows + _NUDGE) / side, (columns + _NUDGE) / side)
    grid = F.interpolate(grid, scale_factor=scale, mode="bicubic")
    return torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


class DinoViT(VisionTransformer):
    """timm's ``VisionTransformer`` (class token, no registers) for images of any multiple of the patch size.

    Parameters
    ----------
    **kwargs
        Of timm's class; `img_size` is the size whose positions the weight file holds.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, num_classes=0, global_pool="", dynamic_img_size=True)

    def _pos_embed(self, x: Float[Tensor, "image row column feature"]) -> Float[Tensor, "image token feature"]:
        assert self.cls_token is not None
        assert self.pos_embed is not None
        rows, columns = x.shape[1:3]
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), x.flatten(1, 2)], dim=1)
        return self.pos_drop(tokens + resample(self.pos_embed, rows, columns))
