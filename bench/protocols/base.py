"""What a protocol is given and what it gives back: arrays, never an encoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Samples:
    """The labelled features of one side of a split.

    Attributes
    ----------
    ids, groups : str arrays [N]
        Identity of each sample, and the unit (patient) that must not be split.
    features : float32 [N, D]
    labels : int64 [N]
        Class indices, 0..C-1.
    """

    ids: np.ndarray
    groups: np.ndarray
    features: Float[np.ndarray, "sample feature"]
    labels: Int[np.ndarray, " sample"]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Predictions:
    """What a head says of the test samples. Every score is computed from these.

    Attributes
    ----------
    ids, groups : str arrays [N]
    y_true : int64 [N]
    scores : float64 [N, C]
        Class probabilities or votes, rows sum to 1.
    info : dict
        What was chosen and how it went, JSON values (strength, k, gradient norm).
    """

    ids: np.ndarray
    groups: np.ndarray
    y_true: Int[np.ndarray, " sample"]
    scores: Float[np.ndarray, "sample class"]
    info: dict[str, Any] = field(default_factory=dict)


class FitPredict(Protocol):
    """The one function of a protocol: pure, deterministic, the test labels are only passed through."""

    def __call__(
        self, train: Samples, val: Samples | None, test: Samples, config: Any, seed: int
    ) -> Predictions: ...
