"""The regression of HEST-bench (Jaume et al. 2024, arXiv:2406.16192): standardise, project, ridge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_targets
from bench.protocols.ridge import Ridge, targets
from bench.protocols.scaling import finite, standardised
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, check_settings

KINDS = ("regression",)


@dataclass
class Config:
    """Settings of the HEST recipe.

    Attributes
    ----------
    pca
        Principal components to keep (as many as there are, if fewer); null projects nothing.
    intercept
        HEST has none (false): on its centred features that shifts the predictions by the mean of the targets, which
        Pearson's correlation does not see and errors do.
    """

    pca: int | None = 256
    intercept: bool = True

    def __post_init__(self) -> None:
        check_settings("ridge_hest", self, pca=FROM_ONE)


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Fit train and validation; alpha is 100 / (dimensions after projection x targets), nothing is chosen.

    Raises
    ------
    UserError
        Features or targets that are not finite or constant.
    """
    check_targets(train, val, test)
    samples = pool(train, val)
    y = targets(samples)
    x, queries = standardised(samples.features, test.features)
    if config.pca is not None:
        axes = np.linalg.svd(x, full_matrices=False)[2][: config.pca].T
        x, queries = x @ axes, queries @ axes
    alpha = 100 / (x.shape[1] * y.shape[1])
    fitted = Ridge.fit(x, y, np.array([alpha]), intercept=config.intercept)
    info = {"alpha": alpha, "dimensions": x.shape[1]}
    return Predictions.of(test, finite(fitted.predict(queries)[0]), info)
