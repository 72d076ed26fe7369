"""The maximum of the embedded tiles, feature by feature, in the frame of `Pooling`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from bench.protocols.networks.base import AnyTarget
from bench.protocols.networks.pooling import Embedding, Pooling


@dataclass
class Settings(Embedding, AnyTarget):
    """Settings of the layers and of the training."""

    network: str = "max"

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return Pooling(features, logits, pool="max", **self.options())
