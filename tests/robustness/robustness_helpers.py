"""Made features of classes and centres, and the same in the form that the package croma takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Made:
    """Features [N, D] float64, classes, centres and slides of N tiles."""

    features: np.ndarray
    labels: np.ndarray
    centres: np.ndarray
    groups: np.ndarray

    @property
    def known(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.features, self.labels, self.centres, self.groups


def made(
    *,
    classes: int = 2,
    centres: int = 2,
    slides: int = 6,
    tiles: int = 4,
    dim: int = 8,
    by_class: float = 1.0,
    by_centre: float = 1.0,
    seed: int = 0,
) -> Made:
    """Every class in every centre on so many slides of so many tiles each; the effects are in standard deviations."""
    rng = np.random.default_rng(seed)
    of_class, of_centre = rng.normal(size=(classes, dim)) * by_class, rng.normal(size=(centres, dim)) * by_centre
    centre, label, slide = (np.repeat(part.ravel(), tiles) for part in np.mgrid[:centres, :classes, :slides])
    group = (centre * classes + label) * slides + slide
    of_slide = rng.normal(size=(int(group.max()) + 1, dim)) * 0.5
    noise = rng.normal(size=(len(label), dim))
    return Made(of_class[label] + of_centre[centre] + of_slide[group] + noise, label, centre, group)


def manifest_of(one: Made) -> Any:
    """The table that croma takes."""
    import pandas as pd

    n = len(one.labels)
    return pd.DataFrame(
        {
            "sample_id": [f"t{i}" for i in range(n)],
            "image_path": [f"t{i}.png" for i in range(n)],
            "label": one.labels.astype(str),
            "group_id": one.groups.astype(str),
            "centre": one.centres.astype(str),
        }
    )


def cosine_distance(a: np.ndarray, b: np.ndarray) -> float:
    """One minus the cosine, plainly."""
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return 1 - dot / (sum(float(x) ** 2 for x in a) * sum(float(y) ** 2 for y in b)) ** 0.5


def neighbours_by_hand(one: Made, i: int) -> list[tuple[float, int]]:
    """The samples of other groups with their distances, from the nearest on."""
    others = [j for j in range(len(one.labels)) if one.groups[j] != one.groups[i]]
    return sorted((round(cosine_distance(one.features[i], one.features[j]), 12), j) for j in others)
