"""CLAM's `mil`: each tile is classified alone, and the bag has the logits of one tile."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bench.protocols.networks.base import NetworkSettings, Output
from bench.protocols.settings import DROPOUT, FROM_ONE, check_settings


@dataclass
class Settings(NetworkSettings):
    """Settings of the layer before the classifier and of the training; the network takes classes and grades alone."""

    network: str = "mil_fc"
    dim: int = 512
    dropout: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, dim=FROM_ONE, dropout=DROPOUT)

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return MilFC(features, logits, dim=self.dim, dropout=self.dropout)


class MilFC(nn.Module):
    """Of two classes the tile that is most probably of the second counts, of more the tile that is surest of any class.

    The reported attention is 1 at that tile.
    """

    def __init__(self, features: int, logits: int, *, dim: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(features, dim), nn.ReLU(), nn.Dropout(dropout))
        self.classify = nn.Linear(dim, logits)

    def forward(
        self, tiles: Float[Tensor, "tile feature"], bag: Int[Tensor, " tile"], bags: int, labels: Tensor | None = None
    ) -> Output:
        logits = self.classify(self.embed(tiles)).float()
        probable = torch.softmax(logits, dim=1)
        sure = probable[:, 1] if logits.shape[1] == 2 else probable.amax(1)
        inside = torch.arange(bags, device=bag.device)[:, None] == bag
        tile = sure.masked_fill(~inside, -torch.inf).argmax(1)
        return Output(logits[tile], torch.zeros(len(tiles), device=tiles.device).index_fill(0, tile, 1.0))
