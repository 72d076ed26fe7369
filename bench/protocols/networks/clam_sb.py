"""CLAM with a single branch (Lu et al. 2021, Nature Biomedical Engineering 5, 555)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bench.protocols.networks.base import Output
from bench.protocols.networks.pooling import Attention, Pooling
from bench.protocols.settings import FROM_ONE, SHARE, check_settings


@dataclass
class Settings(Attention):
    """Settings of CLAM; its tiles are clustered by the bag's class, so that it takes classes and grades alone.

    Attributes
    ----------
    instances, instance_share, subtyping
        Tiles at each end, the share of the clustering in the loss, whether classes exclude each other.
    """

    network: str = "clam_sb"
    instances: int = 8
    instance_share: float = 0.3
    subtyping: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, instances=FROM_ONE, instance_share=SHARE)

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return ClamSB(
            features,
            logits,
            instances=self.instances,
            share=self.instance_share,
            subtyping=self.subtyping,
            **self.options(),
        )


class ClamSB(Pooling):
    """Attention and tile clustering.

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
