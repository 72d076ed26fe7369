"""Attention-based MIL with several heads and GELU layers about the pooling, as in TRIDENT and Patho-Bench."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bench.protocols.networks.base import AnyTarget, Output
from bench.protocols.settings import DROPOUT, FROM_ONE, check_settings

DENSE_DROPOUT = 0.1


@dataclass
class Settings(AnyTarget):
    """Settings of the attention and of the training; the other layers have the width of the features.

    Attributes
    ----------
    heads, attention_dim
        Number of attention heads, and the width of each.
    gated, dropout
        Whether the attention is gated, and the dropout in it; that of the layers before and after is 0.1.
    """

    network: str = "abmil_multihead"
    heads: int = 8
    attention_dim: int = 256
    gated: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, heads=FROM_ONE, attention_dim=FROM_ONE, dropout=DROPOUT)

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return MultiheadABMIL(
            features,
            logits,
            heads=self.heads,
            attention_dim=self.attention_dim,
            gated=self.gated,
            dropout=self.dropout,
        )


class MultiheadABMIL(nn.Module):
    """A layer for each tile, attention of several heads, a layer that joins them, one for the bag, and the logits.

    Every head pools the same embedded tiles with its own weights, as in `bench.protocols.networks.pooling`. The
    reported attention is the mean over heads.
    """

    def __init__(
        self, features: int, logits: int, *, heads: int, attention_dim: int, gated: bool, dropout: float
    ) -> None:
        super().__init__()

        def branch(squash: type[nn.Module]) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(nn.Linear(features, attention_dim), squash(), nn.Dropout(dropout)) for _ in range(heads)
            )

        self.embed = nn.Sequential(nn.Linear(features, features), nn.GELU(), nn.Dropout(DENSE_DROPOUT))
        self.v = branch(nn.Tanh)
        self.u = branch(nn.Sigmoid) if gated else None
        self.w = nn.ModuleList(nn.Linear(attention_dim, 1) for _ in range(heads))
        self.join = nn.Linear(heads * features, features) if heads > 1 else nn.Identity()
        self.after = nn.Sequential(nn.Linear(features, features), nn.GELU(), nn.Dropout(DENSE_DROPOUT))
        self.classify = nn.Linear(features, logits)

    def forward(
        self, tiles: Float[Tensor, "tile feature"], bag: Int[Tensor, " tile"], bags: int, labels: Tensor | None = None
    ) -> Output:
        h = self.embed(tiles)
        inside = torch.arange(bags, device=bag.device)[:, None] == bag
        pooled, attention = [], torch.zeros(len(h), device=h.device)
        for head, (v, w) in enumerate(zip(self.v, self.w, strict=True)):
            gate = v(h) if self.u is None else v(h) * self.u[head](h)
            weights = torch.softmax(w(gate)[:, 0].float().masked_fill(~inside, -torch.inf), dim=1)
            pooled.append(weights.to(h.dtype) @ h)
            attention = attention + weights.sum(0) / len(self.v)
        z = self.after(self.join(torch.cat(pooled, dim=1)))
        return Output(self.classify(z).float(), attention)
