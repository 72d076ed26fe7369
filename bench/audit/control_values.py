"""Controls: what is known of a sample without looking at its tissue, as vectors that any head can take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

BINS = 12
MOST_CATEGORIES = 200


@dataclass(frozen=True)
class Control:
    """One property of the samples.

    Attributes
    ----------
    name : str
        As the page calls it: "file size", "number in the id".
    values : float64 [N] or str [N]
        Numbers, NaN where unknown, or categories, "" where unknown.
    follows_pixels : bool
        Whether tissue can move it: the size of a compressed file grows with the detail of its image. Such a control
        above chance is no shortcut by itself, and an alarm only where it reaches the models.
    """

    name: str
    values: np.ndarray
    follows_pixels: bool = False

    @property
    def is_constant(self) -> bool:
        """Whether all samples have the same value, so that nothing can be predicted from it."""
        if self.values.dtype.kind == "f":
            return bool(np.isnan(self.values).all() or np.nanmin(self.values) == np.nanmax(self.values))
        return len(np.unique(self.values)) < 2

    def encoded(self) -> Float[np.ndarray, "sample feature"]:
        """Features that linear heads and heads of neighbours can use alike.

        A number is its rank among the samples, linearly interpolated between `BINS` knots: neighbours on the axis have
        similar vectors by cosine, and a linear head can fit any function of the number. A category is one of as many
        unit vectors. What is unknown has a vector of its own.
        """
        if self.values.dtype.kind == "f":
            return _of_numbers(self.values)
        names, place = np.unique(self.values, return_inverse=True)
        features = np.zeros((len(place), min(len(names), MOST_CATEGORIES)), np.float32)
        features[np.arange(len(place)), place % MOST_CATEGORIES] = 1.0
        return features


def _of_numbers(values: np.ndarray) -> np.ndarray:
    """Ranks in 0..1, ties alike, on hat functions; the last column is 1 for unknown values."""
    known = ~np.isnan(values)
    _, place = np.unique(values[known], return_inverse=True)
    counts = np.bincount(place)
    middle = (np.cumsum(counts) - (counts + 1) / 2) / max(1, known.sum() - 1)
    position = np.clip(middle[place], 0, 1) * (BINS - 1)
    features = np.zeros((len(values), BINS + 1), np.float32)
    below = np.minimum(position.astype(int), BINS - 2)
    rows = np.flatnonzero(known)
    features[rows, below] = 1 - (position - below)
    features[rows, below + 1] = position - below
    features[~known, BINS] = 1.0
    return features
