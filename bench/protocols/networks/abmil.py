"""Gated attention (Ilse, Tomczak, Welling 2018, arXiv:1802.04712), in the frame of `Pooling`."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from bench.protocols.networks.base import AnyTarget
from bench.protocols.networks.pooling import Attention, Pooling


@dataclass
class Settings(Attention, AnyTarget):
    """Settings of the layers, of attention and of the training."""

    network: str = "abmil"

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return Pooling(features, logits, pool="attention", **self.options())
