"""Random forests (Breiman 2001) by scikit-learn, a forest a target; the defaults are HEST-bench's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_targets
from bench.protocols.hest_features import Preparation, prepared
from bench.protocols.ridge import targets
from bench.protocols.scaling import finite
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, Range, check_settings

KINDS = ("regression",)
SEED = 42  # of HEST's forests


@dataclass
class Config(Preparation):
    """Settings of the forests.

    Attributes
    ----------
    trees
        Trees of each forest.
    max_depth
        Null grows each tree until its leaves are pure.
    max_features
        Share of the dimensions that a split may choose from, above 0 to 1.
    min_samples_leaf
        Fewest samples of a leaf.
    """

    trees: int = 70
    max_depth: int | None = 16
    max_features: float = 1.0
    min_samples_leaf: int = 1

    def __post_init__(self) -> None:
        check_settings(
            "forest",
            self,
            pca=FROM_ONE,
            trees=FROM_ONE,
            max_depth=FROM_ONE,
            max_features=Range(0, 1, open_low=True),
            min_samples_leaf=FROM_ONE,
        )


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Fit train and validation; nothing is chosen. Seed 0 draws samples with HEST's seed, 42.

    Raises
    ------
    UserError
        Features or targets that are not finite or constant, or numbers so large that a mean overflows.
    """
    from sklearn.ensemble import RandomForestRegressor

    check_targets(train, val, test)
    samples = pool(train, val)
    x, queries = prepared(samples.features, test.features, config.pca, standardise=config.standardise)
    values = np.empty((len(queries), targets(samples).shape[1]))
    for column, own in enumerate(targets(samples).T):
        forest = RandomForestRegressor(
            config.trees,
            max_depth=config.max_depth,
            max_features=config.max_features,
            min_samples_leaf=config.min_samples_leaf,
            random_state=SEED + seed,
            n_jobs=-1,
        )
        forest.fit(x, own).set_params(n_jobs=1)  # predictions of several threads add up in any order
        values[:, column] = forest.predict(queries)
    return Predictions.of(test, finite(values), {"dimensions": x.shape[1]})
