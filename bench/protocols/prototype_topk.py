"""Class prototypes of tiles, and for a slide the prototype that its nearest tiles are nearest to: UNI's top-k vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bench.protocols.bags import Bags
from bench.protocols.base import Predictions
from bench.protocols.checks import check_labels
from bench.protocols.prototype import centred_units
from bench.protocols.settings import FROM_ONE, check_settings

TAKES = "bags"


@dataclass
class Config:
    """Settings of the top-k vote.

    Attributes
    ----------
    topk
        Tiles of a slide that count for each prototype, the nearest to it; a slide with fewer counts with all.
    """

    topk: int = 5

    def __post_init__(self) -> None:
        check_settings("prototype_topk", self, topk=FROM_ONE)


def fit_predict(train: Bags, val: Bags | None, test: Bags, config: Config, seed: int) -> Predictions:
    """Prototypes are the means of the centred unit vectors of all tiles of a class, labelled as their slide.

    A slide is of the class whose prototype has the least mean squared distance to the `topk` tiles nearest to it.
    Scores are a softmax of minus these means.

    Raises
    ------
    UserError
        Labels that cannot be classified, or slides without usable features.
    """
    n_classes = check_labels(train.table(), None if val is None else val.table(), test.table())
    fitted = [(side, slide) for side in (train, val) if side is not None for slide in range(len(side))]
    total, tiles = np.zeros(train.dim), np.zeros(n_classes)
    for side, slide in fitted:
        x = side.read(slide)
        total += x.sum(axis=0, dtype=np.float64)
        tiles[side.labels[slide]] += len(x)
    centre = total / tiles.sum()
    prototypes = np.zeros((n_classes, train.dim))
    for side, slide in fitted:
        prototypes[side.labels[slide]] += centred_units(side.read(slide), centre).sum(axis=0)
    prototypes /= tiles[:, None]
    distances = np.stack([_topk_mean(test.read(s), centre, prototypes, config.topk) for s in range(len(test))])
    odds = np.exp(distances.min(axis=1, keepdims=True) - distances)
    info = {"topk": config.topk, "tiles": int(tiles.sum())}
    return Predictions.of(test.table(), odds / odds.sum(axis=1, keepdims=True), info)


def _topk_mean(
    tiles: Float[np.ndarray, "tile feature"],
    centre: Float[np.ndarray, " feature"],
    prototypes: Float[np.ndarray, "class feature"],
    topk: int,
) -> Float[np.ndarray, " class"]:
    """Mean squared distance of each prototype to the tiles that are nearest to it."""
    units = centred_units(tiles, centre)
    squares = (units**2).sum(axis=1)[:, None] + (prototypes**2).sum(axis=1) - 2 * units @ prototypes.T
    topk = min(topk, len(tiles))
    return np.asarray(np.partition(squares, topk - 1, axis=0)[:topk].mean(axis=0))
