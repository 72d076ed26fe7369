"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599): one number, fitted on samples outside the fit of the head.

Those are the validation side, or the held-out parts of inner folds by group, pooled over the folds. They are often
few, and on few samples the likelihood may have no maximum: where all of them are classified rightly it grows for ever
as the temperature falls, and where the scores tell nothing it grows as the temperature rises. So the temperature is the
maximum a posteriori under a log-normal prior about 1, whose weight does not grow with the samples (`PRIOR_DEVIATION`).
`python -m benchmarks.temperature` compares it with other rules; the figures are in `benchmarks/README.md`.

Some scores are not scaled: those of `simpleshot` and `retrieval`, which are shares of episodes and of neighbours and
whose results are their own metrics; those of `prototype_topk`, whose distances UNI gives as they are; those of
`label_efficiency`, whose subject is the course over shares of the labels (`linear` at one C is its last point); those
of `abmil` without a validation side and with keep=last, which would have to train once more; and those of `knn` at one
k, and of `linear`, `linear_uni`, `prototype` and `ridge` at one strength, where no folds can be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

SMALLEST = 1e-12  # probability that stands for zero where a head gives no larger one
PRIOR_DEVIATION = 1.0  # of the natural logarithm of the temperature: two thirds of the prior lie from 0.37 to 2.7
RANGE = (1 / 400, 400.0)
GRID = np.linspace(np.log(RANGE[0]), np.log(RANGE[1]), 61)


def fit_temperature(
    scores: Float[np.ndarray, "sample class"], y_true: Int[np.ndarray, " sample"], floor: float = SMALLEST
) -> float:
    """The temperature in `RANGE` that is the most probable after these samples.

    It has the least sum of the samples' negative log-likelihoods and of log(T)^2 / (2 `PRIOR_DEVIATION`^2), which is 0
    at T = 1. So these samples are never less likely by the scaled scores than by the scores themselves, both with the
    same floor.

    Parameters
    ----------
    scores
        Class probabilities or vote shares, rows sum to 1.
    floor
        What stands for a smaller score, above 0.
    """
    from scipy.optimize import minimize_scalar

    log_p = np.log(np.maximum(scores, floor))
    own = np.arange(len(y_true))

    def loss(log_t: float) -> float:
        logits = log_p * np.exp(-log_t)
        nll = np.logaddexp.reduce(logits, axis=1) - logits[own, y_true]
        return float(nll.sum() + 0.5 * (log_t / PRIOR_DEVIATION) ** 2)

    near = int(np.argmin([loss(log_t) for log_t in GRID]))  # there may be two valleys
    bounds = GRID[max(0, near - 1)], GRID[min(len(GRID) - 1, near + 1)]
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def temperature_info(
    scores: Float[np.ndarray, "sample class"], y_true: Int[np.ndarray, " sample"], floor: float = SMALLEST
) -> dict[str, Any]:
    """The temperature and the number of samples that it was fitted on, as `Predictions.info` has them.

    With a floor, `temperature_floor` is the one to scale with. Where the samples are less likely by the scaled scores
    than by the scores as they are, as where no sample's own class lacks votes, nothing is scaled: the temperature is 1
    and the floor `SMALLEST`.
    """
    info: dict[str, Any] = {"temperature": fit_temperature(scores, y_true, floor), "temperature_samples": len(y_true)}
    if floor == SMALLEST:
        return info
    own = np.arange(len(y_true)), y_true
    after = np.log(scaled(scores, info["temperature"], floor)[own]).sum()
    if after < np.log(np.maximum(scores[own], SMALLEST)).sum():
        info["temperature"], floor = 1.0, SMALLEST
    return {**info, "temperature_floor": floor}


def notes_on_temperature(info: Mapping[str, Any]) -> list[str]:
    """A note where the temperature lies at an end of `RANGE`, so that the prior did not decide it."""
    temperature = info.get("temperature", 1.0)
    if 1.01 * RANGE[0] < temperature < 0.99 * RANGE[1]:
        return []
    return [
        f"the temperature {temperature:.3g} lies at the end of its range, {RANGE[0]:g} to {RANGE[1]:g}: the scaled "
        "scores say little of the calibration"
    ]


def scaled(
    scores: Float[np.ndarray, "sample class"], temperature: float, floor: float = SMALLEST
) -> Float[np.ndarray, "sample class"]:
    """Class probabilities whose logits are divided by the temperature; the order of the classes stays.

    `floor` is as in `fit_temperature`; scores below it are taken for equal.
    """
    logits = np.log(np.maximum(scores, floor)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
