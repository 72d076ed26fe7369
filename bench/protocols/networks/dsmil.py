"""DSMIL (Li, Li, Eliceiri 2021, arXiv:2011.08939): a critical tile for each class, attention to similar tiles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.protocols.networks.base import AnyTarget, Output
from bench.protocols.settings import DROPOUT, FROM_ONE, check_settings

QUERY = 128


@dataclass
class Settings(AnyTarget):
    """Settings of DSMIL and of its training."""

    network: str = "dsmil"
    dim: int = 512
    dropout: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, dim=FROM_ONE, dropout=DROPOUT)

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return DSMIL(features, logits, dim=self.dim, dropout=self.dropout)


class DSMIL(nn.Module):
    """Two streams, the highest tile logit and the attention-pooled bag; the prediction is their mean.

    For class c with the critical tile m = argmax_n of its tile logits: a_n proportional to exp(q_n' q_m / sqrt(d)),
    b_c = sum_n a_n v_n, and the bag's logits are a linear map of all b_c together.
    """

    def __init__(self, features: int, logits: int, *, dim: int = 512, dropout: float = 0.0) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(features, dim), nn.ReLU())
        self.instance = nn.Linear(dim, logits)
        self.query = nn.Linear(dim, QUERY)
        self.value = nn.Sequential(nn.Dropout(dropout), nn.Linear(dim, dim))
        self.bag = nn.Linear(logits * dim, logits)

    def forward(self, tiles: Tensor, bag: Tensor, bags: int, labels: Tensor | None = None) -> Output:
        outputs = [self._one(tiles[bag == b]) for b in range(bags)]
        attention = torch.zeros(len(tiles), device=tiles.device)
        for b, (_, weights) in enumerate(outputs):
            attention[bag == b] = weights.float()
        return Output(torch.stack([logits for logits, _ in outputs]).float(), attention)

    def _one(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        h = self.embed(tiles)
        instance = self.instance(h)
        critical = instance.argmax(0)
        queries = self.query(h)
        attention = torch.softmax((queries @ queries[critical].T).float() / queries.shape[1] ** 0.5, dim=0)
        pooled = attention.T.to(h.dtype) @ self.value(h)
        logits = 0.5 * (instance.amax(0) + self.bag(pooled.flatten()))
        return logits, attention.mean(1)
