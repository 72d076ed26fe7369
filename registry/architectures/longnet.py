"""The slide encoder of Prov-GigaPath (Xu et al., Nature 2024): LongNet over tile features, in plain PyTorch.

LongNet (Ding et al., arXiv 2307.02486) attends in branches. Each cuts the sequence into segments of a length and keeps
every r-th token of a segment; head group j (of r) keeps those at offset j. A token's result is the mean of the branches
weighted by their softmax denominators. Long branches are sparse, so work and memory grow nearly linearly.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import UserError

Output = Literal["mean", "cls", "mean_layer11", "mean_layer12"]

# 2 ** linspace(log2 1024, log2 1024**2, 5) truncated: upstream's rule for slides of 262,144 px and tiles of 256 px
SEGMENTS = (1024, 5792, 32768, 185363, 1048576)
RATIOS = (1, 2, 4, 8, 16)
LAYERS = {"mean_layer11": 11, "mean_layer12": 12}  # whose output is taken; of the others, that of the closing norm
_LOGITS = 2**25  # at a time: 128 MiB of float32


class DilatedAttention(nn.Module):
    """Self-attention in branches of segments, with a LayerNorm before the output projection.

    Parameters
    ----------
    dim, heads : int
        Width and number of heads; `heads` is a multiple of every ratio.
    segments, ratios : tuple of int
        Segment length and dilation of each branch; one branch has ratio 1, so that every token has a result.
    """

    def __init__(
        self, dim: int, heads: int, segments: tuple[int, ...] = SEGMENTS, ratios: tuple[int, ...] = RATIOS
    ) -> None:
        super().__init__()
        self.heads = heads
        self.branches = tuple(zip(segments, ratios, strict=True))
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.inner_attn_ln = nn.LayerNorm(dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "slide token feature"]) -> Float[Tensor, "slide token feature"]:
        mixed = torch.stack([self._mix(slide) for slide in x])
        return self.out_proj(self.inner_attn_ln(mixed))

    def _mix(self, x: Float[Tensor, "token feature"]) -> Float[Tensor, "token feature"]:
        q, k, v = (project(x).unflatten(-1, (self.heads, -1)) for project in (self.q_proj, self.k_proj, self.v_proj))
        total = torch.zeros(q.shape, device=x.device, dtype=torch.float32)
        logsum = torch.full((*q.shape[:2], 1), -torch.inf, device=x.device)
        for length, ratio in self.branches:
            for kept, out, lse in _branch(q, k, v, length, ratio):
                # running log-sum-exp: both sums are rescaled to their new common maximum
                old = kept(logsum)
                new = torch.logaddexp(old, lse)
                kept(total).mul_((old - new).exp()).add_(out * (lse - new).exp())
                old.copy_(new)
        return total.flatten(1).to(x.dtype)


def _branch(
    q: Float[Tensor, "token head feature"],
    k: Float[Tensor, "token head feature"],
    v: Float[Tensor, "token head feature"],
    length: int,
    ratio: int,
) -> Iterator[tuple[_Kept, Float[Tensor, "kept head feature"], Float[Tensor, "kept head 1"]]]:
    """One branch, a piece at a time: which tokens and heads, their attention, its log-sum-exp.

    A last segment that is not full is padded with zeros up to the segment's length, and a segment up to a multiple of
    `ratio`, as upstream does; these zeros take part in the softmax as keys.
    """
    tokens, heads, dim = q.shape
    length = min(length, tokens)
    group = heads // ratio
    keys = -(-length // ratio)
    for start in range(0, tokens, length):
        stop = min(start + length, tokens)
        for offset in range(ratio):
            hs = slice(offset * group, (offset + 1) * group)
            kept = _Kept(slice(start + offset, stop, ratio), hs)
            queries, ks, vs = (kept(t).transpose(0, 1).float() for t in (q, k, v))
            if not ks.shape[1]:
                continue
            empty = keys - ks.shape[1]  # keys of zeros: a logit of 0 each, and nothing added to the sum
            outs, lses = [], []
            for some in (queries * dim**-0.5).split(max(1, _LOGITS // (group * keys)), dim=1):
                logits = some @ ks.transpose(1, 2)
                top = logits.amax(dim=-1, keepdim=True)
                if empty:
                    top = top.clamp(min=0.0)
                weights = logits.sub_(top).exp_()
                total = weights.sum(dim=-1, keepdim=True)
                if empty:
                    total += empty * (-top).exp()
                outs.append(weights @ vs / total)
                lses.append(top + total.log())
            yield kept, torch.cat(outs, 1).transpose(0, 1), torch.cat(lses, 1).transpose(0, 1)


class _Kept:
    """The tokens and heads that one piece of a branch keeps, as a view of [token, head, feature]."""

    def __init__(self, tokens: slice, heads: slice) -> None:
        self.tokens, self.heads = tokens, heads

    def __call__(self, x: Float[Tensor, "token head feature"]) -> Float[Tensor, "kept head_kept feature"]:
        return x[self.tokens, self.heads]


class _FeedForward(nn.Module):
    """GELU between, and a LayerNorm before, the second layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, dim * 4)
        self.ffn_layernorm = nn.LayerNorm(dim * 4)
        self.fc2 = nn.Linear(dim * 4, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.ffn_layernorm(F.gelu(self.fc1(x))))


