"""SimpleShot few-shot classification (Wang et al. 2019): many episodes as one product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes, class_names
from bench.protocols.draws import metrics_of_draws
from bench.protocols.intervals import over_draws
from bench.protocols.prototype import centred_units
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings, device_of
from registry.errors import UserError

DOUBT = 1e-4  # closeness of the best two classes below which float64 decides
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
    memory_gib
        Bound of the working arrays.
    """

    shots: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16])
    episodes: int = 1000
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings("simpleshot", self, shots=FROM_ONE, episodes=FROM_ONE, memory_gib=POSITIVE)


def variants_of(config: Config) -> dict[str, Config]:
    """The settings of each row, by what is added to the name of the protocol: a number of shots each."""
    return {f"{shots}shot": replace(config, shots=[shots]) for shots in sorted(set(config.shots))}


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Nearest class mean of each episode's support, drawn from train and validation without replacement.

    The metrics are the means over episodes, and the interval holds 95 % of the episodes. The probabilities of an
    episode, of which the AUROC is, are those of `prototype`. `Predictions.scores` are the shares of the episodes that
    chose each class: no metric is computed from them. Of several `shots` the most are taken, as `variants_of` makes a
    run of each.

    Raises
    ------
    UserError
        Samples that cannot be classified, or a class with fewer samples than shots.
    """
    n_classes = check_classes(train, val, test)
    samples = pool(train, val)
    counts = np.bincount(samples.labels, minlength=n_classes)
    shots = max(config.shots)
    if counts.min() < shots:
        rarest = class_names(train, np.array([counts.argmin()]))
        raise UserError(
            f"There are {counts.min()} training samples of {rarest}, fewer than {shots} shots: leave {shots} out of "
            "the shots of the protocol, or the class out of the task."
        )
    centre = samples.features.mean(axis=0, dtype=np.float64)
    units, queries = centred_units(samples.features, centre), centred_units(test.features, centre)
    support = draw_support(samples.labels, n_classes, shots, config.episodes, seed)
    votes = np.zeros((len(test), n_classes))
    parts: list[dict[str, np.ndarray]] = []
    for chosen, closeness in episodes(units, queries, support, int(config.memory_gib * 2**30), config.device):
        votes += np.stack([(chosen == c).sum(axis=0) for c in range(n_classes)], axis=1)
        parts.append(metrics_of_draws(test.labels, chosen, _probabilities(closeness), test.kind))
    metrics = {name: over_draws(np.concatenate([part[name] for part in parts]), "episodes") for name in parts[0]}
    info = {"shots": shots, "episodes": config.episodes}
    return Predictions.of(test, votes / config.episodes, info, metrics=metrics)


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


def classify_episodes(
    units: Float[np.ndarray, "sample feature"],
    queries: Float[np.ndarray, "query feature"],
    support: Int[np.ndarray, "episode class shot"],
    memory_bytes: int = 2**30,
    device: str = "auto",
) -> Int[np.ndarray, "episode query"]:
    """Class of the nearest support mean, of equals the first, for every episode and query."""
    return np.concatenate([chosen for chosen, _ in episodes(units, queries, support, memory_bytes, device)])


def episodes(
    units: Float[np.ndarray, "sample feature"],
    queries: Float[np.ndarray, "query feature"],
    support: Int[np.ndarray, "episode class shot"],
    memory_bytes: int,
    device: str,
) -> Iterator[tuple[Int[np.ndarray, "episode query"], Float[np.ndarray, "episode query class"]]]:
    """The nearest class, of equals the first, and the closeness to each, as many episodes at a time as fit the memory.

    Closeness is half of minus the squared distance, but for the query's own square. Float32 products decide except
    where the two nearest classes are closer than `DOUBT`; there float64 does.
    """
    import torch

    where = device_of(device)
    count, n_classes, _ = support.shape
    x, q = torch.from_numpy(units).to(where), torch.from_numpy(queries).to(where)
    single = q.float()
    rows = torch.from_numpy(support).to(where)
    an_episode = n_classes * (40 * len(q) + 16 * x.shape[1])
    at_once = max(1, memory_bytes // an_episode)
    for start in range(0, count, at_once):
        part = rows[start : start + at_once]  # embedding_bag: means without the gathered supports
        means = torch.nn.functional.embedding_bag(part.flatten(0, 1), x, mode="mean").unflatten(0, part.shape[:2])
        half = 0.5 * means.square().sum(2)
        closeness = (single @ means.float().flatten(0, 1).T).view(len(q), -1, n_classes) - half.float()
        best = closeness.topk(2, dim=2)
        picked = closeness.argmax(2)
        query, episode = torch.nonzero(best.values[..., 0] - best.values[..., 1] < DOUBT, as_tuple=True)
        for first in range(0, len(query), 4096):
            i, e = query[first : first + 4096], episode[first : first + 4096]
            exact = (q[i, None] * means[e]).sum(2) - half[e]
            picked[i, e] = exact.round(decimals=12).argmax(1)
        yield picked.T.cpu().numpy(), closeness.transpose(0, 1).cpu().numpy()
