"""CLAM with a branch of attention for each class (Lu et al. 2021, Nature Biomedical Engineering 5, 555)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bench.protocols.networks import clam_sb
from bench.protocols.networks.base import Output


@dataclass
class Settings(clam_sb.Settings):
    """Settings of CLAM, as of `clam_sb`."""

    network: str = "clam_mb"

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return ClamMB(features, logits, **self.options())


class ClamMB(clam_sb.ClamSB):
    """Every class has its own attention, and its logit is of the bag that this attention pools.

    The reported attention is that of the predicted class.
    """

    def __init__(self, features: int, logits: int, **options: Any) -> None:
        super().__init__(features, logits, **options)
        self.w = nn.Linear(self.w.in_features, logits)

    def forward(
        self, tiles: Float[Tensor, "tile feature"], bag: Int[Tensor, " tile"], bags: int, labels: Tensor | None = None
    ) -> Output:
        h = self.embed(tiles)
        gate = self.v(h) if self.u is None else self.v(h) * self.u(h)
        inside = torch.arange(bags, device=bag.device)[:, None] == bag
        strength = self.w(gate).T.float()[:, None]
        weights = torch.softmax(strength.masked_fill(~inside, -torch.inf), dim=2)
        z = self.classify[:-1]((weights.to(h.dtype) @ h).transpose(0, 1))
        last = self.classify[-1]
        logits = ((z * last.weight).sum(2) + last.bias).float()
        predicted = logits.argmax(1)
        attention = weights[predicted, torch.arange(bags, device=bag.device)].sum(0)
        return self.clustered(Output(logits, attention), h, weights.sum(1), bag, labels)
