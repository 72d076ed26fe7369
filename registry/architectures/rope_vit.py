"""What DINOv3-like ViTs have in common: rotary positions in every block, register tokens, SwiGLU."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import LayerScale
from torch import Tensor, nn

from .rope import periods, rotate, turns

Turns = tuple[Float[Tensor, "patch feature"], Float[Tensor, "patch feature"]]


class Attention(nn.Module):
    """Attention whose queries and keys are turned by their patch's place, with `qk_norm` normalised before."""

    def __init__(self, dim: int, heads: int, *, qkv_bias: bool, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.q_norm = nn.LayerNorm(dim // heads, eps=1e-6) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(dim // heads, eps=1e-6) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def queries_keys_values(
        self, x: Float[Tensor, "image token feature"], turn: Turns
    ) -> tuple[
        Float[Tensor, "image head token feature"],
        Float[Tensor, "image head token feature"],
        Float[Tensor, "image head token feature"],
    ]:
        """What is multiplied, queries and keys normalised and turned."""
        q, k, v = (t.transpose(1, 2) for t in self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2))
        return rotate(self.q_norm(q), *turn), rotate(self.k_norm(k), *turn), v

    def forward(self, x: Float[Tensor, "image token feature"], turn: Turns) -> Float[Tensor, "image token feature"]:
        q, k, v = self.queries_keys_values(x, turn)
        return self.proj(F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and `mlp`, each normalised before and scaled after."""

    def __init__(self, dim: int, attention: Attention, mlp: nn.Module) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = attention
        self.ls1 = LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = mlp
        self.ls2 = LayerScale(dim)

    def forward(self, x: Float[Tensor, "image token feature"], turn: Turns) -> Float[Tensor, "image token feature"]:
        x = x + self.ls1(self.attn(self.norm1(x), turn))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Patches(nn.Module):
    """Images to a grid of patch tokens."""

    def __init__(self, channels: int, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, stride=patch)

    def forward(self, x: Float[Tensor, "image channel height width"]) -> Float[Tensor, "image feature row column"]:
        return self.proj(x)


class Rope(nn.Module):
    """The buffer of the periods, under the name that files give it."""

    periods: Tensor

    def __init__(self, head_dim: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.register_buffer("periods", periods(head_dim, dtype=dtype))


class RopeViT(nn.Module):
    """Class token, patches, blocks and last norm; the registers and the periods have other names in each family.

    Parameters
    ----------
    channels, dim, depth, patch : int
        Of the image; width, blocks, and side of a patch, px.
    block : callable
        Makes one block.
    """

    def __init__(self, *, channels: int, dim: int, depth: int, patch: int, block: Callable[[], Block]) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.patch_embed = Patches(channels, dim, patch)
        self.blocks = nn.ModuleList(block() for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    @property
    def last_attention(self) -> nn.Module:
        block = self.blocks[-1]
        assert isinstance(block, Block)
        return block.attn

    def grid(self, images: Float[Tensor, "image channel height width"]) -> tuple[int, int]:
        """Rows and columns of patches."""
        high, wide = self.patch_embed.proj.stride
        return images.shape[-2] // high, images.shape[-1] // wide

    def tokens(
        self,
        images: Float[Tensor, "image channel height width"],
        registers: Float[Tensor, "1 register feature"],
        periods: Float[Tensor, " frequency"],
    ) -> Float[Tensor, "image token feature"]:
        """Class token, registers and patches, row by row, before the last norm."""
        patches = self.patch_embed(images)
        turn = turns(patches.shape[-2], patches.shape[-1], periods)
        prefix = torch.cat([self.cls_token, registers], dim=1).expand(len(patches), -1, -1)
        x = torch.cat([prefix, patches.flatten(2).transpose(1, 2)], dim=1)
        for block in self.blocks:
            x = block(x, turn)
        return x
