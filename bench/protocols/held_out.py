"""What is fitted to scores of samples outside the fit of a head: its temperature, and thresholds of two classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.base import Samples
from bench.protocols.selection import InnerCV
from bench.protocols.temperature import SMALLEST, temperature_info
from bench.protocols.thresholds import operating_thresholds


def held_out_info(
    scores: Float[np.ndarray, "sample class"], y_true: Int[np.ndarray, " sample"], floor: float = SMALLEST
) -> dict[str, Any]:
    """For `Predictions.info`: `temperature_info`, to which `floor` belongs, and `operating_thresholds`."""
    return temperature_info(scores, y_true, floor) | operating_thresholds(scores, y_true)


def held_out_info_of(
    choice: InnerCV | None,
    n_classes: int,
    predict: Callable[[Samples, Samples], Float[np.ndarray, "query class"]],
) -> dict[str, Any]:
    """`held_out_info` of a head that chooses nothing, from its scores of samples that it was not fitted on.

    Parameters
    ----------
    choice
        The validation side or inner folds; None where there can be none.
    predict
        Scores of its second argument by the head that is fitted on its first.

    Returns
    -------
    dict
        Empty without a choice.
    """
    if choice is None:
        return {}
    samples, mask = choice.samples, choice.validation_mask
    out_of_fold_scores = np.zeros((len(samples), n_classes))
    for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
        out_of_fold_scores[held_out] = predict(samples.take(fit), samples.take(held_out))
    return held_out_info(out_of_fold_scores[mask], samples.labels[mask])
