"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599): one number, fitted on samples outside the fit of the head.

Those are the validation side, or the held-out parts of inner folds by group. Some scores are not scaled: those of
`simpleshot` and `retrieval`, which are shares of episodes and of neighbours and whose results are their own metrics;
those of `label_efficiency`, whose subject is the course over shares of the labels (`linear` at one C is its last
point); those of `abmil` without a validation side and with keep=last, which would have to train once more; and those of
`knn` at one k, and of `linear`, `linear_uni`, `prototype` and `ridge` at one strength, where no folds can be made.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.base import Samples
from bench.protocols.selection import InnerCV

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


def temperature_of(
    choice: InnerCV | None,
    n_classes: int,
    predict: Callable[[Samples, Samples], Float[np.ndarray, "query class"]],
) -> float | None:
    """The temperature of a head that chooses nothing: fitted to its scores of samples it was not fitted on.

    Parameters
    ----------
    choice
        The validation side or inner folds; None where there can be none.
    predict
        Scores of its second argument by the head that is fitted on its first.

    Returns
    -------
    float or None
        None without a choice.
    """
    if choice is None:
        return None
    samples, mask = choice.samples, choice.validation_mask
    out_of_fold_scores = np.zeros((len(samples), n_classes))
    for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
        out_of_fold_scores[held_out] = predict(samples.take(fit), samples.take(held_out))
    return fit_temperature(out_of_fold_scores[mask], samples.labels[mask])


def scaled(scores: Float[np.ndarray, "sample class"], temperature: float) -> Float[np.ndarray, "sample class"]:
    """Class probabilities whose logits are divided by the temperature; the order of the classes stays."""
    logits = np.log(np.maximum(scores, SMALLEST)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
