"""Retrieval: how far the nearest training samples of a query are of its own class."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.intervals import by_group
from bench.protocols.knn import vote_shares
from bench.protocols.neighbours import SPARE, nearest
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings
from registry.errors import UserError


@dataclass
class Config:
    """Settings of the retrieval head: the numbers of retrieved samples, and "cosine" or "l2"."""

    k: list[int] = field(default_factory=lambda: [1, 3, 5, 10])
    metric: str = "cosine"
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings("retrieval", self, k=FROM_ONE, metric=("cosine", "l2"), memory_gib=POSITIVE)


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Retrieve from train and validation for each test sample.

    For each k: `map_at_{k}`, the mean average precision with min(k, samples of the class) as the ideal; `top_{k}`, the
    share of queries with their class among the k; `majority_{k}`, the share whose class has most of the k. A tied
    majority is not correct, and of samples at the same distance (among the k + 16 nearest) those of another class count
    as the nearer. Intervals are bootstraps by group. Scores are the vote shares of the largest k.

    Raises
    ------
    UserError
        Samples that cannot be classified, or fewer samples than k.
    """
    n_classes = check_classes(train, val, test)
    database = pool(train, val)
    ks = np.unique(config.k)
    if ks[-1] > len(database):
        raise UserError(
            f"k={list(config.k)} of the retrieval head must be whole numbers from 1 to the {len(database)} samples "
            "to retrieve from: set k of the protocol."
        )
    fetched = min(int(ks[-1]) + SPARE, len(database))
    rows, distance = nearest(
        test.features, database.features, fetched, config.metric, int(config.memory_gib * 2**30), config.device
    )
    labels = database.labels[rows]
    own = labels == test.labels[:, None]
    order = np.lexsort((own, distance), axis=1)
    labels, own = np.take_along_axis(labels, order, 1), np.take_along_axis(own, order, 1)
    relevant = np.bincount(database.labels, minlength=n_classes)[test.labels]
    values = {}
    for k, votes in zip(map(int, ks), vote_shares(labels, ks, n_classes), strict=True):
        mine = votes[np.arange(len(test)), test.labels]
        others = votes.copy()
        others[np.arange(len(test)), test.labels] = -1
        values[f"map_at_{k}"] = average_precision(own, relevant, k)
        values[f"top_{k}"] = own[:, :k].any(axis=1).astype(float)
        values[f"majority_{k}"] = (mine > others.max(axis=1)).astype(float)
    metrics = by_group(values, test.groups)
    blind = vote_shares(database.labels[rows], ks[-1:], n_classes)[0]
    return Predictions.of(test, blind, {"k": ks.tolist(), "metric": config.metric}, metrics=metrics)


def average_precision(
    own: Bool[np.ndarray, "query rank"], relevant: Int[np.ndarray, " query"], k: int
) -> Float[np.ndarray, " query"]:
    """Sum over ranks i up to k of precision at i where rank i is relevant, over min(k, relevant)."""
    hits = own[:, :k]
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precision * hits).sum(axis=1) / np.minimum(k, relevant))
