"""Ridge regression: every strength from one decomposition, the strength chosen without the test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_labels, check_targets
from bench.protocols.held_out import held_out_info
from bench.protocols.hest_features import prepared
from bench.protocols.scaling import OVERFLOW, deviation, finite, spread
from bench.protocols.selection import InnerCV, candidate_scores, inner_cv, inner_cv_where_possible, notes_on_end, pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings
from bench.protocols.temperature import SMALLEST, scaled
from registry.errors import UserError

KINDS = ("regression", "ordinal")
HALF_A_GRADE = 0.5  # the deviation of values about their grades where nothing is known of it
PRIOR_SAMPLES = 2


@dataclass
class Config:
    """Settings of the ridge head.

    Attributes
    ----------
    alpha_min, alpha_max, n_strengths
        scikit-learn's alpha: this many values, evenly spaced in the logarithm.
    standardise
        Divide each feature by its deviation over the samples that are fitted.
    pca
        Principal components of the samples that are fitted, as HEST-bench has them (`bench.protocols.hest_features`);
        null projects nothing.
    """

    alpha_min: float = 1e-3
    alpha_max: float = 1e6
    n_strengths: int = 46
    standardise: bool = True
    pca: int | None = None

    def __post_init__(self) -> None:
        check_settings("ridge", self, alpha_min=POSITIVE, alpha_max=POSITIVE, n_strengths=FROM_ONE, pca=FROM_ONE)
        if self.alpha_min > self.alpha_max:
            raise UserError(
                f"alpha_min={self.alpha_min} of the ridge head is above alpha_max={self.alpha_max}: exchange them."
            )


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Choose alpha by the metric that the task is ranked by, on held-out samples (of equals, the largest), and refit.

    Where that metric is undefined, as where one patient with one value validates, the squared error decides, each
    target in units of its deviation over all samples.

    Grades are numbers from 0 to C-1, and `grade_probabilities` makes probabilities of a predicted value. The held-out
    values at the chosen alpha give the deviation about the true grade that it takes (`info.residual_deviation`; half a
    grade where no folds can be made), and then the temperature.

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
            out_of_fold_values[:, held_out] = _predicted(x[fit], y[fit], x[held_out], alphas, config)
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
    queries = test.features.astype(np.float64)
    values = finite(_predicted(x, y, queries, alphas[chosen : chosen + 1], config)[0])
    if not grades:
        return Predictions.of(test, values, info)
    calibrated, info["residual_deviation"] = None, HALF_A_GRADE
    if choice:
        held_out_values, labels = out_of_fold_values[chosen, mask, 0], samples.labels[mask]
        info["residual_deviation"] = residual_deviation(held_out_values, labels, grades)
        info |= held_out_info(grade_probabilities(held_out_values, grades, info["residual_deviation"]), labels)
    scores = grade_probabilities(values[:, 0], grades, info["residual_deviation"])
    if choice:
        calibrated = scaled(scores, info["temperature"])
    return Predictions.of(test, scores, info, calibrated=calibrated)


def _predicted(
    x: Float[np.ndarray, "sample feature"],
    y: Float[np.ndarray, "sample target"],
    queries: Float[np.ndarray, "query feature"],
    alphas: Float[np.ndarray, " strength"],
    config: Config,
) -> Float[np.ndarray, "strength query target"]:
    """What the regression at each strength predicts for the queries."""
    if config.pca is None:
        return Ridge.fit(x, y, alphas, standardise=config.standardise).predict(queries)
    x, queries = prepared(x, queries, config.pca, standardise=config.standardise)
    return Ridge.fit(x.astype(np.float64), y, alphas).predict(queries.astype(np.float64))


def _held_out_metric(
    samples: Samples,
    rows: Bool[np.ndarray, " sample"],
    predicted: Float[np.ndarray, "strength row target"],
    unit: Float[np.ndarray, " target"],
    grades: int,
) -> Float[np.ndarray, " strength"]:
    """The metric that the task is ranked by, on the held-out values of each strength."""
    if grades:
        labels = samples.labels[rows]
        probabilities = (
            grade_probabilities(values, grades, residual_deviation(values, labels, grades))
            for values in predicted[:, :, 0]
        )
        return candidate_scores(labels, probabilities, kind="ordinal", metric=samples.metric)
    if samples.metric == "mae":  # the other metrics do not depend on the unit of a target
        unit = np.ones_like(unit)
    return candidate_scores(
        targets(samples)[rows] / unit, (values / unit for values in predicted), kind="regression", metric=samples.metric
    )


def grade_probabilities(
    values: Float[np.ndarray, " sample"], grades: int, deviation: float
) -> Float[np.ndarray, "sample grade"]:
    """The probability of each grade after a predicted value, clipped to 0..C-1.

    The values of samples of grade k are taken to be normal about k with one deviation for all grades, and all grades to
    be equally probable before, as in linear discriminant analysis (Hastie et al. 2009, section 4.3): P(k) is
    proportional to exp(-(value - k)^2 / (2 deviation^2)). The nearest grade has the largest probability whatever the
    deviation is. Thresholds at k + 1/2, as in the ordered probit model (McCullagh 1980), would give the first and the
    last grade all that lies beyond them, and so call many values of 0.6 a grade of 0.

    Parameters
    ----------
    deviation
        Above 0, in grades.

    Returns
    -------
    array
        Rows sum to 1, and no probability is 0.
    """
    distance = np.clip(values, 0, grades - 1)[:, None] - np.arange(grades)
    squares = distance**2
    odds = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * deviation**2))
    odds = np.maximum(odds, SMALLEST)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def residual_deviation(values: Float[np.ndarray, " sample"], labels: Int[np.ndarray, " sample"], grades: int) -> float:
    """Root mean square of held-out values, clipped to 0..C-1, about their grades.

    `PRIOR_SAMPLES` residuals of half a grade are added, so that a few values that happen to be right do not make it 0.
    """
    squares = (np.clip(values, 0, grades - 1) - labels) ** 2
    return float(np.sqrt((squares.sum() + PRIOR_SAMPLES * HALF_A_GRADE**2) / (len(labels) + PRIOR_SAMPLES)))


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
