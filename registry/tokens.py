"""Patch tokens of a network and the attention of its class token: one interface for all vision transformers.

A network of the registry's own says where its tokens are (`GivesTokens`); timm's transformers are read by their class.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .card import ModelCard
from .errors import UserError

Grid = tuple[int, int]


class NetworkTokens(NamedTuple):
    """One forward pass: the output of the network's `forward`, and the patch tokens that it was made of.

    Attributes
    ----------
    output : tensor
        What `forward` returns, bit for bit.
    patches : [B, T, C]
        After the last norm, row by row, without class and register tokens.
    grid : (int, int)
        Rows and columns of patches, whose product is T.
    """

    output: Tensor
    patches: Float[Tensor, "tile token feature"]
    grid: Grid


@runtime_checkable
class GivesTokens(Protocol):
    """A network outside timm whose tokens can be read."""

    def forward_tokens(self, tiles: Float[Tensor, "tile 3 height width"]) -> NetworkTokens:
        """Output and patch tokens of one forward pass."""

    @property
    def last_attention(self) -> nn.Module | None:
        """The attention of the last block: timm's, or a module with the method `queries_keys_values`; None for none."""

    @property
    def prefix_tokens(self) -> int:
        """Number of class and register tokens, which stand before the patches."""


@dataclass(frozen=True)
class TokenReader:
    """How the tokens of one network are read.

    Attributes
    ----------
    forward : callable
    attention : nn.Module or None
        Attention of the last block; None where the network has no class token or its attention is not known here.
    prefix : int
        Number of tokens before the patches.
    """

    forward: Callable[[Tensor], NetworkTokens]
    attention: nn.Module | None = None
    prefix: int = 0


def reader(network: nn.Module) -> TokenReader | str:
    """How the tokens of a network are read, or why there are none, as a clause that follows the model's name."""
    if isinstance(network, GivesTokens):
        return TokenReader(network.forward_tokens, network.last_attention, network.prefix_tokens)
    refusal = getattr(network, "no_tokens", None)
    if isinstance(refusal, str):
        return refusal
    from timm.models.eva import Eva
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.vision_transformer import VisionTransformer

    if isinstance(network, VisionTransformer | Eva):
        return _of_timm(network)
    if isinstance(network, SwinTransformer):
        return TokenReader(lambda tiles: _of_swin(network, tiles))
    if not any("attention" in type(module).__name__.lower() for module in network.modules()):
        return f"is no vision transformer ({type(network).__name__}) and gives no patch tokens"
    return f"has a network, {type(network).__name__}, whose patch tokens are not known here"


def check_tokens(card: ModelCard) -> None:
    """Find out before its weights are read whether a model gives patch tokens.

    Raises
    ------
    UserError
        If it gives none.
    """
    refusal = _refusal(card)
    if refusal:
        raise UserError(f"{card.name} {refusal}")


def class_attention(
    found: TokenReader, tiles: Float[Tensor, "tile 3 height width"], numerics: AbstractContextManager[object]
) -> Float[Tensor, "tile head row column"]:
    """Softmax attention of the class token to the patches in the last block.

    With the columns of class and register tokens, which are left out, each row sums to 1. A network that runs each tile
    as several images (``genbio_pathfm``: R, G and B) gives the heads of one image after those of the other.

    Parameters
    ----------
    numerics : context manager
        In which the network runs; its queries and keys are multiplied in float32 after it.
    """
    assert found.attention is not None
    seen: list[tuple[Tensor, Tensor]] = []

    def look(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append(_queries_keys(module, *args, **kwargs))

    hook = found.attention.register_forward_pre_hook(look, with_kwargs=True)
    try:
        with numerics:
            grid = found.forward(tiles).grid
    finally:
        hook.remove()
    [(q, k)] = seen
    logits = q[:, :, :1].float() @ k.float().transpose(-2, -1) * q.shape[-1] ** -0.5
    return logits.softmax(dim=-1)[:, :, 0, found.prefix :].reshape(len(tiles), -1, *grid)


def _refusal(card: ModelCard) -> str:
    from .build import build
    from .outside import REMOTE

    if card.unit == "slide":
        return f"is a slide encoder and gives no patch tokens; name its tile encoder, {card.tile_encoder}, instead"
    if card.architecture.builder == REMOTE:
        return "runs its repository's own code, whose patch tokens are not known here"
    try:
        with torch.device("meta"):
            found = reader(build(card.architecture))
    except Exception:  # a builder of a plugin that needs real numbers: its network answers when it is loaded
        return ""
    return found if isinstance(found, str) else ""


def _of_timm(network: Any) -> TokenReader:
    """timm's ViT and Eva, whose forward is `forward_features`, with the last norm, and then `forward_head`."""
    prefix = network.num_prefix_tokens

    def forward(tiles: Tensor) -> NetworkTokens:
        features = network.forward_features(tiles)
        rows, columns = network.patch_embed.dynamic_feat_size(tiles.shape[-2:])
        return NetworkTokens(network.forward_head(features), features[:, prefix:], (rows, columns))

    attention = getattr(network.blocks[-1], "attn", None)
    known = network.cls_token is not None and attention is not None and _has_queries_keys(attention)
    return TokenReader(forward, attention if known else None, prefix)


def _of_swin(network: Any, tiles: Tensor) -> NetworkTokens:
    features = network.forward_features(tiles)  # [tile, row, column, feature] of the last stage, normalised
    rows, columns = features.shape[1:3]
    return NetworkTokens(network.forward_head(features), features.flatten(1, 2), (rows, columns))


def _has_queries_keys(attention: nn.Module) -> bool:
    from timm.layers.attention import Attention, AttentionRope
    from timm.models.eva import EvaAttention

    return hasattr(attention, "queries_keys_values") or type(attention) in (Attention, AttentionRope, EvaAttention)


def _queries_keys(module: Any, x: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Queries and keys [image, head, token, feature] as the attention module makes them of its input."""
    if hasattr(module, "queries_keys_values"):
        q, k, _ = module.queries_keys_values(x, *args, **kwargs)
        return q, k
    if module.qkv is not None:
        biases = [getattr(module, f"{name}_bias", None) for name in "qkv"]  # Eva keeps them apart
        bias = module.qkv.bias if biases[0] is None else torch.cat([b for b in biases if b is not None])
        qkv = F.linear(x, module.qkv.weight, bias)
        q, k, _ = qkv.unflatten(-1, (3, module.num_heads, -1)).permute(2, 0, 3, 1, 4)
    else:
        groups = getattr(module, "num_kv_groups", 1)
        q = module.q_proj(x).unflatten(-1, (module.num_heads, -1)).transpose(1, 2)
        k = module.k_proj(x).unflatten(-1, (module.num_heads // groups, -1)).transpose(1, 2)
    q, k = module.q_norm(q), module.k_norm(k)
    rope = args[0] if args else kwargs.get("rope")
    if isinstance(rope, Tensor) and hasattr(module, "num_prefix_tokens"):
        q, k = (_turned(t, rope, module.num_prefix_tokens, getattr(module, "rotate_half", False)) for t in (q, k))
    if k.shape[1] != q.shape[1]:  # several queries share a key
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
    return q, k


def _turned(t: Tensor, rope: Tensor, prefix: int, half: bool) -> Tensor:
    from timm.layers.pos_embed_sincos import apply_rot_embed_cat

    return torch.cat([t[:, :, :prefix], apply_rot_embed_cat(t[:, :, prefix:], rope, half=half)], dim=2)
