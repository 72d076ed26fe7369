"""Consistency: how alike the features of the same region are under other scanners and stainings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from bench import robustness
from bench.metrics import replicate
from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.knn import break_ties, vote_shares
from bench.protocols.neighbours import nearest
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings, device_of
from registry.errors import UserError

NEEDS = ("centre", "region")


@dataclass
class Config:
    """Settings: among how many of the nearest features a region must be found; PLISM has 10."""

    k: int = 10
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings("consistency", self, k=FROM_ONE, memory_gib=POSITIVE)


def check(samples: Samples, config: Config) -> None:
    """What can be said of samples before they have features. Raises UserError as `_laid_out`."""
    _laid_out(samples)


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Compare all pairs of views, of a scanner (the column centre) and a staining each, over all sides together.

    The metrics are `consistency`, PLISM's score, and its parts `cosine_all`, `top10_scanner`, `top10_staining` and
    `top10_both` (`bench.robustness.consistency` has the definitions; the number is k). A part is absent where no pair
    of views is of that kind, and `consistency` is then the mean of the others. Intervals are over groups of regions.

    Scores are the votes of the k nearest training and validation samples, which are of other regions.

    Raises
    ------
    UserError
        Samples that cannot be classified, or that are not the same regions in two views or more.
    """
    device_of(config.device)
    n_classes = check_classes(train, val, test)
    learned = pool(train, val)
    if config.k > len(learned):
        raise UserError(f"k={config.k} of the consistency head is above the {len(learned)} training samples: lower it.")
    samples = pool(learned, test)
    views, places, groups = _laid_out(samples)
    pairs = robustness.paired_views(samples.features[places], views[:, 0], views[:, 1], config.k)
    estimators = robustness.consistency_estimators(pairs, groups, config.k)
    found = replicate(estimators, int(groups.max()) + 1, len(groups), n_boot=1, seed=0)
    metrics = {name: asdict(of.interval()) for name, of in found.items()}
    rows, _ = nearest(
        test.features, learned.features, config.k, "cosine", int(config.memory_gib * 2**30), config.device
    )
    votes = learned.labels[rows]
    info: dict[str, Any] = {
        "k": config.k,
        "views": [" ".join(view).strip() for view in views.tolist()],
        "regions": int(places.shape[1]),
        "pairs": {kind: int((pairs.kinds == kind).sum()) for kind in robustness.PAIR_KINDS},
    }
    left_out = len(samples) - places.size
    if left_out:
        info["notes"] = [f"{left_out} samples are of regions that are not in every view, and not compared"]
    scores = break_ties(vote_shares(votes, np.array([config.k]), n_classes), votes)[0]
    return Predictions.of(test, scores, info, metrics=metrics)


def _laid_out(
    samples: Samples,
) -> tuple[Shaped[np.ndarray, "view two"], Int[np.ndarray, "view region"], Int[np.ndarray, " region"]]:
    """The views, each a scanner and a staining; the row of each region in each view; and the group of each region.

    Raises
    ------
    UserError
        If there are fewer than two views, a region is twice in a view, or fewer than two regions are in every view.
    """
    every = np.flatnonzero(samples.acquisition["region"] != "")
    samples = samples.take(every)
    scanner, region = samples.acquisition["centre"], samples.acquisition["region"]
    staining = samples.acquisition.get("staining", np.full(len(samples), ""))
    views, view = np.unique(np.stack([scanner, staining], axis=1), axis=0, return_inverse=True)
    view = view.reshape(-1)
    if len(views) < 2:
        raise UserError(
            "The samples are of one scanner and one staining, and consistency compares views of the same region: add "
            "the regions under another one, or choose another protocol."
        )
    regions, place = np.unique(region, return_inverse=True)
    rows = np.full((len(views), len(regions)), -1)
    rows[view, place] = np.arange(len(samples))
    if (rows >= 0).sum() < len(samples):
        cells = view * len(regions) + place
        twice = region[np.flatnonzero(np.bincount(cells)[cells] > 1)[0]]
        raise UserError(
            f"The region {twice} is more than once in one view, a scanner and a staining: give each its own name in "
            "the column region."
        )
    whole = (rows >= 0).all(axis=0)
    if whole.sum() < 2:
        raise UserError(
            f"Of {len(regions)} regions {whole.sum()} are in all {len(views)} views (a scanner and a staining each), "
            "and consistency needs two: name the same regions alike in the column region."
        )
    rows = rows[:, whole]
    return views, every[rows], np.unique(samples.groups[rows[0]], return_inverse=True)[1]
