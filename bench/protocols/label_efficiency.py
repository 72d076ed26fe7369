"""Label efficiency: the linear probe on a share of the labelled groups, the subsets of all repeats solved together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.draws import metrics_of_draws
from bench.protocols.intervals import over_draws
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, POSITIVE, Range, check_settings, device_of

TOL, MAX_ITER = 1e-6, 2000  # as the linear head's defaults


@dataclass
class Config:
    """Settings of the label-efficiency head; the defaults are PRISM-bench's, with its C of scikit-learn.

    Attributes
    ----------
    percent
        Shares of the labelled samples, reached by adding whole groups; each is a row of its own.
    repeats
        Random orders of the groups; a smaller share is part of a larger one.
    """

    percent: list[float] = field(default_factory=lambda: [1, 5, 10, 25, 50, 100])
    repeats: int = 3
    c: float = 1.0
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings(
            "label_efficiency",
            self,
            percent=Range(0, 100, open_low=True),
            repeats=FROM_ONE,
            c=POSITIVE,
            memory_gib=POSITIVE,
        )


def variants_of(config: Config) -> dict[str, Config]:
    """The settings of each row, by what is added to the name of the protocol: a share of the labels each."""
    return {f"{percent:g}pct": replace(config, percent=[percent]) for percent in sorted(set(config.percent))}


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Fit a share of train and validation, in each repeat.

    The metrics are the means over repeats, and the interval holds 95 % of the repeats. `Predictions.scores` are the
    means over repeats: no metric is computed from them. Of several shares the largest is taken, as `variants_of` makes
    a run of each.

    Raises
    ------
    UserError
        Samples that cannot be classified.
    """
    from bench.protocols.logistic import Design, notes_on, solve

    n_classes = check_classes(train, val, test)
    percent = max(config.percent)
    samples = pool(train, val)
    subsets = [
        nested_subsets(samples, [percent / 100], np.random.default_rng([seed, repeat]))[0]
        for repeat in range(config.repeats)
    ]
    device = device_of(config.device)
    fitted = solve(
        Design.of(samples.features, device),
        samples.labels,
        n_classes,
        np.full(len(subsets), config.c),
        np.stack(subsets).astype(np.float64),
        np.arange(len(subsets)),
        tol=TOL,
        max_iter=MAX_ITER,
        memory_bytes=int(config.memory_gib * 2**30),
    )
    scores = np.concatenate([s for _, s in fitted.probabilities(test.features)], axis=1)
    found = metrics_of_draws(test.labels, scores.argmax(axis=2), scores, test.kind)
    metrics = {name: over_draws(values, "repeats") for name, values in found.items()}
    info = {
        "percent": float(percent),
        "samples": [int(subset.sum()) for subset in subsets],
        "gradient_norm": float(fitted.gradient_norm.max()),
        "notes": notes_on(float(fitted.gradient_norm.max()), TOL, MAX_ITER),
    }
    return Predictions.of(test, scores.mean(axis=0), info, metrics=metrics)


def nested_subsets(
    samples: Samples, shares: list[float], rng: np.random.Generator
) -> list[Bool[np.ndarray, " sample"]]:
    """Whole groups in a random order until a share of the samples is reached; the first ones hold every class."""
    groups, group = np.unique(samples.groups, return_inverse=True)
    order = list(rng.permutation(len(groups)))
    first: list[int] = []
    seen: set[int] = set()
    for g in order:
        new = set(samples.labels[group == g].tolist()) - seen
        if new:
            first.append(g)
            seen |= new
    place = np.empty(len(groups), dtype=np.int64)
    place[first + [g for g in order if g not in set(first)]] = np.arange(len(groups))
    counts = np.bincount(place[group])
    reached = np.cumsum(counts)
    subsets = []
    for share in shares:
        last = max(int(np.searchsorted(reached, share * len(group) - 1e-9)), len(first) - 1)
        subsets.append(place[group] <= last)
    return subsets
