"""Gradient-boosted trees by XGBoost (Chen and Guestrin 2016), a model a target; the defaults are HEST-bench's."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass

import numpy as np

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_targets
from bench.protocols.hest_features import SEED, Preparation, prepared
from bench.protocols.ridge import targets
from bench.protocols.scaling import finite
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, FROM_ZERO, POSITIVE, Range, check_settings
from registry.errors import UserError

KINDS = ("regression",)


@dataclass
class Config(Preparation):
    """Settings of boosted trees, under the names that XGBoost gives them where it has them."""

    n_estimators: int = 100
    learning_rate: float = 0.1
    max_depth: int = 3
    min_child_weight: float = 1.0
    subsample: float = 0.8
    colsample_bytree: float = 0.8
    reg_lambda: float = 1.0

    def __post_init__(self) -> None:
        check_settings(
            "boosted",
            self,
            pca=FROM_ONE,
            n_estimators=FROM_ONE,
            learning_rate=POSITIVE,
            max_depth=FROM_ONE,
            min_child_weight=FROM_ZERO,
            subsample=Range(0, 1, open_low=True),
            colsample_bytree=Range(0, 1, open_low=True),
            reg_lambda=FROM_ZERO,
        )


def check(samples: Samples, config: Config) -> None:
    """Raise UserError where XGBoost is not installed."""
    if importlib.util.find_spec("xgboost") is None:
        raise UserError(f"The boosted head needs XGBoost: '{sys.executable}' -m pip install xgboost-cpu.")


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Fit train and validation; nothing is chosen. Seed 0 draws rows and columns with HEST's seed, 1.

    Raises
    ------
    UserError
        Features or targets that are not finite or constant, or XGBoost not installed.
    """
    check_targets(train, val, test)
    check(train, config)
    from xgboost import XGBRegressor

    samples = pool(train, val)
    x, queries = prepared(samples.features, test.features, config.pca, standardise=config.standardise)
    model = XGBRegressor(
        n_estimators=config.n_estimators,
        learning_rate=config.learning_rate,
        max_depth=config.max_depth,
        min_child_weight=config.min_child_weight,
        subsample=config.subsample,
        colsample_bytree=config.colsample_bytree,
        reg_lambda=config.reg_lambda,
        random_state=SEED + seed,
    )
    values = model.fit(x, targets(samples)).predict(queries)
    return Predictions.of(test, finite(np.reshape(values, (len(test), -1))), {"dimensions": x.shape[1]})
