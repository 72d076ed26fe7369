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
from torch import Tensor, nn

from ..tokens import NetworkTokens
from .rope_vit import Attention, Block, Rope, RopeViT


class _SwiGLU(nn.Module):
    """Gate and value in one matrix, SiLU on the first half."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(dim, hidden * 2)
        self.w3 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)


class RudolfV2(RopeViT):
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
        def block() -> Block:
            return Block(dim, Attention(dim, heads, qkv_bias=True, qk_norm=True), _SwiGLU(dim, hidden))

        super().__init__(channels=3, dim=dim, depth=depth, patch=patch, block=block)
        self.register_tokens = nn.Parameter(torch.zeros(1, registers, dim))
        self.rope = Rope(dim // heads)

    def forward(self, tiles: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile token feature"]:
        return self.norm(self.tokens(tiles, self.register_tokens, self.rope.periods))

    @property
    def prefix_tokens(self) -> int:
        return 1 + self.register_tokens.shape[1]

    def forward_tokens(self, tiles: Float[Tensor, "tile 3 height width"]) -> NetworkTokens:
        """The tokens, and the patches among them."""
        tokens = self(tiles)
        return NetworkTokens(tokens, tokens[:, self.prefix_tokens :], self.grid(tiles))
