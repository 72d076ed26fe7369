"""Patients by their slides: each slide is a bag with its patient's label, and a patient gets the mean of its slides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.bags import Bags, Tiles
from bench.protocols.base import Predictions
from bench.protocols.heads import Head, configured
from registry.errors import UserError

TAKES = "bags"


@dataclass
class Config:
    """Settings of the head.

    Attributes
    ----------
    head, settings
        Kind of the head that learns from slides and predicts slides, one for bags, and its settings.
    """

    head: str = "abmil"
    settings: dict[str, Any] = field(default_factory=dict)


def kinds_of(config: Config) -> tuple[str, ...]:
    """The kinds of target of the head for slides."""
    return _slide_head(config).kinds


def fit_predict(train: Bags, val: Bags | None, test: Bags, config: Config, seed: int) -> Predictions:
    """Fit the head on the slides of all patients, and average what it predicts for the slides of each test patient.

    Probabilities, numbers and risks are averaged as they are, probabilities after temperature scaling too. A threshold
    that the head found on slides is none for patients, and is left out. The attention in a patient's bag is that in its
    slides, each of the same weight.

    Raises
    ------
    UserError
        Bags without usable features, a head that takes vectors or that scores slides itself, or what the head raises.
    """
    head = _slide_head(config)
    slides = _slides(test)
    found = head.fit_predict(_slides(train), None if val is None else _slides(val), slides, seed)
    if found.metrics:
        raise UserError(f"The {config.head} head scores slides itself, which says nothing of patients: choose another.")
    patient = _patients(test)
    info = {name: value for name, value in found.info.items() if name != "thresholds"}
    attention = {}
    if found.attention:
        for row, name in enumerate(test.ids):
            own = [found.attention[slide] for slide in slides.ids[patient == row]]
            attention[name] = np.concatenate(own) / np.float32(len(own))
    calibrated = None if found.calibrated is None else _means(found.calibrated, patient)
    of_patients = test.table()
    return Predictions.of(of_patients, _means(found.scores, patient), info, calibrated=calibrated, attention=attention)


def _slide_head(config: Config) -> Head:
    head = configured({"kind": config.head, **config.settings})
    if not head.takes_bags:
        raise UserError(f"The by_slide head hands bags on, but {config.head} takes vectors: choose a head for bags.")
    if head.variants:
        raise UserError(f"The {config.head} head has a row a variant, which by_slide cannot have: choose another head.")
    return head


def _patients(bags: Bags) -> Int[np.ndarray, " slide"]:
    """The row of the patient of each slide."""
    return np.repeat(np.arange(len(bags)), [len(ends) for ends in bags.ends] if bags.ends else 1)


def _slides(bags: Bags) -> Bags:
    """Each slide of each patient as a bag of its own, in their order."""
    if not bags.ends:
        return bags
    patient = _patients(bags)
    each = replace(bags, ends=()).take(patient)
    numbers = np.concatenate([np.arange(len(ends)) for ends in bags.ends])
    return replace(
        each,
        ids=np.array([f"{name} {number}" for name, number in zip(each.ids, numbers, strict=True)]),
        features=[part for tiles, ends in zip(bags.features, bags.ends, strict=True) for part in _parts(tiles, ends)],
    )


def _parts(tiles: Tiles, ends: Int[np.ndarray, " part"]) -> Iterator[Tiles]:
    """The tiles of each slide of a patient."""
    if len(ends) == 1:
        yield tiles
        return
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        yield _Part(tiles, int(start), int(end))


@dataclass(frozen=True)
class _Part:
    """Some rows of a bag, left on disk until they are indexed."""

    tiles: Tiles
    start: int
    end: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.end - self.start, *self.tiles.shape[1:])

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, rows: Any, /) -> Any:
        return self.tiles[np.arange(self.start, self.end)[rows]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.tiles[self.start : self.end], dtype=dtype)


def _means(
    scores: Float[np.ndarray, "slide column"], patient: Int[np.ndarray, " slide"]
) -> Float[np.ndarray, "patient column"]:
    """The mean over the slides of each patient."""
    sums = np.zeros((int(patient[-1]) + 1, scores.shape[1]))
    np.add.at(sums, patient, scores)
    return sums / np.bincount(patient)[:, None]
