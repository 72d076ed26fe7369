"""The optimisers of MIL networks by name, each built for the parameters of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

SLOW_STEPS, SLOW_SHARE = 6, 0.5


class LookaheadRAdam(torch.optim.RAdam):
    """RAdam whose weights go half of the way back to slow weights after every sixth step.

    This is the Lookahead optimiser (Zhang et al. 2019, arXiv:1907.08610) as the code of TransMIL has it: the slow
    weights start as the weights after the sixth step, so that the first return is after the twelfth.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._steps = 0
        self._slow: list[Tensor] = []

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of RAdam, and the return to the slow weights where it is due."""
        loss = super().step(closure)
        self._steps += 1
        if self._steps % SLOW_STEPS == 0:
            fast = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
            if not self._slow:
                self._slow = [p.clone() for p in fast]
            for slow, p in zip(self._slow, fast, strict=True):
                slow.add_(p - slow, alpha=SLOW_SHARE)
                p.copy_(slow)
        return loss


def _matrices_decayed(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    plain = [p for p in network.parameters() if p.ndim == 1]
    decayed = [p for p in network.parameters() if p.ndim != 1]
    return [{"params": plain, "weight_decay": 0.0}, {"params": decayed, "weight_decay": decay}]


def _lookahead_radam(
    network: nn.Module, rate: float, decay: float, betas: tuple[float, float]
) -> torch.optim.Optimizer:
    return LookaheadRAdam(_matrices_decayed(network, decay), lr=rate, betas=betas, decoupled_weight_decay=True)


def _adam(network: nn.Module, rate: float, decay: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay, betas=betas)


def _adamw(network: nn.Module, rate: float, decay: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, betas=betas)


def _adamw_matrices(network: nn.Module, rate: float, decay: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(_matrices_decayed(network, decay), lr=rate, betas=betas)


OPTIMISERS: dict[str, Callable[[nn.Module, float, float, tuple[float, float]], torch.optim.Optimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "adamw_matrices": _adamw_matrices,
    "lookahead_radam": _lookahead_radam,
}
"""A network, the learning rate, the weight decay and Adam's two betas in; the optimiser out.

`lookahead_radam` decays matrices and kernels alone, no biases and no scales of norms, as the code of TransMIL does, and
`adamw_matrices` as that of PANTHER does.
"""
