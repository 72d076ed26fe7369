"""HIPT (Chen et al., CVPR 2022): a ViT over regions whose tokens are class tokens of a ViT over 256 px patches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from ..layouts import State, dino_teacher
from ..tokens import NetworkTokens
from .dino_positions import DinoViT, resample

PATCH = 256  # px, side of the lower network's input
_LOWER_BATCH = 256  # patches at a time, as upstream


class ViT4K(nn.Module):
    """The upper network: a grid of 384-d patch features to tokens of 192.

    6 blocks, 6 heads, MLP ratio 4, LayerNorm eps 1e-6; positions of a 14 x 14 grid, resampled by DINO's rule.
    """

    def __init__(self, dim_in: int = 384, dim: int = 192, depth: int = 6, heads: int = 6) -> None:
        super().__init__()
        norm: Any = partial(nn.LayerNorm, eps=1e-6)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + 14 * 14, dim))
        self.phi = nn.Sequential(nn.Linear(dim_in, dim), nn.GELU())
        self.blocks = nn.Sequential(*(Block(dim, heads, qkv_bias=True, norm_layer=norm) for _ in range(depth)))
        self.norm = norm(dim)

    def forward(self, grid: Float[Tensor, "region row column 384"]) -> Float[Tensor, "region token 192"]:
        tokens = self.phi(grid.flatten(1, 2))
        tokens = torch.cat([self.cls_token.expand(len(grid), -1, -1), tokens], dim=1)
        return self.norm(self.blocks(tokens + resample(self.pos_embed, *grid.shape[1:3])))


class HIPT(nn.Module):
    """Regions to features, both levels.

    Parameters
    ----------
    output : {"cls4k", "mean256+cls4k"}
        The upper network's class token (192), or the mean of the patches' class tokens before it (384 + 192).
    """

    def __init__(self, output: Literal["cls4k", "mean256+cls4k"] = "cls4k") -> None:
        super().__init__()
        self.output = output
        self.vit256 = vit256()
        self.vit4k = ViT4K()

    def patch_features(self, regions: Float[Tensor, "region 3 height width"]) -> Float[Tensor, "region row column 384"]:
        """Class tokens of the lower network for the 256 px patches, row by row."""
        rows, columns = regions.shape[-2] // PATCH, regions.shape[-1] // PATCH
        patches = regions.unflatten(3, (columns, PATCH)).unflatten(2, (rows, PATCH))
        patches = patches.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        features = [self.vit256(batch)[:, 0] for batch in patches.split(_LOWER_BATCH)]
        return torch.cat(features).unflatten(0, (len(regions), rows, columns))

    def forward(self, regions: Float[Tensor, "region 3 height width"]) -> Float[Tensor, "region feature"]:
        """Features of regions whose sides are multiples of 256 px."""
        return self.forward_tokens(regions).output

    prefix_tokens = 1

    @property
    def last_attention(self) -> nn.Module:
        block: Any = self.vit4k.blocks[-1]
        return block.attn

    def forward_tokens(self, regions: Float[Tensor, "region 3 height width"]) -> NetworkTokens:
        """The features, and the tokens of the upper network, one for each 256 px."""
        grid = self.patch_features(regions)
        tokens = self.vit4k(grid)
        output = tokens[:, 0]
        if self.output == "mean256+cls4k":
            output = torch.cat([grid.mean(dim=(1, 2)), output], dim=1)
        return NetworkTokens(output, tokens[:, 1:], (grid.shape[1], grid.shape[2]))


def vit256() -> DinoViT:
    """The lower network, ViT-S/16: positions of 224 px, fed 256 px."""
    return DinoViT(img_size=224, patch_size=16, embed_dim=384, depth=12, num_heads=6)


def layout(content: Mapping[str, Any]) -> State:
    """HIPT's two files, each a DINO training dump."""
    files = {"vit256": "vit256_small_dino.pth", "vit4k": "vit4k_xs_dino.pth"}
    return {
        f"{part}.{key}": value for part, file in files.items() for key, value in dino_teacher(content[file]).items()
    }
