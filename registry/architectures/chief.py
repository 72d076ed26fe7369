"""The slide aggregator of CHIEF (Wang et al., Nature 2024): gated attention over CHIEF's CTransPath features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..layouts import State, without


class _GatedAttention(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.attention_a = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh())
        self.attention_b = nn.Sequential(nn.Linear(dim, hidden), nn.Sigmoid())
        self.attention_c = nn.Linear(hidden, 1)

    def forward(self, x: Float[Tensor, "slide tile feature"]) -> Float[Tensor, "slide tile 1"]:
        return self.attention_c(self.attention_a(x) * self.attention_b(x))


class Chief(nn.Module):
    """Attention over tiles, whose weighted mean is taken of the *input* features.

    The file also holds classifiers and a text branch for the organ; neither touches this vector, so they are left out.
    """

    def __init__(self, dim: int = 768) -> None:
        super().__init__()
        self.attention_net = nn.Sequential(
            nn.Linear(dim, 512),
            nn.ReLU(),
            nn.Identity(),  # dropout while training; keeps the published index of the next layer
            _GatedAttention(512, 256),
        )

    def forward(
        self,
        features: Float[Tensor, "slide tile feature"],
        coords: Float[Tensor, "slide tile 2"] | None = None,
        tile_size: float | None = None,
    ) -> Float[Tensor, "slide feature"]:
        """The slide's vector; where the tiles lie does not matter."""
        weights = torch.softmax(self.attention_net(features), dim=1)
        return (weights * features).sum(dim=1)


def layout(content: Mapping[str, Any]) -> State:
    """CHIEF's file without its classifiers, its second attention head and its text branch."""
    return without(content, r"(classifiers|instance_classifiers|att_head|text_to_vision|organ_embedding)\b")
