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

    def options(self) -> dict[str, Any]:
        """The arguments of `ClamSB` in these settings."""
        own = {"instances": self.instances, "share": self.instance_share, "subtyping": self.subtyping}
        return {**super().options(), **own}

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return ClamSB(features, logits, **self.options())


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
        each_class = attention.expand(len(self.cluster), -1)
        return self.clustered(Output(self.classify(z).float(), attention), h, each_class, bag, labels)

    def clustered(self, out: Output, h: Tensor, attention: Tensor, bag: Tensor, labels: Tensor | None) -> Output:
        """The output with the loss of the clustering, where there are labels.

        Parameters
        ----------
        h, attention
            The embedded tiles [T, dim], and their attention for each class [C, T].
        """
        if labels is not None:
            losses = [
                self._clustering(h[bag == b], attention[:, bag == b], int(label)) for b, label in enumerate(labels)
            ]
            out.own_loss, out.own_share = torch.stack(losses).mean(), self.share
        return out

    def _clustering(self, h: Tensor, attention: Tensor, label: int) -> Tensor:
        k = max(1, min(self.instances, len(h) // 2))
        losses = []
        for c, (cluster, of_class) in enumerate(zip(self.cluster, attention, strict=True)):
            most = h[of_class.topk(k).indices]
            target = torch.zeros(k, dtype=torch.int64, device=h.device)
            if c == label:
                least = h[of_class.topk(k, largest=False).indices]
                most, target = torch.cat([most, least]), torch.cat([torch.ones_like(target), target])
            elif not self.subtyping:
                continue
            losses.append(nn.functional.cross_entropy(cluster(most).float(), target))
        return torch.stack(losses).sum() / (len(self.cluster) if self.subtyping else 1)
