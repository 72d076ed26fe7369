"""RudolfV-2 (Aignostics, 2026): a ViT/8 with registers, normalised queries and keys, and rotary positions.

The authors' code is not public beside the gated weights. What is built here follows the published sizes (the largest
model's total is met exactly) and public code that drives the weights. The names of the feed-forward's layers and of the
rotary buffer are not known, nor is the convention of its angles (DINOv3's is taken): a file with other names is refused
and its keys are listed, never matched by guessing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import LayerScale
from torch import Tensor, nn

from .rope import periods, rotate, turns

Turns = tuple[Float[Tensor, "patch feature"], Float[Tensor, "patch feature"]]


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, dim * 3)
        self.q_norm = nn.LayerNorm(dim // heads, eps=1e-6)
        self.k_norm = nn.LayerNorm(dim // heads, eps=1e-6)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "tile token feature"], turn: Turns) -> Float[Tensor, "tile token feature"]:
        q, k, v = (t.transpose(1, 2) for t in self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2))
        q, k = rotate(self.q_norm(q), *turn), rotate(self.k_norm(k), *turn)
        return self.proj(F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v).transpose(1, 2).flatten(2))


class _SwiGLU(nn.Module):
    """Gate and value in one matrix, SiLU on the first half."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(dim, hidden * 2)
        self.w3 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = _Attention(dim, heads)
        self.ls1 = LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = _SwiGLU(dim, hidden)
        self.ls2 = LayerScale(dim)

    def forward(self, x: Float[Tensor, "tile token feature"], turn: Turns) -> Float[Tensor, "tile token feature"]:
        x = x + self.ls1(self.attn(self.norm1(x), turn))
        return x + self.ls2(self.mlp(self.norm2(x)))


class _Patches(nn.Module):
    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


class _Rope(nn.Module):
    periods: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.register_buffer("periods", periods(head_dim))


class RudolfV2(nn.Module):
    """Tiles to tokens after the last norm: class token, registers, patches.

    Parameters
    ----------
    dim, depth, heads : int
        Width, blocks, heads.
    hidden : int
        SwiGLU's inner width.
    registers : int
        Tokens between class token and patches.
    """

    def __init__(self, dim: int, depth: int, heads: int, hidden: int, registers: int = 8, patch: int = 8) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.register_tokens = nn.Parameter(torch.zeros(1, registers, dim))
        self.patch_embed = _Patches(dim, patch)
        self.rope = _Rope(dim // heads)
        self.blocks = nn.ModuleList(_Block(dim, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, tiles: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile token feature"]:
        patches = self.patch_embed(tiles)
        turn = turns(patches.shape[-2], patches.shape[-1], self.rope.periods)
        prefix = torch.cat([self.cls_token, self.register_tokens], dim=1).expand(len(patches), -1, -1)
        x = torch.cat([prefix, patches.flatten(2).transpose(1, 2)], dim=1)
        for block in self.blocks:
            x = block(x, turn)
        return self.norm(x)
