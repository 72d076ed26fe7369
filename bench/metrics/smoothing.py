"""Samples that are added to estimate the spread of rates: half a right and half a wrong one in each class.

Of few samples of a class all may be right, and then nothing that is drawn or left out shows how far the rate may be
from 1. Half a success and half a failure more are the counts of Jeffreys' interval of a proportion (Brown, Cai &
DasGupta 2001, Statist. Sci. 16, 101-133); one of each in each class that is compared is the proposal of Agresti & Caffo
2000, Amer. Statist. 54, 280-288. They enter the intervals only, never a value.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Shaped

WEIGHT = 0.5

Added = tuple[Shaped[np.ndarray, "added ..."], Float[np.ndarray, "added column"]]
"""Labels and scores of the added samples."""


def of_classes(y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"]) -> Added:
    """For each class that occurs, a sample whose score is 1 for it, and one whose score is 1 for the next one."""
    classes = np.unique(y_true)
    beside = np.append(classes[1:], classes[-2] if len(classes) > 1 else (classes[-1] + 1) % scores.shape[1])
    return np.repeat(classes, 2), np.eye(scores.shape[1])[np.stack([classes, beside], axis=1).ravel()]


def of_labels(y_true: Int[np.ndarray, "sample label"], scores: Float[np.ndarray, "sample label"]) -> Added:
    """A sample with all labels and one with none, each with the highest scores and with the lowest.

    A label that every sample has, or none, stays so.
    """
    constant = y_true.min(axis=0) == y_true.max(axis=0)
    labels = np.where(constant, y_true[0], np.array([[1], [1], [0], [0]]))
    highest, lowest = np.maximum(scores.max(axis=0), 1.0), np.minimum(scores.min(axis=0), 0.0)
    return labels, np.stack([highest, lowest, highest, lowest])
