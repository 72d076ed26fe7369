"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599): one number, fitted on samples the head was not fitted on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

SMALLEST = 1e-12  # probability that stands for zero, so that a vote share of 0 has a logarithm
RANGE = (0.02, 50.0)


def fit_temperature(scores: Float[np.ndarray, "sample class"], y_true: Int[np.ndarray, " sample"]) -> float:
    """The temperature in `RANGE` with the least negative log-likelihood, which is convex in its inverse.

    1.0 where scaling does not lower it.
    """
    from scipy.optimize import minimize_scalar

    log_p = np.log(np.maximum(scores, SMALLEST))

    def nll(inverse: float) -> float:
        logits = log_p * inverse
        return float(np.mean(np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y_true)), y_true]))

    found = minimize_scalar(nll, bounds=(1 / RANGE[1], 1 / RANGE[0]), method="bounded", options={"xatol": 1e-9})
    return float(1 / found.x) if found.fun < nll(1.0) else 1.0


def scaled(scores: Float[np.ndarray, "sample class"], temperature: float) -> Float[np.ndarray, "sample class"]:
    """Class probabilities whose logits are divided by the temperature; the order of the classes stays."""
    logits = np.log(np.maximum(scores, SMALLEST)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
