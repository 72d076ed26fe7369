"""Cox regression with a squared penalty alone, by Newton's method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

TOLERANCE = 1e-9  # of the relative change of the loss, as scikit-survival's


class Fitted(NamedTuple):
    """Weights [D], and whether the loss came to rest before the iterations ended."""

    weights: Float[np.ndarray, " feature"]
    converged: bool


def fit_squared_penalty(
    x: Float[np.ndarray, "sample feature"], y: Float[np.ndarray, "sample 2"], alpha: float, max_iter: int
) -> Fitted:
    """The weights that minimise the negative log partial likelihood + alpha / 2 x |w|^2, ties as Breslow has them.

    The loss is that of scikit-survival's ``CoxPHSurvivalAnalysis(alpha)``, and so are the steps from w = 0, the halving
    of steps that raise the loss, and the end. They are taken in the space that the samples span, where the minimum
    lies, so that a step costs the cube of the number of samples at most, however many features there are.
    Weights that grow without an end are given as they are when the iterations end.

    Parameters
    ----------
    y : times above 0 and events (1) or censorings (0), of which one at least is an event
    alpha : above 0
    """
    axes = None
    if x.shape[1] > x.shape[0]:
        axes, coordinates = np.linalg.qr(x.T)
        x = coordinates.T
    likelihood = _Likelihood.of(x, y)
    w = before = np.zeros(x.shape[1])
    loss, converged = math.inf, False
    for _ in range(max_iter):
        with np.errstate(all="ignore"):  # of weights that grow until they overflow, whose loss is not finite
            gradient, hessian = likelihood.derivatives(w)
            hessian[np.diag_indices_from(hessian)] += alpha
            proposed = w - np.linalg.solve(hessian, gradient + alpha * w)
            proposed_loss = likelihood.loss(proposed) + alpha / 2 * float(proposed @ proposed)
        if not proposed_loss <= loss:
            w = (before + w) / 2
            loss = likelihood.loss(w) + alpha / 2 * float(w @ w)
            continue
        before, w = w, proposed
        converged = math.isfinite(loss) and abs(loss - proposed_loss) < TOLERANCE * abs(loss)
        if converged:
            break
        loss = proposed_loss
    return Fitted(w if axes is None else axes @ w, converged)


@dataclass(frozen=True)
class _Likelihood:
    """The samples from the latest time to the first, so that those at risk at a time are the first ones.

    Attributes
    ----------
    x, event : of each sample
    last : of each event, the last sample with its time
    """

    x: Float[np.ndarray, "sample feature"]
    event: np.ndarray
    last: Int[np.ndarray, " event"]

    @classmethod
    def of(cls, x: Float[np.ndarray, "sample feature"], y: Float[np.ndarray, "sample 2"]) -> _Likelihood:
        order = np.argsort(-y[:, 0], kind="stable")
        time, event = y[order, 0], y[order, 1] > 0
        last = np.searchsorted(-time, -time[event], side="right") - 1
        return cls(x[order], event, last)

    def loss(self, w: Float[np.ndarray, " feature"]) -> float:
        """The negative log partial likelihood."""
        risk = self.x @ w
        return float((np.logaddexp.accumulate(risk)[self.last] - risk[self.event]).sum())

    def derivatives(
        self, w: Float[np.ndarray, " feature"]
    ) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, "feature feature"]]:
        """Gradient and Hessian of the loss."""
        risk = self.x @ w
        hazard = np.exp(risk - risk.max())
        at_risk = np.cumsum(hazard)[self.last]
        means = np.cumsum(hazard[:, None] * self.x, axis=0)[self.last] / at_risk[:, None]
        each = np.bincount(self.last, 1 / at_risk, minlength=len(risk))
        weight = hazard * np.cumsum(each[::-1])[::-1]  # of a sample, over the events at which it is at risk
        gradient = weight @ self.x - self.x[self.event].sum(axis=0)
        return gradient, (self.x * weight[:, None]).T @ self.x - means.T @ means
