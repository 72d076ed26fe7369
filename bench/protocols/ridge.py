"""Ridge regression: every strength from one decomposition, the strength chosen without the test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_labels, check_targets
from bench.protocols.scaling import OVERFLOW, deviation, finite, spread
from bench.protocols.selection import InnerCV, candidate_scores, inner_cv, inner_cv_where_possible, notes_on_end, pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings
from bench.protocols.temperature import fit_temperature, scaled
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

    def __post_init__(self) -> None:
        check_settings("ridge", self, alpha_min=POSITIVE, alpha_max=POSITIVE, n_strengths=FROM_ONE)
        if self.alpha_min > self.alpha_max:
            raise UserError(
                f"alpha_min={self.alpha_min} of the ridge head is above alpha_max={self.alpha_max}: exchange them."
            )


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Choose alpha by the metric that the task is ranked by, on held-out samples (of equals, the largest), and refit.

    Where that metric is undefined, as where one patient with one value validates, the squared error decides, each
    target in units of its deviation over all samples.

    Grades are numbers from 0 to C-1; a predicted value is shared between its neighbouring grades (`shared`), and the
    held-out values at the chosen alpha, shared alike, give the temperature.

    Raises
    ------
    UserError
        Features or targets that are not finite or constant, a grade that is absent, folds that cannot be made, or
        numbers so large that the fit overflows.
    """
    grades = check_labels(train, val, test) if train.kind == "ordinal" else 0
    check_targets(train, val, test)
    alphas = np.logspace(np.log10(config.alpha_min), np.log10(config.alpha_max), config.n_strengths)
    info: dict[str, Any] = {"alpha": float(alphas[-1])}
    chosen = len(alphas) - 1
    choice: InnerCV | None = None
    if len(alphas) > 1 or grades:
        choice = (inner_cv if len(alphas) > 1 else inner_cv_where_possible)(train, val, seed)
    samples = choice.samples if choice else pool(train, val)
    x, y = samples.features.astype(np.float64), targets(samples)
    if choice:
        out_of_fold_values = np.zeros((len(alphas), *y.shape))
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            fitted = Ridge.fit(x[fit], y[fit], alphas, standardise=config.standardise)
            out_of_fold_values[:, held_out] = fitted.predict(x[held_out])
        mask = choice.validation_mask
    if choice and len(alphas) > 1:
        predicted, by = out_of_fold_values[:, mask], "metric"
        unit = deviation(y)  # so that squares neither overflow nor vanish
        value = np.full(len(alphas), np.nan)
        if np.isfinite(predicted).all():
            value = _held_out_metric(samples, mask, predicted, unit, grades)
        if np.isnan(value).any():
            value = -(((predicted - y[mask]) / unit) ** 2).mean(axis=(1, 2))
            by = "squared_error"
        if not np.isfinite(value).any():
            raise UserError(OVERFLOW)
        chosen = int(np.flatnonzero(value == np.nanmax(value))[-1])
        info = {
            "alpha": float(alphas[chosen]),
            "chosen_by": choice.by,
            "alphas": alphas.tolist(),
            f"validation_{by}": (value if by == "metric" else -value).tolist(),
            "notes": notes_on_end(
                "alpha", alphas[chosen], alphas, "set alpha_min or alpha_max of the protocol beyond it"
            ),
        }
    final = Ridge.fit(x, y, alphas[chosen : chosen + 1], standardise=config.standardise)
    values = finite(final.predict(test.features.astype(np.float64))[0])
    if not grades:
        return Predictions.of(test, values, info)
    scores, calibrated = shared(values[:, 0], grades), None
    if choice:
        info["temperature"] = fit_temperature(shared(out_of_fold_values[chosen, mask, 0], grades), samples.labels[mask])
        calibrated = scaled(scores, info["temperature"])
    return Predictions.of(test, scores, info, calibrated=calibrated)


def _held_out_metric(
    samples: Samples,
    rows: Bool[np.ndarray, " sample"],
    predicted: Float[np.ndarray, "strength row target"],
    unit: Float[np.ndarray, " target"],
    grades: int,
) -> Float[np.ndarray, " strength"]:
    """The metric that the task is ranked by, on the held-out values of each strength."""
    if grades:
        shares = (shared(values[:, 0], grades) for values in predicted)
        return candidate_scores(samples.labels[rows], shares, kind="ordinal", metric=samples.metric)
    if samples.metric == "mae":  # the other metrics do not depend on the unit of a target
        unit = np.ones_like(unit)
    return candidate_scores(
        targets(samples)[rows] / unit, (values / unit for values in predicted), kind="regression", metric=samples.metric
    )


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
            scale = spread(x)
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
