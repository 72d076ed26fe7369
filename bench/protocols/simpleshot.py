"""SimpleShot few-shot classification (Wang et al. 2019): many episodes as one product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes, class_names
from bench.protocols.draws import metrics_of_draws
from bench.protocols.episodes import Decided, episodes, support_centred
from bench.protocols.intervals import over_draws
from bench.protocols.prototype import centred_units
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, POSITIVE, Range, check_settings
from registry.errors import UserError

NESTED = 16  # supports drawn at least, of which fewer shots take the first


@dataclass
class Config:
    """Settings of the few-shot head.

    Attributes
    ----------
    shots
        Support samples a class; each number of them is a row of its own.
    episodes
        Random support sets; the supports of fewer shots are the first of those of more, up to 16.
    centre
        What is subtracted: the mean of all "training" samples, or that of the episode's "support".
    normalise
        What is scaled to length one beside the queries: the "samples" of the support, or their class "means".
    result
        The mean over "episodes", or one prediction by the "majority" of the episodes, of equals the first class.
    ways
        Classes of an episode, drawn anew for each, as far as there are so many; null is all.
    queries
        Test samples of each class in an episode, as far as there are so many; null is all.
    fit_validation
        Whether supports are drawn from validation samples too.
    memory_gib
        Bound of the working arrays.
    """

    shots: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16])
    episodes: int = 1000
    centre: str = "training"
    normalise: str = "samples"
    result: str = "episodes"
    ways: int | None = None
    queries: int | None = None
    fit_validation: bool = True
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings(
            "simpleshot",
            self,
            shots=FROM_ONE,
            episodes=FROM_ONE,
            centre=("training", "support"),
            normalise=("samples", "means"),
            result=("episodes", "majority"),
            ways=Range(2),
            queries=FROM_ONE,
            memory_gib=POSITIVE,
        )
        if self.normalise == "means" and self.centre == "training":
            raise UserError("normalise=means of the simpleshot head needs centre=support: set both, or neither.")
        if self.result == "majority" and (self.ways or self.queries):
            raise UserError(
                "result=majority of the simpleshot head needs episodes of all classes and test samples: leave ways and "
                "queries out of the protocol."
            )


def variants_of(config: Config) -> dict[str, Config]:
    """The settings of each row, by what is added to the name of the protocol: a number of shots each."""
    return {f"{shots}shot": replace(config, shots=[shots]) for shots in sorted(set(config.shots))}


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Nearest class mean of each episode's support, drawn from train and validation without replacement.

    The metrics are the means over episodes, and the interval holds 95 % of the episodes. The probabilities of an
    episode, of which the AUROC is, are those of `prototype`. `Predictions.scores` are the shares of the episodes that
    chose each class, of those in which the sample was a query: no metric is computed from them, unless the majority is
    the result. Of several `shots` the most are taken, as `variants_of` makes a run of each.

    Raises
    ------
    UserError
        Samples that cannot be classified, or a class with fewer samples than shots.
    """
    n_classes = check_classes(train, val, test)
    samples = pool(train, val if config.fit_validation else None)
    counts = np.bincount(samples.labels, minlength=n_classes)
    shots = max(config.shots)
    if counts.min() < shots:
        rarest = class_names(train, np.array([counts.argmin()]))
        raise UserError(
            f"There are {counts.min()} training samples of {rarest}, fewer than {shots} shots: leave {shots} out of "
            "the shots of the protocol, or the class out of the task."
        )
    support = draw_support(samples.labels, n_classes, shots, config.episodes, seed)
    classes = draw_classes(n_classes, config.ways or n_classes, config.episodes, seed)
    decided = _decided(samples, test, np.take_along_axis(support, classes[:, :, None], axis=1), config)
    info: dict[str, Any] = {"shots": shots, "episodes": config.episodes}
    if config.ways or config.queries:
        info |= {"ways": classes.shape[1], "queries": config.queries}
        queried = draw_queries(test.labels, classes, config.queries, seed)
        metrics, votes = _of_episodes(test, decided, classes, queried, n_classes)
        return Predictions.of(test, votes, info, metrics=metrics)
    votes = np.zeros((len(test), n_classes))
    parts: list[dict[str, np.ndarray]] = []
    for chosen, closeness in decided:
        votes += np.stack([(chosen == c).sum(axis=0) for c in range(n_classes)], axis=1)
        if config.result == "episodes":
            parts.append(metrics_of_draws(test.labels, chosen, _probabilities(closeness), test.kind))
    names = parts[0] if parts else ()
    metrics = {name: over_draws(np.concatenate([part[name] for part in parts]), "episodes") for name in names}
    return Predictions.of(test, votes / config.episodes, info, metrics=metrics)


