"""Predictions for the test samples of all folds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Shaped


@dataclass(frozen=True)
class Predicted:
    """What a head predicts for the test samples of all folds.

    Attributes
    ----------
    ids, groups : str arrays [N]
    y_true, scores : arrays [N, ...]
        As of `bench.protocols.Predictions`.
    folds : int [N]
        The fold that tested each sample; empty where there is one test set.
    """

    ids: np.ndarray
    groups: np.ndarray
    y_true: Shaped[np.ndarray, "sample ..."]
    scores: Float[np.ndarray, "sample column"]
    folds: Shaped[np.ndarray, " sample"] = field(default_factory=lambda: np.zeros(0, np.int64))

    def ordered(self) -> Predicted:
        """The same in the order of the ids."""
        order = np.argsort(self.ids, kind="stable")
        folds = self.folds[order] if len(self.folds) else np.zeros(len(order), np.int64)
        return Predicted(self.ids[order], self.groups[order], self.y_true[order], self.scores[order], folds)
