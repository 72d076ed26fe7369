"""The image towers of CONCH (Lu et al., Nature Medicine 2024) and CONCH v1.5: a ViT whose tokens one query pools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from ..layouts import State, inside, strip, without
from ..tokens import NetworkTokens
from .dino_positions import DinoViT


class _PoolerV1(nn.Module):
    """Cross-attention of learned queries to the tokens, by torch's ``MultiheadAttention`` with its biases."""

    def __init__(self, dim: int, dim_tokens: int, heads: int, queries: int = 1) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(queries, dim))
        self.attn = nn.MultiheadAttention(dim, heads, kdim=dim_tokens, vdim=dim_tokens, batch_first=True)
        self.ln_q = nn.LayerNorm(dim)
        self.ln_k = nn.LayerNorm(dim_tokens)

    def forward(self, tokens: Float[Tensor, "tile token feature"]) -> Float[Tensor, "tile query pooled"]:
        keys = self.ln_k(tokens)
        queries = self.ln_q(self.query).expand(len(tokens), -1, -1)
        return self.attn(queries, keys, keys, need_weights=False)[0]


class _PoolerV15(nn.Module):
    """The same without biases and with keys and values in one matrix."""

    def __init__(self, dim: int, dim_tokens: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.zeros(1, dim))
        self.ln_q = nn.LayerNorm(dim)
        self.ln_k = nn.LayerNorm(dim_tokens)
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_kv = nn.Linear(dim_tokens, dim * 2, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, tokens: Float[Tensor, "tile token feature"]) -> Float[Tensor, "tile pooled"]:
        q = self.to_q(self.ln_q(self.query)).expand(len(tokens), -1, -1)
        k, v = self.to_kv(self.ln_k(tokens)).chunk(2, dim=-1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        return self.to_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))[:, 0]


class _Tower(nn.Module, ABC):
    """A trunk of timm whose tokens, after its last norm, are pooled; the trunk's class token is one of them."""

    trunk: VisionTransformer
    prefix_tokens = 1

    @property
    def last_attention(self) -> nn.Module:
        block: Any = self.trunk.blocks[-1]
        return block.attn

    @abstractmethod
    def pooled(self, tokens: Float[Tensor, "tile token feature"]) -> Float[Tensor, "tile pooled"]:
        """The vector of each tile, from the trunk's tokens."""

    def forward_tokens(self, tiles: Float[Tensor, "tile 3 448 448"]) -> NetworkTokens:
        """The pooled vector, and the patch tokens of the trunk."""
        tokens = self.trunk(tiles)
        rows, columns = self.trunk.patch_embed.dynamic_feat_size(tiles.shape[-2:])
        return NetworkTokens(self.pooled(tokens), tokens[:, 1:], (rows, columns))


class Conch(_Tower):
    """The visual tower of CONCH v1: ViT-B/16 at 448 px, pooled to 512.

    The second pooler, which feeds the caption decoder, is held so that the tower loads whole; features do not use it.

    Parameters
    ----------
    output : {"image", "projected"}
        "image": what the authors use for tasks (``proj_contrast=False, normalize=False``). "projected": through the
        projection to the space shared with text, and to unit length, which zero-shot classification compares.
    """

    def __init__(self, output: Literal["image", "projected"] = "image") -> None:
        super().__init__()
        self.output = output
        self.trunk = VisionTransformer(
            img_size=448, patch_size=16, embed_dim=768, depth=12, num_heads=12, num_classes=0, global_pool=""
        )
        self.attn_pool_contrast = _PoolerV1(512, 768, heads=8)
        self.ln_contrast = nn.LayerNorm(512)
        self.attn_pool_caption = _PoolerV1(768, 768, heads=8, queries=256)
        self.ln_caption = nn.LayerNorm(768)
        self.proj_contrast = nn.Parameter(torch.zeros(512, 512))

    def forward(self, tiles: Float[Tensor, "tile 3 448 448"]) -> Float[Tensor, "tile 512"]:
        return self.pooled(self.trunk(tiles))

    def pooled(self, tokens: Float[Tensor, "tile token 768"]) -> Float[Tensor, "tile 512"]:
        """The vector that the first pooler makes of all tokens."""
        image = self.ln_contrast(self.attn_pool_contrast(tokens)[:, 0])
        return image if self.output == "image" else F.normalize(image @ self.proj_contrast, dim=-1)


class ConchV15(_Tower):
    """The tower of CONCH v1.5: ViT-L/16 fed 448 px, pooled to 768.

    The network holds positions of 224 px (14 x 14) and resamples them by DINO's rule, as the authors' code does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = DinoViT(img_size=224, patch_size=16, embed_dim=1024, depth=24, num_heads=16, init_values=1.0)
        self.attn_pool_contrast = _PoolerV15(768, 1024, heads=8)
        self.ln_contrast = nn.LayerNorm(768)

    def forward(self, tiles: Float[Tensor, "tile 3 448 448"]) -> Float[Tensor, "tile 768"]:
        return self.pooled(self.trunk(tiles))

    def pooled(self, tokens: Float[Tensor, "tile token 1024"]) -> Float[Tensor, "tile 768"]:
        """The vector that the pooler makes of all tokens."""
        return self.ln_contrast(self.attn_pool_contrast(tokens))


def layout(content: Mapping[str, Any]) -> State:
    """CONCH's file: the whole model, of which the text tower, the decoder and the temperature are left out."""
    if "state_dict" in content:
        content = inside(content, "state_dict")
    content = strip(content, "module.")
    return strip(without(content, r"text\.|text_decoder\.|logit_scale$"), "visual.")


def layout_v15(content: Mapping[str, Any]) -> State:
    """CONCH v1.5's file: positions of another grid go to 14 x 14, bilinear without antialiasing, as the authors do."""
    from timm.layers import resample_abs_pos_embed

    state = dict(content)
    state["trunk.pos_embed"] = resample_abs_pos_embed(
        state["trunk.pos_embed"], [14, 14], num_prefix_tokens=1, interpolation="bilinear", antialias=False
    )
    return state
