"""Retrieval: how far the nearest training samples of a query are of its own class."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.metrics import score
from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.intervals import by_group
from bench.protocols.knn import vote_shares
from bench.protocols.neighbours import SPARE, about_mean, nearest
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings
from registry.errors import UserError


@dataclass
class Config:
    """Settings of the retrieval head.

    Attributes
    ----------
    k
        Numbers of retrieved samples.
    metric
        "cosine" or "l2".
    centre
        Whether the mean of the samples that are searched is subtracted first.
    ties
        Whether a majority that the query's class shares with others is "wrong" or "right", or is that of the "first" of
        these classes by its number. With "wrong" samples at the same distance are against the query too.
    divisor
        Of the sum of precisions in the average precision: min(k, samples of the class) ("relevant") or "k".
    fit_validation
        Whether validation samples are searched too.
    memory_gib
        Bound of the working arrays.
    """

    k: list[int] = field(default_factory=lambda: [1, 3, 5, 10])
    metric: str = "cosine"
    centre: bool = False
    ties: str = "wrong"
    divisor: str = "relevant"
    fit_validation: bool = True
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings(
            "retrieval",
            self,
            k=FROM_ONE,
            metric=("cosine", "l2"),
            ties=("wrong", "right", "first"),
            divisor=("relevant", "k"),
            memory_gib=POSITIVE,
        )


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Retrieve from train and validation for each test sample.

    For each k: `map_at_{k}`, the mean average precision; `top_{k}`, the share of queries with their class among the k;
    `majority_{k}`, the share whose class has most of the k. Where ties count as wrong, of samples at the same distance
    (among the k + 16 nearest) those of another class are the nearer. Where they go to the first class, the majority is
    a prediction, and there are `majority_balanced_accuracy_{k}` and `majority_f1_macro_{k}` too. Intervals are
    bootstraps by group. Scores are the vote shares of the largest k.

    Raises
    ------
    UserError
        Samples that cannot be classified, or fewer samples than k.
    """
    n_classes = check_classes(train, val, test)
    database = pool(train, val if config.fit_validation else None)
    ks = np.unique(config.k)
    if ks[-1] > len(database):
        raise UserError(
            f"k={list(config.k)} of the retrieval head must be whole numbers from 1 to the {len(database)} samples "
            "to retrieve from: set k of the protocol."
        )
    fetched = min(int(ks[-1]) + SPARE, len(database))
    items, queries = database.features, test.features
    if config.centre:
        items, queries = about_mean(items, queries)
    rows, distance = nearest(queries, items, fetched, config.metric, int(config.memory_gib * 2**30), config.device)
    labels = database.labels[rows]
    votes = vote_shares(labels, ks, n_classes)
    own = labels == test.labels[:, None]
    if config.ties == "wrong":
        order = np.lexsort((own, distance), axis=1)
        labels, own = np.take_along_axis(labels, order, 1), np.take_along_axis(own, order, 1)
    relevant = np.bincount(database.labels, minlength=n_classes)[test.labels]
    values: dict[str, Float[np.ndarray, " query"]] = {}
    predicted: dict[str, dict[str, Any]] = {}
    for k, shares in zip(map(int, ks), vote_shares(labels, ks, n_classes), strict=True):
        ideal = np.minimum(k, relevant) if config.divisor == "relevant" else np.full(len(test), k)
        values[f"map_at_{k}"] = average_precision(own, ideal, k)
        values[f"top_{k}"] = own[:, :k].any(axis=1).astype(float)
        values[f"majority_{k}"] = majority_correct(shares, test.labels, config.ties).astype(float)
        if config.ties == "first":
            own_scores = score(
                test.labels, shares, test.groups, kind=test.kind, metrics=["balanced_accuracy", "f1_macro"]
            )
            predicted |= {f"majority_{name}_{k}": asdict(of_metric) for name, of_metric in own_scores.items()}
    metrics = by_group(values, test.groups) | predicted
    return Predictions.of(test, votes[-1], {"k": ks.tolist(), "metric": config.metric}, metrics=metrics)


def majority_correct(
    shares: Float[np.ndarray, "query class"], labels: Int[np.ndarray, " query"], ties: str
) -> Bool[np.ndarray, " query"]:
    """Whether the majority is the query's class; `ties` as in `Config`."""
    if ties == "first":
        return np.asarray(shares.argmax(axis=1) == labels)
    queries = np.arange(len(labels))
    mine, others = shares[queries, labels], shares.copy()
    others[queries, labels] = -1
    return np.asarray(mine >= others.max(axis=1) if ties == "right" else mine > others.max(axis=1))


def average_precision(
    own: Bool[np.ndarray, "query rank"], ideal: Int[np.ndarray, " query"], k: int
) -> Float[np.ndarray, " query"]:
    """Sum over ranks i up to k of precision at i where rank i is relevant, over the ideal of the query."""
    hits = own[:, :k]
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precision * hits).sum(axis=1) / ideal)