def _decided(
    samples: Samples, test: Samples, support: Int[np.ndarray, "episode way shot"], config: Config
) -> Iterator[Decided]:
    """The nearest class of each query in each episode, and its closeness to each."""
    memory_bytes = int(config.memory_gib * 2**30)
    if config.centre == "support":
        return support_centred(samples.features, test.features, support, config.normalise, memory_bytes, config.device)
    centre = samples.features.mean(axis=0, dtype=np.float64)
    units, queries = centred_units(samples.features, centre), centred_units(test.features, centre)
    return episodes(units, queries, support, memory_bytes, config.device)


def _of_episodes(
    test: Samples,
    decided: Iterator[Decided],
    classes: Int[np.ndarray, "episode way"],
    queried: list[Int[np.ndarray, " query"]],
    n_classes: int,
) -> tuple[dict[str, dict[str, Any]], Float[np.ndarray, "sample class"]]:
    """Means over episodes of some classes and queries, and the shares of the votes for each class."""
    votes = np.zeros((len(test), n_classes))
    found: list[dict[str, Float[np.ndarray, " draw"]]] = []
    every = ((chosen, _probabilities(closeness)) for chosen, closeness in decided)
    of_each = ((own, scores) for chosen, part in every for own, scores in zip(chosen, part, strict=True))
    for own_classes, rows, (chosen, scores) in zip(classes, queried, of_each, strict=True):
        votes[rows, own_classes[chosen[rows]]] += 1
        labels = np.searchsorted(own_classes, test.labels[rows])
        found.append(metrics_of_draws(labels, chosen[rows][None], scores[rows][None], test.kind))
    metrics = {name: over_draws(np.concatenate([one[name] for one in found]), "episodes") for name in found[0]}
    times = votes.sum(axis=1, keepdims=True)
    return metrics, np.where(times > 0, votes / np.maximum(times, 1), 1 / n_classes)


def _probabilities(
    closeness: Float[np.ndarray, "episode query class"],
) -> Float[np.ndarray, "episode query class"]:
    """Softmax of minus the squared distances."""
    import torch

    return torch.softmax(2 * torch.from_numpy(closeness), 2).numpy()


def draw_support(
    labels: Int[np.ndarray, " sample"], n_classes: int, shots: int, count: int, seed: int
) -> Int[np.ndarray, "episode class shot"]:
    """Rows of each episode's support, without replacement within an episode."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == c) for c in range(n_classes)]
    drawn = [min(len(rows), max(shots, NESTED)) for rows in members]
    return np.array(
        [
            [rng.choice(rows, n, replace=False)[:shots] for rows, n in zip(members, drawn, strict=True)]
            for _ in range(count)
        ]
    )


def draw_classes(n_classes: int, ways: int, count: int, seed: int) -> Int[np.ndarray, "episode way"]:
    """Classes of each episode in their order: all where there are not more than `ways`."""
    if ways >= n_classes:
        return np.tile(np.arange(n_classes), (count, 1))
    rng = np.random.default_rng([seed, ways])
    return np.array([np.sort(rng.choice(n_classes, ways, replace=False)) for _ in range(count)])


def draw_queries(
    labels: Int[np.ndarray, " sample"], classes: Int[np.ndarray, "episode way"], queries: int | None, seed: int
) -> list[Int[np.ndarray, " query"]]:
    """Rows of the test samples of each episode: so many of each of its classes, or all where there are not more."""
    rng = np.random.default_rng([seed, queries or 0, 1])
    members = {c: np.flatnonzero(labels == c) for c in np.unique(classes)}
    return [
        np.concatenate(
            [
                members[c] if queries is None or len(members[c]) <= queries else rng.choice(members[c], queries, False)
                for c in own
            ]
        )
        for own in classes
    ]


def classify_episodes(
    units: Float[np.ndarray, "sample feature"],
    queries: Float[np.ndarray, "query feature"],
    support: Int[np.ndarray, "episode class shot"],
    memory_bytes: int = 2**30,
    device: str = "auto",
) -> Int[np.ndarray, "episode query"]:
    """Class of the nearest support mean, of equals the first, for every episode and query."""
    return np.concatenate([chosen for chosen, _ in episodes(units, queries, support, memory_bytes, device)])
