"""k nearest neighbours: every k swept in one pass over the neighbours, k chosen on held-out samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.held_out import held_out_info
from bench.protocols.neighbours import about_mean, nearest_rows
from bench.protocols.selection import candidate_scores, inner_cv, inner_cv_where_possible, pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings
from bench.protocols.temperature import scaled
from registry.errors import UserError

TIE = 1e-9


@dataclass
class Config:
    """Settings of the kNN head.

    Attributes
    ----------
    k
        Numbers of neighbours to choose from, as far as there are so many samples; the default is THUNDER's (Marza et
        al. 2025).
    metric
        "cosine" or "l2".
    centre
        Whether the mean of the samples that are searched is subtracted first; unit vectors about it are compared by
        "cosine", in the same order as by their L2 distance.
    ties
        Of classes with equal votes the one whose nearest neighbour is the "nearest", or the "first" by its number.
    chosen_by
        The metric that k is chosen by; "" is the one that the task is ranked by.
    of_equals
        The "largest" or "smallest" k of those that are equally good.
    fit_validation
        Whether validation samples are searched for the neighbours of test samples too.
    memory_gib
        Bound of the working arrays.
    """

    k: list[int] = field(default_factory=lambda: [1, 3, 5, 10, 20, 30, 40, 50])
    metric: str = "cosine"
    centre: bool = False
    ties: str = "nearest"
    chosen_by: str = ""
    of_equals: str = "largest"
    fit_validation: bool = True
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings(
            "knn",
            self,
            k=FROM_ONE,
            metric=("cosine", "l2"),
            ties=("nearest", "first"),
            chosen_by=("", "accuracy", "balanced_accuracy", "f1_macro"),
            of_equals=("largest", "smallest"),
            memory_gib=POSITIVE,
        )


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Choose k on the validation side or inner folds, then vote among train and, by default, validation.

    Every neighbour has one vote and scores are vote shares. Of neighbours at the same distance, the one whose id sorts
    first is the nearer.

    Raises
    ------
    UserError
        Samples that cannot be classified, folds that cannot be made, or fewer samples than k.
    """
    n_classes = check_classes(train, val, test)
    ks = np.unique(config.k)
    choice = (inner_cv if len(ks) > 1 else inner_cv_where_possible)(train, val, seed)
    samples = choice.samples if choice else pool(train, val)
    if len(ks) == 1 and choice and min(fit.sum() for fit in choice.fit) < ks[0] <= len(samples):
        choice = None  # enough for the votes, too few for their temperature
    fewest = min(fit.sum() for fit in choice.fit) if choice else len(samples)
    fewest = fewest if config.fit_validation else min(fewest, len(train))
    if fewest < ks[0]:
        raise UserError(
            f"There are {fewest} samples to look for neighbours in, fewer than k={ks[0]}: set a smaller "
            "k of the protocol, or give more samples."
        )
    ks = ks[ks <= fewest]

    def votes(query: Samples, database: Samples) -> Float[np.ndarray, "candidate sample class"]:
        items, queries = database.features, query.features
        if config.centre:
            items, queries = about_mean(items, queries)
        found = nearest_rows(queries, items, int(ks[-1]), config.metric, int(config.memory_gib * 2**30), config.device)
        labels = database.labels[found]
        shares = vote_shares(labels, ks, n_classes)
        return break_ties(shares, labels) if config.ties == "nearest" else shares

    info: dict[str, Any] = {"k": int(ks[-1])}
    best = len(ks) - 1
    if choice:
        y = samples.labels
        out_of_fold_scores = np.zeros((len(ks), len(y), n_classes))
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            out_of_fold_scores[:, held_out] = votes(samples.take(held_out), samples.take(fit))
        mask = choice.validation_mask
        metric = config.chosen_by or samples.metric
        validation = candidate_scores(y[mask], out_of_fold_scores[:, mask], kind=samples.kind, metric=metric)
        if not np.isnan(validation).any():
            best = int(np.flatnonzero(validation == validation.max())[-1 if config.of_equals == "largest" else 0])
        if len(ks) > 1:
            info = {
                "k": int(ks[best]),
                "chosen_by": choice.by,
                "candidates": ks.tolist(),
                "validation_metric": validation.tolist(),
            }
        floor = 1 / (info["k"] + n_classes)  # what a class without votes would have if each class had one vote more
        info |= held_out_info(out_of_fold_scores[best, mask], y[mask], floor)
    scores = votes(test, samples if config.fit_validation else pool(train, None))[best]
    calibrated = scaled(scores, info["temperature"], info["temperature_floor"]) if choice else None
    return Predictions.of(test, scores, info, calibrated=calibrated)


def vote_shares(
    labels: Int[np.ndarray, "sample neighbour"], ks: Int[np.ndarray, " candidate"], n_classes: int
) -> Float[np.ndarray, "candidate sample class"]:
    """Share of each class among the k nearest, for all k at once; neighbours are ordered from the nearest on."""
    shares = np.empty((len(ks), len(labels), n_classes))
    for c in range(n_classes):
        counts = np.cumsum(labels == c, axis=1, dtype=np.int32)
        shares[:, :, c] = (counts[:, ks - 1] / ks).T
    return shares


def break_ties(
    shares: Float[np.ndarray, "candidate sample class"], labels: Int[np.ndarray, "sample neighbour"]
) -> Float[np.ndarray, "candidate sample class"]:
    """The same shares, in which one of several largest ones is larger by `TIE`, so that no class wins by its number.

    It is the share of the class whose nearest neighbour is the nearest of them. Rows still sum to 1.
    """
    first = np.full(shares.shape[1:], labels.shape[1])
    for c in range(shares.shape[2]):
        own = labels == c
        first[:, c] = np.where(own.any(axis=1), own.argmax(axis=1), labels.shape[1])
    largest = shares == shares.max(axis=-1, keepdims=True)
    candidate, sample = np.nonzero(largest.sum(axis=-1) > 1)
    winner = np.where(largest, first, labels.shape[1] + 1).argmin(axis=-1)[candidate, sample]
    broken = shares.copy()
    broken[candidate, sample, winner] += TIE
    broken[candidate, sample] /= 1 + TIE
    return broken
