"""GenBio-PathFM (Kapse et al., bioRxiv 2026): a DINOv3-like ViT over single channels, run on R, G and B apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..tokens import NetworkTokens
from .rope_vit import Attention, Block, Rope, RopeViT


class _SwiGLU(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden)
        self.w2 = nn.Linear(dim, hidden)
        self.w3 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.w3(F.silu(self.w1(x)) * self.w2(x))


class _Rope(Rope):
    """The buffer of the periods, in bfloat16; so are the angles and the turned queries and keys, as upstream."""

    def __init__(self, head_dim: int) -> None:
        super().__init__(head_dim, torch.bfloat16)

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self.periods = self.periods.bfloat16()  # .float() and .half() of the network leave it
        return self


class GenBioPathFM(RopeViT):
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
        def block() -> Block:
            return Block(dim, Attention(dim, heads, qkv_bias=False, qk_norm=False), _SwiGLU(dim, hidden))

        super().__init__(channels=1, dim=dim, depth=depth, patch=patch, block=block)
        self.storage_tokens = nn.Parameter(torch.zeros(1, storage, dim))
        self.rope_embed = _Rope(dim // heads)

    def forward(self, tiles: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile feature"]:
        return self._vectors(self._tokens(tiles))

    @property
    def prefix_tokens(self) -> int:
        return 1 + self.storage_tokens.shape[1]

    def forward_tokens(self, tiles: Float[Tensor, "tile 3 height width"]) -> NetworkTokens:
        """The features, and the patch tokens of R, G and B one after the other: [tile, token, 3 x `dim`]."""
        tokens = self._tokens(tiles)
        patches = self.norm(tokens[:, self.prefix_tokens :]).unflatten(0, (-1, 3))
        return NetworkTokens(self._vectors(tokens), patches.transpose(1, 2).flatten(2), self.grid(tiles))

    def _tokens(self, tiles: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "image token feature"]:
        images = tiles.flatten(0, 1).unsqueeze(1)  # each channel is an image of its own
        return self.tokens(images, self.storage_tokens, self.rope_embed.periods)

    def _vectors(self, tokens: Float[Tensor, "image token feature"]) -> Float[Tensor, "tile feature"]:
        return self.norm(tokens[:, 0]).unflatten(0, (-1, 3)).flatten(1)