class _Layer(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.self_attn = DilatedAttention(dim, heads)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.ffn = _FeedForward(dim)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, x: Float[Tensor, "slide token feature"]) -> Float[Tensor, "slide token feature"]:
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return x + self.ffn(self.final_layer_norm(x))


class _Encoder(nn.Module):
    def __init__(self, dim: int, depth: int, heads: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(dim, heads) for _ in range(depth))
        self.layer_norm = nn.LayerNorm(dim)

    def forward(self, x: Float[Tensor, "slide token feature"]) -> Iterator[Float[Tensor, "slide token feature"]]:
        """The input, then each layer's output, the last before the closing norm; then that norm's output."""
        yield x
        for layer in self.layers:
            x = layer(x)
            yield x
        yield self.layer_norm(x)


class _Projection(nn.Module):
    def __init__(self, dim_in: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim_in, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


def positions(
    coords: Float[Tensor, "*slide tile 2"], tile_size: float, dim: int
) -> Float[Tensor, "*slide tile feature"]:
    """Sine-cosine embedding of the grid cells of tiles, made for these tiles alone.

    Equal to rows of MAE's two-dimensional table (upstream's buffer of 1000 x 1000 cells, 3 GB): cell = floor(coordinate
    / tile size); the first half of the features encodes y, the second x; each half is sines, then cosines, of
    ``cell / 10000 ** (2 i / (dim / 2))``. Upstream's table ends at cell 999, this goes on.
    """
    frequencies = 10000.0 ** -(torch.arange(dim // 4, device=coords.device, dtype=torch.float64) / (dim / 4.0))
    cells = torch.floor(coords.double() / tile_size)
    angles = cells.flip(-1)[..., None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2).float()


class LongNetSlideEncoder(nn.Module):
    """Tile features and their places to one vector of a slide.

    Parameters
    ----------
    dim_in, dim, depth, heads : int
        Of the tile features, the network, its layers and heads.
    output : {"mean", "cls", "mean_layer11", "mean_layer12"}
        "mean" (the authors' ``global_pool=True``): the mean over tiles of the last output, then the norm. "cls": the
        class token, which slide pretraining did not train. "mean_layer11", "mean_layer12": the mean over tiles after
        layer 11 or 12 of 12, before the encoder's closing norm, then the norm.
    """

    def __init__(
        self, dim_in: int = 1536, dim: int = 768, depth: int = 12, heads: int = 16, output: Output = "mean"
    ) -> None:
        super().__init__()
        self.output = output
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.patch_embed = _Projection(dim_in, dim)
        self.encoder = _Encoder(dim, depth, heads)
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(
        self,
        features: Float[Tensor, "slide tile feature_in"],
        coords: Float[Tensor, "slide tile 2"] | None,
        tile_size: float = 256.0,
    ) -> Float[Tensor, "slide feature"]:
        """The slide's vector.

        Parameters
        ----------
        features : float tensor [B, N, 1536]
        coords : tensor [B, N, 2]
            Upper left corners of the tiles, x and y, level-0 px.
        tile_size : float
            Side of a tile, level-0 px, so that neighbours lie one cell apart.
        """
        if coords is None:
            raise UserError("LongNet needs to know where the tiles lie; give coords, upper left corners in level-0 px")
        states = self.states(features, coords, tile_size)
        last = LAYERS.get(self.output, len(self.encoder.layers) + 1)
        return self.pool(next(islice(states, last, None)))

    def states(
        self, features: Float[Tensor, "slide tile feature_in"], coords: Float[Tensor, "slide tile 2"], tile_size: float
    ) -> Iterator[Float[Tensor, "slide token feature"]]:
        """The tokens before the first layer, after each, and after the closing norm."""
        x = self.patch_embed(features)
        x = x + positions(coords, tile_size, x.shape[-1])
        # the class token has the table's first row, which is 0
        return self.encoder(torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1))

    def pool(self, tokens: Float[Tensor, "slide token feature"]) -> Float[Tensor, "slide feature"]:
        return self.norm(tokens[:, 0] if self.output == "cls" else tokens[:, 1:].mean(dim=1))
