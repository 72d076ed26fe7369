"""TransMIL (Shao et al. 2021, arXiv:2106.00908): a transformer over the tiles with Nyström attention."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.protocols.networks.base import AnyTarget, Output
from bench.protocols.settings import DROPOUT, FROM_ONE, check_settings
from registry.errors import UserError

HEADS = 8


@dataclass
class Settings(AnyTarget):
    """Settings of TransMIL and of its training."""

    network: str = "transmil"
    dim: int = 512
    dropout: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, dim=FROM_ONE, dropout=DROPOUT)
        if self.dim % HEADS:
            raise UserError(
                f"dim={self.dim} of the abmil head must be a multiple of transmil's {HEADS} attention heads."
            )

    def build(self, features: int, logits: int) -> nn.Module:
        """The network, as `NetworkSettings.build` describes it."""
        return TransMIL(features, logits, dim=self.dim, dropout=self.dropout)


class TransMIL(nn.Module):
    """Tiles padded to a square, a class token, two Nyström layers with a convolutional position code between them.

    The attention reported is the second layer's from the class token to the tiles, averaged over heads and normalised;
    Nyström weights may be negative and count as zero.
    """

    def __init__(self, features: int, logits: int, *, dim: int = 512, dropout: float = 0.1) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(features, dim), nn.ReLU())
        self.token = nn.Parameter(torch.randn(1, dim))
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(3)])
        layers = [NystromAttention(dim, landmarks=dim // 2, dropout=dropout) for _ in range(2)]
        self.layers = nn.ModuleList(layers)
        self.position = nn.ModuleList([nn.Conv2d(dim, dim, k, padding=k // 2, groups=dim) for k in (7, 5, 3)])
        self.classify = nn.Linear(dim, logits)

    def forward(self, tiles: Tensor, bag: Tensor, bags: int, labels: Tensor | None = None) -> Output:
        outputs = [self._one(tiles[bag == b]) for b in range(bags)]
        attention = torch.zeros(len(tiles), device=tiles.device)
        for b, (_, weights) in enumerate(outputs):
            attention[bag == b] = weights.float()
        return Output(torch.stack([logits for logits, _ in outputs]).float(), attention)

    def _one(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        h = self.embed(tiles)
        n, side = len(h), math.ceil(math.sqrt(len(h)))
        h = torch.cat([self.token.to(h.dtype), h, h[: side * side - n]])
        h = h + self.layers[0](self.norms[0](h))[0]
        grid = h[1:].T.reshape(1, -1, side, side)
        placed = grid + torch.stack([conv(grid) for conv in self.position]).sum(0)
        h = torch.cat([h[:1], placed.flatten(2)[0].T])
        mixed, weights = self.layers[1](self.norms[1](h))
        of_tiles = weights[1 : n + 1].clamp_min(0)
        total = of_tiles.sum()
        share = torch.where(total > 0, of_tiles / total.clamp_min(1e-12), torch.full_like(of_tiles, 1 / n))
        return self.classify(self.norms[2](h + mixed)[0]), share


class NystromAttention(nn.Module):
    """Self-attention through landmarks (Xiong et al. 2021, arXiv:2102.03902).

    softmax(Q K') is replaced by softmax(Q L_K') pinv(softmax(L_Q L_K')) softmax(L_Q K'), L being means of consecutive
    tokens, with the paper's sixth-order iteration for the pseudo-inverse and a depthwise convolution of the values
    added. Tokens of zeros stand before the others, so that their number is a multiple of the landmarks'; they are
    attended to, as in the authors' code.
    """

    def __init__(self, dim: int, *, heads: int = HEADS, landmarks: int = 256, dropout: float = 0.1) -> None:
        super().__init__()
        self.heads, self.landmarks = heads, landmarks
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.convolution = nn.Conv2d(heads, heads, (33, 1), padding=(16, 0), groups=heads, bias=False)
        self.out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mixed tokens [N, dim] and the attention [N] of the first token to all."""
        n, dim = x.shape
        group = math.ceil(n / self.landmarks)
        front = group * self.landmarks - n
        q, k, v = (
            nn.functional.pad(part, (0, 0, front, 0)).view(-1, self.heads, dim // self.heads).transpose(0, 1)
            for part in self.qkv(x).chunk(3, dim=1)
        )
        q = q * (dim // self.heads) ** -0.5
        q_marks, k_marks = (part.unflatten(1, (self.landmarks, group)).mean(2) for part in (q, k))
        to_marks = torch.softmax((q @ k_marks.transpose(1, 2)).float(), -1)
        between = torch.softmax((q_marks @ k_marks.transpose(1, 2)).float(), -1)
        from_marks = torch.softmax((q_marks @ k.transpose(1, 2)).float(), -1)
        inverse = pseudo_inverse(between)
        mixed = to_marks @ (inverse @ (from_marks @ v.float())) + self.convolution(v[None])[0].float()
        first = (to_marks[:, front : front + 1] @ inverse @ from_marks)[:, 0, front:].mean(0)
        return self.out(mixed.transpose(0, 1).flatten(1).to(x.dtype))[front:], first


def pseudo_inverse(a: Tensor, iterations: int = 6) -> Tensor:
    """Moore-Penrose inverse by Xiong et al.'s iteration, from A' / (|A|_1 |A|_inf)."""
    identity = torch.eye(a.shape[-1], device=a.device, dtype=a.dtype)
    z = a.transpose(1, 2) / (a.abs().sum(1).amax() * a.abs().sum(2).amax())
    for _ in range(iterations):
        az = a @ z
        z = 0.25 * z @ (13 * identity - az @ (15 * identity - az @ (7 * identity - az)))
    return z
