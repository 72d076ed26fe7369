"""GenBio-PathFM (Kapse et al., bioRxiv 2026): a DINOv3-like ViT over single channels, run on R, G and B apart."""

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
        self.qkv = nn.Linear(dim, dim * 3, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "image token feature"], turn: Turns) -> Float[Tensor, "image token feature"]:
        q, k, v = (t.transpose(1, 2) for t in self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2))
        out = F.scaled_dot_product_attention(rotate(q, *turn), rotate(k, *turn), v)
        return self.proj(out.transpose(1, 2).flatten(2))


class _SwiGLU(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden)
        self.w2 = nn.Linear(dim, hidden)
        self.w3 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.w3(F.silu(self.w1(x)) * self.w2(x))


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = _Attention(dim, heads)
        self.ls1 = LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = _SwiGLU(dim, hidden)
        self.ls2 = LayerScale(dim)

    def forward(self, x: Float[Tensor, "image token feature"], turn: Turns) -> Float[Tensor, "image token feature"]:
        x = x + self.ls1(self.attn(self.norm1(x), turn))
        return x + self.ls2(self.mlp(self.norm2(x)))


class _Patches(nn.Module):
    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, dim, patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


class _Rope(nn.Module):
    """The buffer of the periods, in bfloat16; so are the angles and the turned queries and keys, as upstream."""

    periods: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.register_buffer("periods", periods(head_dim, dtype=torch.bfloat16))

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self.periods = self.periods.bfloat16()  # .float() and .half() of the network leave it
        return self


class GenBioPathFM(nn.Module):
    """Normalised RGB tiles to the class tokens of R, G and B, one after the other: 3 x `dim`.

    Parameters
    ----------
    dim, depth, heads, hidden : int
        Width, blocks, heads, and SwiGLU's inner width.
    storage : int
        Register tokens between class token and patches.
    """

    def __init__(
        self, dim: int = 1536, depth: int = 40, heads: int = 24, hidden: int = 4096, storage: int = 4, patch: int = 16
    ) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.storage_tokens = nn.Parameter(torch.zeros(1, storage, dim))
        self.patch_embed = _Patches(dim, patch)
        self.rope_embed = _Rope(dim // heads)
        self.blocks = nn.ModuleList(_Block(dim, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, tiles: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile feature"]:
        patches = self.patch_embed(tiles.flatten(0, 1).unsqueeze(1))  # each channel is an image of its own
        turn = turns(patches.shape[-2], patches.shape[-1], self.rope_embed.periods)
        prefix = torch.cat([self.cls_token, self.storage_tokens], dim=1).expand(len(patches), -1, -1)
        x = torch.cat([prefix, patches.flatten(2).transpose(1, 2)], dim=1)
        for block in self.blocks:
            x = block(x, turn)
        return self.norm(x[:, 0]).unflatten(0, (-1, 3)).flatten(1)
