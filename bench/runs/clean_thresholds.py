"""How far the thresholds of a head would have to move from clean tiles to others to keep their specificity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bench.protocols import Predictions, threshold_at_specificity


@dataclass(frozen=True)
class CleanThreshold:
    """A threshold of a head on clean test tiles.

    Attributes
    ----------
    specificity : float
        What the head's own threshold has on them.
    score : float
        The threshold that has this specificity on them: the head's own but for ties.
    """

    specificity: float
    score: float


def clean_thresholds(predictions: Predictions) -> dict[str, CleanThreshold]:
    """Of two classes, each threshold of the head on these samples, which are the clean ones."""
    score, negative = _score(predictions), predictions.y_true == 0
    found = {}
    for name, own in predictions.info.get("thresholds", {}).items():
        if score is None or own is None or not negative.any():
            continue
        specificity = float((score[negative] < own).mean())
        placed = threshold_at_specificity(score, predictions.y_true, specificity)
        if placed is not None:
            found[name] = CleanThreshold(specificity, placed)
    return found


def threshold_shift(predictions: Predictions, clean: Mapping[str, CleanThreshold]) -> dict[str, float]:
    """By how much each threshold would have to move from clean samples to these to keep its specificity.

    Thresholds are scores of class 1; on the clean samples themselves all shifts are 0.
    """
    score = _score(predictions)
    if score is None:
        return {}
    found = {}
    for name, own in clean.items():
        moved = threshold_at_specificity(score, predictions.y_true, own.specificity)
        if moved is not None:
            found[name] = moved - own.score
    return found


def _score(predictions: Predictions) -> Float[np.ndarray, " sample"] | None:
    return predictions.scores[:, 1] if predictions.scores.shape[1] == 2 else None
