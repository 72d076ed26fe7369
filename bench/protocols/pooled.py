"""Vectors of slides and patients: each bag becomes a mean or maximum, and a head for vectors does the rest."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from bench.protocols.bags import Bags
from bench.protocols.base import Predictions
from bench.protocols.heads import Head, configured
from bench.protocols.settings import check_settings
from registry.errors import UserError

TAKES = "bags"


@dataclass
class Config:
    """Settings of the pooled head.

    Attributes
    ----------
    pool : "mean", "max" or "mean_of_slides"
        Over all tiles of a bag; or the mean over the slides of a patient, whatever their number of tiles, of the mean
        over the tiles of each.
    head, settings
        Kind of the head that gets the vectors, and its settings.
    """

    pool: str = "mean"
    head: str = "linear"
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_settings("pooled", self, pool=("mean", "max", "mean_of_slides"))


def kinds_of(config: Config) -> tuple[str, ...]:
    """The kinds of target of the head that gets the vectors."""
    return _vector_head(config).kinds


def variants_of(config: Config) -> dict[str, Config]:
    """The settings of each row of the head that gets the vectors."""
    return {
        name: replace(config, settings={f.name: getattr(head.config, f.name) for f in fields(head.config)})
        for name, head in _vector_head(config).variants.items()
    }


def fit_predict(train: Bags, val: Bags | None, test: Bags, config: Config, seed: int) -> Predictions:
    """Pool every bag, then fit and predict with the head.

    Raises
    ------
    UserError
        Bags without usable features, or what the head raises.
    """
    head = _vector_head(config)
    pooled = train.pooled(config.pool), None if val is None else val.pooled(config.pool)
    return head.fit_predict(*pooled, test.pooled(config.pool), seed)


def _vector_head(config: Config) -> Head:
    head = configured({"kind": config.head, **config.settings})
    if head.takes_bags:
        raise UserError(f"The pooled head makes vectors, but {config.head} takes bags: choose a head for vectors.")
    return head
