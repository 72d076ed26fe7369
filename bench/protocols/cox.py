"""Cox regression on vectors with an elastic net or a squared penalty, its strength chosen without the test set."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.metrics import brier_times, integrated_brier
from bench.protocols.base import Predictions, Samples
from bench.protocols.breslow import breslow_survival
from bench.protocols.checks import check_features
from bench.protocols.cox_newton import fit_squared_penalty
from bench.protocols.intervals import by_group
from bench.protocols.scaling import spread
from bench.protocols.selection import inner_cv, notes_on_end, pool
from bench.protocols.settings import FROM_ONE, POSITIVE, SHARE, check_settings
from bench.protocols.survival import check_survival, concordance, nothing_to_choose_by
from registry.errors import UserError

KINDS = ("survival",)


@dataclass
class Config:
    """Settings of the Cox head; the defaults are Patho-Bench's.

    Attributes
    ----------
    alphas
        Strengths of the penalty to choose from: with an `l1_ratio` above 0 those of scikit-survival's
        ``CoxnetSurvivalAnalysis``, whose loss is a mean over samples, and with 0 those of its
        ``CoxPHSurvivalAnalysis``, whose loss is a sum.
    l1_ratio
        Share of the absolute penalty, 0 to 1. 0 needs no scikit-survival (`bench.protocols.cox_newton`).
    standardise
        Divide each feature by its deviation over the samples that are fitted.
    """

    alphas: list[float] = field(default_factory=lambda: [0.01, 0.02, 0.07])
    l1_ratio: float = 0.5
    standardise: bool = False
    max_iter: int = 100_000

    def __post_init__(self) -> None:
        check_settings("cox", self, alphas=POSITIVE, l1_ratio=SHARE, max_iter=FROM_ONE)


def check(samples: Samples, config: Config) -> None:
    """Raise UserError where scikit-survival is needed and not installed."""
    if config.l1_ratio and importlib.util.find_spec("sksurv") is None:
        raise UserError(
            f"The cox head needs scikit-survival: '{sys.executable}' -m pip install scikit-survival. With l1_ratio=0, "
            "as in the preset cox_l2, it does not."
        )


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Choose alpha by the C-index, averaged over inner folds (of equals, the largest), refit, predict log risks.

    The integrated Brier score is of the survival functions that follow from Breslow's baseline hazard of the fitted
    samples. No other head has it: the networks give survival at the few cuts of their intervals, or a risk only.

    Raises
    ------
    UserError
        Features or labels that cannot be used, folds without events, or scikit-survival not installed.
    """
    check(train, config)
    check_features(train, val, test)
    check_survival(train, val, test)
    alphas = np.unique(config.alphas)[::-1]
    choice = inner_cv(train, val, seed) if len(alphas) > 1 else None
    samples = choice.samples if choice else pool(train, val)
    x, y = samples.features.astype(np.float64), samples.labels
    info: dict[str, Any] = {"alpha": float(alphas[0])}
    notes: list[str] = []
    if choice:
        values, early = [], 0
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            time, event = y[held_out].T
            fitted = [_fit(x[fit], y[fit], alpha, config) for alpha in alphas]
            values.append([concordance(time, event > 0, predict(x[held_out])) for predict, _ in fitted])
            early += sum(not converged for _, converged in fitted)
        usable = ~np.isnan(values).any(axis=1)
        if not usable.any():
            raise nothing_to_choose_by("Alpha", choice.by, "give more samples, with events at different times")
        c_index = np.array(values)[usable].mean(axis=0)
        best = int(c_index.argmax())
        info = {
            "alpha": float(alphas[best]),
            "chosen_by": choice.by,
            "alphas": alphas.tolist(),
            "validation_c_index": c_index.tolist(),
        }
        notes += notes_on_end("alpha", info["alpha"], info["alphas"], "set alphas of the protocol beyond it")
        if early:
            notes.append(
                f"{early} of {len(alphas) * len(choice.fit)} fits that the Cox regression's alpha was chosen by ended "
                f"after {config.max_iter} iterations without convergence."
            )
    predict, converged = _fit(x, y, info["alpha"], config)
    risk = predict(test.features.astype(np.float64))
    survival = breslow_survival(y, predict(x), risk, brier_times(y))
    of_samples = {"integrated_brier": integrated_brier(y, test.labels, survival)}
    if not converged:
        notes.append(
            f"The Cox regression did not converge in {config.max_iter} iterations: raise max_iter or alphas, or "
            "standardise."
        )
    if notes:
        info["notes"] = notes
    return Predictions.of(test, risk[:, None], info, metrics=by_group(of_samples, test.groups))


def _fit(x: np.ndarray, y: np.ndarray, alpha: float, config: Config) -> tuple[Callable[[np.ndarray], np.ndarray], bool]:
    """What gives the log risks of queries, and whether the fit converged."""
    if not y[:, 1].any():
        raise UserError("A training fold of the cox head has no event: give a validation split or more samples.")
    scale = spread(x) if config.standardise else np.ones(x.shape[1])
    if config.l1_ratio == 0:
        try:
            weights, converged = fit_squared_penalty(x / scale, y, alpha, config.max_iter)
        except np.linalg.LinAlgError as error:
            raise _failed(alpha, error) from error
        if not np.isfinite(weights).all():
            raise _failed(alpha, ArithmeticError("the weights are not finite"))
        return lambda queries: np.asarray((queries / scale) @ weights), converged
    from sklearn.exceptions import ConvergenceWarning
    from sksurv.linear_model import CoxnetSurvivalAnalysis

    outcome = np.array([(e > 0, t) for t, e in y], dtype=[("event", bool), ("time", float)])
    model = CoxnetSurvivalAnalysis(alphas=[alpha], l1_ratio=config.l1_ratio, max_iter=config.max_iter)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            model.fit(x / scale, outcome)
    except (ArithmeticError, ValueError) as error:
        raise _failed(alpha, error) from error
    converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in warned)
    return lambda queries: np.asarray(model.predict(queries / scale)), converged


def _failed(alpha: float, error: Exception) -> UserError:
    return UserError(
        f"The Cox regression at alpha={alpha} failed ({error}): raise alphas of the protocol, or standardise."
    )
