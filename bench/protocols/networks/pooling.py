"""Embed the tiles of a bag, pool them, classify: what attention-based MIL, mean and max pooling and CLAM-SB share.

Attention (Ilse, Tomczak, Welling 2018, arXiv:1802.04712, equations 7 to 9), for embedded tiles h_n of a bag:

    a_n proportional to exp(w' (tanh(V h_n) * sigmoid(U h_n))),  z = sum_n a_n h_n

without the sigmoid where it is not gated. Bags may be packed: tiles of several bags in one array and the number of
each tile's bag beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bench.protocols.networks.base import NetworkSettings, Output
from bench.protocols.settings import DROPOUT, FROM_ONE, check_settings


@dataclass
class Embedding(NetworkSettings):
    """Settings of the layers about the pooling, as in `Pooling`."""

    dim: int = 512
    relu: bool = True
    dropout_input: float = 0.0
    dropout: float = 0.25
    hidden: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, dim=FROM_ONE, dropout_input=DROPOUT, dropout=DROPOUT)
        if self.hidden:
            check_settings("abmil", self, hidden=FROM_ONE)

    def options(self) -> dict[str, Any]:
        """The arguments of `Pooling` in these settings."""
        return {
            "dim": self.dim,
            "relu": self.relu,
            "dropout_input": self.dropout_input,
            "dropout": self.dropout,
            "hidden": self.hidden,
        }


@dataclass
class Attention(Embedding):
    """Settings of attention, as in `Pooling`."""

    attention_dim: int = 384
    gated: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, attention_dim=FROM_ONE)

    def options(self) -> dict[str, Any]:
        """The arguments of `Pooling` in these settings."""
        return {**super().options(), "attention_dim": self.attention_dim, "gated": self.gated}


class Pooling(nn.Module):
    """Embed each tile, pool the bag by "attention", "mean" or "max", classify.

    Parameters
    ----------
    hidden
        Widths between the pooled bag and the logits.
    dropout_input, dropout
        Probabilities on the features, and after the embedding, both attention branches and hidden layers.
    """

    def __init__(
        self,
        features: int,
        logits: int,
        *,
        pool: str = "attention",
        dim: int = 512,
        attention_dim: int = 384,
        gated: bool = True,
        relu: bool = True,
        dropout_input: float = 0.0,
        dropout: float = 0.25,
        hidden: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.pool, self.dim = pool, dim
        activation: list[nn.Module] = [nn.ReLU()] if relu else []
        self.embed = nn.Sequential(
            nn.Dropout(dropout_input), nn.Linear(features, dim), *activation, nn.Dropout(dropout)
        )
        if pool == "attention":
            self.v = nn.Sequential(nn.Linear(dim, attention_dim), nn.Tanh(), nn.Dropout(dropout))
            self.u = nn.Sequential(nn.Linear(dim, attention_dim), nn.Sigmoid(), nn.Dropout(dropout)) if gated else None
            self.w = nn.Linear(attention_dim, 1)
        widths = [dim, *hidden]
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout)]
        self.classify = nn.Sequential(*layers, nn.Linear(widths[-1], logits))

    def forward(
        self, tiles: Float[Tensor, "tile feature"], bag: Int[Tensor, " tile"], bags: int, labels: Tensor | None = None
    ) -> Output:
        h = self.embed(tiles)
        z, attention = self.pooled(h, bag, bags)
        return Output(self.classify(z).float(), attention)

    def pooled(self, h: Tensor, bag: Tensor, bags: int) -> tuple[Tensor, Tensor]:
        """The bags' vectors [B, dim] and the tiles' attention [T]."""
        inside = torch.arange(bags, device=bag.device)[:, None] == bag
        if self.pool == "max":
            highest = []
            attention = torch.zeros(len(h), device=h.device)
            for row in inside:
                piece = h[row]
                values, winners = piece.max(0)
                highest.append(values)
                attention[row] = torch.bincount(winners, minlength=len(piece)).float() / h.shape[1]
            return torch.stack(highest), attention
        if self.pool == "mean":
            strength = torch.zeros(len(h), device=h.device)
        else:
            gate = self.v(h) if self.u is None else self.v(h) * self.u(h)
            strength = self.w(gate)[:, 0].float()
        weights = torch.softmax(strength.masked_fill(~inside, -torch.inf), dim=1)
        return weights.to(h.dtype) @ h, weights.sum(0)
