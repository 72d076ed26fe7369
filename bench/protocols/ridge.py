"""Ridge regression: every strength from one decomposition, the strength chosen without the test set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_labels, check_targets
from bench.protocols.selection import inner, pool
from registry.errors import UserError

KINDS = ("regression", "ordinal")


@dataclass
class Config:
    """Settings of the ridge head.

    Attributes
    ----------
    alpha_min, alpha_max, n_strengths
        scikit-learn's alpha: this many values, evenly spaced in the logarithm.
    standardise
        Divide each feature by its deviation over the samples that are fitted.
    """

    alpha_min: float = 1e-3
    alpha_max: float = 1e6
    n_strengths: int = 46
    standardise: bool = True


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Choose alpha by the held-out R2, averaged over targets (of equals, the largest), refit, predict values.

    Grades are numbers from 0 to C-1; a predicted value is shared between its neighbouring grades (`shared`).

    Raises
    ------
    UserError
        Features or targets that are not finite or constant, a grade that is absent, or folds that cannot be made.
    """
    grades = check_labels(train, val, test) if train.kind == "ordinal" else 0
    check_targets(train, val, test)
    if not 0 < config.alpha_min <= config.alpha_max or config.n_strengths < 1:
        raise UserError("The ridge head needs 0 < alpha_min <= alpha_max and n_strengths >= 1.")
    alphas = np.logspace(np.log10(config.alpha_min), np.log10(config.alpha_max), config.n_strengths)
    samples = pool(train, val)
    x, y = samples.features.astype(np.float64), targets(samples)
    info: dict[str, object] = {"alpha": float(alphas[-1])}
    chosen = len(alphas) - 1
    if len(alphas) > 1:
        choice = inner(train, val, seed)
        unseen = np.zeros((len(alphas), *y.shape))
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            fitted = Ridge.fit(x[fit], y[fit], alphas, standardise=config.standardise)
            unseen[:, held_out] = fitted.predict(x[held_out])
        judged = choice.judged
        spread = ((y[judged] - y[judged].mean(axis=0)) ** 2).sum(axis=0)
        errors = ((unseen[:, judged] - y[judged]) ** 2).sum(axis=1)
        r2 = (1 - errors[:, spread > 0] / spread[spread > 0]).mean(axis=1)
        chosen = int(np.flatnonzero(r2 == r2.max())[-1])
        info = {
            "alpha": float(alphas[chosen]),
            "alpha_at_edge": chosen in (0, len(alphas) - 1),
            "chosen_by": choice.by,
            "alphas": alphas.tolist(),
            "validation_r2": r2.tolist(),
        }
    final = Ridge.fit(x, y, alphas[chosen : chosen + 1], standardise=config.standardise)
    values = final.predict(test.features.astype(np.float64))[0]
    return Predictions.of(test, shared(values[:, 0], grades) if grades else values, info)


def shared(values: Float[np.ndarray, " sample"], grades: int) -> Float[np.ndarray, "sample grade"]:
    """Each value, clipped to 0..C-1, shared between its two neighbouring grades: 1.25 is 0.75 of 1 and 0.25 of 2.

    Rows sum to 1, the expected grade is the clipped value, and the largest share is that of the nearest grade.
    """
    clipped = np.clip(values, 0, grades - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(clipped[:, None] - np.arange(grades))))


def targets(samples: Samples) -> Float[np.ndarray, "sample target"]:
    """Labels as float columns."""
    return np.asarray(samples.labels.reshape(len(samples), -1), dtype=np.float64)


@dataclass(frozen=True)
class Ridge:
    """Fitted weights [A, D, T] and intercepts [A, T], one for each strength."""

    weights: Float[np.ndarray, "strength feature target"]
    intercept: Float[np.ndarray, "strength target"]

    @classmethod
    def fit(
        cls,
        x: Float[np.ndarray, "sample feature"],
        y: Float[np.ndarray, "sample target"],
        alphas: Float[np.ndarray, " strength"],
        *,
        intercept: bool = True,
        standardise: bool = False,
    ) -> Ridge:
        """Minimise |y - x w - b|^2 + alpha |w|^2 for each alpha; b is free, or absent."""
        centre, level = (x.mean(axis=0), y.mean(axis=0)) if intercept else (np.zeros(x.shape[1]), np.zeros(y.shape[1]))
        x = x - centre
        scale = np.ones(x.shape[1])
        if standardise:
            scale = x.std(axis=0)
            scale[scale == 0] = 1
            x = x / scale
        wide = len(x) <= x.shape[1]
        values, axes = np.linalg.eigh(x @ x.T if wide else x.T @ x)
        shrunk = 1 / (values + alphas[:, None])[:, :, None]
        if wide:
            weights = x.T @ (axes @ (shrunk * (axes.T @ (y - level))))
        else:
            weights = axes @ (shrunk * (axes.T @ (x.T @ (y - level))))
        weights = weights / scale[:, None]
        return cls(weights, level - centre @ weights)

    def predict(self, x: Float[np.ndarray, "sample feature"]) -> Float[np.ndarray, "strength sample target"]:
        return np.asarray(x @ self.weights + self.intercept[:, None])
