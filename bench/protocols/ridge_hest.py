"""The ridge regression of HEST-bench (Jaume et al. 2024, arXiv:2406.16192), by the solver that its authors call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_targets
from bench.protocols.hest_features import Preparation, prepared
from bench.protocols.ridge import targets
from bench.protocols.scaling import OVERFLOW, finite
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, check_settings
from registry.errors import UserError

KINDS = ("regression",)
MAX_ITER = 1000


@dataclass
class Config(Preparation):
    """Settings of the HEST recipe.

    Attributes
    ----------
    intercept
        HEST has none (false). True adds to the predictions of each target what makes their mean over the fitted samples
        that of the target; Pearson's correlation does not see it, and errors do.
    """

    intercept: bool = True

    def __post_init__(self) -> None:
        check_settings("ridge_hest", self, pca=FROM_ONE)


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Fit train and validation; alpha is 100 / (dimensions after projection x targets), nothing is chosen.

    HEST's solver is LSQR (Paige and Saunders 1982), which ends at scikit-learn's tolerance before it reaches the
    minimum: the exact ridge regression, which is the head `ridge` at one strength, predicts otherwise. It is in float64
    after a projection and in float32 without one, as theirs is.

    Raises
    ------
    UserError
        Features or targets that are not finite or constant, or numbers so large that the fit overflows.
    """
    from sklearn.linear_model import Ridge

    check_targets(train, val, test)
    samples = pool(train, val)
    y = targets(samples)
    x, queries = prepared(samples.features, test.features, config.pca, standardise=config.standardise)
    if config.pca is not None:
        x, queries = x.astype(np.float64), queries.astype(np.float64)
    alpha = 100 / (x.shape[1] * y.shape[1])
    if not np.isfinite(np.square(y.astype(x.dtype)).sum()):
        raise UserError(OVERFLOW)
    fitted = Ridge(alpha=alpha, solver="lsqr", fit_intercept=False, max_iter=MAX_ITER).fit(x, y)
    values = fitted.predict(queries).reshape(len(queries), -1).astype(np.float64)
    if config.intercept:
        values += (y - fitted.predict(x).reshape(y.shape)).mean(axis=0)
    info = {"alpha": alpha, "dimensions": x.shape[1], "iterations": int(np.max(fitted.n_iter_))}
    return Predictions.of(test, finite(values), info)
