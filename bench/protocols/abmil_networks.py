"""Networks from a bag to a prediction: attention-based MIL, mean and max pooling, CLAM-SB.

Attention (Ilse, Tomczak, Welling 2018, arXiv:1802.04712, equations 7 to 9), for embedded tiles h_n of a bag:

    a_n proportional to exp(w' (tanh(V h_n) * sigmoid(U h_n))),  z = sum_n a_n h_n

without the sigmoid where it is not gated. Bags may be packed: tiles of several bags in one array and the number of
each tile's bag beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass
class Output:
    """What a network says of some bags.

    Attributes
    ----------
    logits : [B, K]
    attention : [T]
        Of each tile, summing to 1 in each bag.
    own_loss : scalar, with the share `own_share` in the loss
    """

    logits: Float[Tensor, "bag logit"]
    attention: Float[Tensor, " tile"]
    own_loss: Tensor | None = None
    own_share: float = 0.0


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


class ClamSB(Pooling):
    """CLAM with a single branch (Lu et al. 2021, Nature Biomedical Engineering 5, 555): attention and tile clustering.

    The most and least attended tiles are pseudo-labelled as in and out of the bag's class; with `subtyping`, the most
    attended are also out of every other class. Their cross-entropy is a share of the loss.
    """

    def __init__(
        self,
        features: int,
        logits: int,
        *,
        instances: int = 8,
        share: float = 0.3,
        subtyping: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(features, logits, **options)
        self.instances, self.share, self.subtyping = instances, share, subtyping
        self.cluster = nn.ModuleList([nn.Linear(self.dim, 2) for _ in range(logits)])

    def forward(
        self, tiles: Float[Tensor, "tile feature"], bag: Int[Tensor, " tile"], bags: int, labels: Tensor | None = None
    ) -> Output:
        h = self.embed(tiles)
        z, attention = self.pooled(h, bag, bags)
        out = Output(self.classify(z).float(), attention)
        if labels is not None:
            losses = [self._clustering(h[bag == b], attention[bag == b], int(labels[b])) for b in range(bags)]
            out.own_loss, out.own_share = torch.stack(losses).mean(), self.share
        return out

    def _clustering(self, h: Tensor, attention: Tensor, label: int) -> Tensor:
        k = max(1, min(self.instances, len(h) // 2))
        most = h[attention.topk(k).indices]
        least = h[attention.topk(k, largest=False).indices]
        yes, no = (torch.full((k,), v, device=h.device) for v in (1, 0))
        cross_entropy = nn.functional.cross_entropy
        loss = cross_entropy(self.cluster[label](torch.cat([most, least])).float(), torch.cat([yes, no]))
        if self.subtyping:
            others = [cross_entropy(c(most).float(), no) for i, c in enumerate(self.cluster) if i != label]
            loss = (loss + torch.stack(others).sum()) / len(self.cluster)
        return loss
