"""SimpleShot few-shot classification (Wang et al. 2019): many episodes as one product."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes, class_names
from bench.protocols.intervals import over_draws
from bench.protocols.prototype import centred_units
from bench.protocols.selection import balanced_accuracy, pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings, device_of
from registry.errors import UserError

DOUBT = 1e-4  # closeness of the best two classes below which float64 decides


@dataclass
class Config:
    """Settings of the few-shot head.

    Attributes
    ----------
    shots
        Support samples a class.
    episodes
        Random support sets; the supports of fewer shots are the first of those of more.
    memory_gib
        Bound of the working arrays.
    """

    shots: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16])
    episodes: int = 1000
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings("simpleshot", self, shots=FROM_ONE, episodes=FROM_ONE, memory_gib=POSITIVE)


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Nearest class mean of each episode's support, drawn from train and validation without replacement.

    The metrics `balanced_accuracy_{n}shot` are the mean over episodes and the interval that holds 95 % of them. Scores
    are the shares of the episodes with most shots that chose each class.

    Raises
    ------
    UserError
        Samples that cannot be classified, or a class with fewer samples than shots.
    """
    n_classes = check_classes(train, val, test)
    samples = pool(train, val)
    counts = np.bincount(samples.labels, minlength=n_classes)
    most = max(config.shots)
    if counts.min() < most:
        fitting = ",".join(str(s) for s in sorted(config.shots) if s <= counts.min())
        rarest = class_names(train, np.array([counts.argmin()]))
        raise UserError(
            f"There are {counts.min()} training samples of {rarest}, fewer than {most} shots: "
            + (f"set shots=[{fitting}] of the protocol." if fitting else "leave the class out of the task.")
        )
    centre = samples.features.mean(axis=0, dtype=np.float64)
    units, queries = centred_units(samples.features, centre), centred_units(test.features, centre)
    support = draw_support(samples.labels, n_classes, most, config.episodes, seed)
    metrics = {}
    shares = np.zeros((len(test), n_classes))
    for shots in sorted(set(config.shots)):
        chosen = classify_episodes(units, queries, support[:, :, :shots], int(config.memory_gib * 2**30), config.device)
        metrics[f"balanced_accuracy_{shots}shot"] = over_draws(balanced_accuracy(test.labels, chosen))
        if shots == most:
            shares = np.stack([(chosen == c).mean(axis=0) for c in range(n_classes)], axis=1)
    return Predictions.of(test, shares, {"shots": sorted(config.shots), "episodes": config.episodes}, metrics=metrics)


def draw_support(
    labels: Int[np.ndarray, " sample"], n_classes: int, shots: int, episodes: int, seed: int
) -> Int[np.ndarray, "episode class shot"]:
    """Rows of each episode's support, without replacement within an episode."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == c) for c in range(n_classes)]
    return np.array([[rng.choice(rows, shots, replace=False) for rows in members] for _ in range(episodes)])


def classify_episodes(
    units: Float[np.ndarray, "sample feature"],
    queries: Float[np.ndarray, "query feature"],
    support: Int[np.ndarray, "episode class shot"],
    memory_bytes: int = 2**30,
    device: str = "auto",
) -> Int[np.ndarray, "episode query"]:
    """Class of the nearest support mean, of equals the first, for every episode and query.

    Float32 products decide except where the two nearest classes are closer than `DOUBT`; there float64 does.
    """
    import torch

    where = device_of(device)
    episodes, n_classes, _ = support.shape
    x, q = torch.from_numpy(units).to(where), torch.from_numpy(queries).to(where)
    single = q.float()
    rows = torch.from_numpy(support).to(where)
    an_episode = n_classes * (16 * len(q) + 16 * x.shape[1])
    at_once = max(1, memory_bytes // an_episode)
    chosen = np.empty((episodes, len(q)), dtype=np.int64)
    for start in range(0, episodes, at_once):
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
        chosen[start : start + at_once] = picked.T.cpu().numpy()
    return chosen
