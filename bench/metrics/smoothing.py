"""Samples that are added to estimate the spread of rates: some that are right and some that are wrong, in each class.

Of few samples all may be right, and then nothing that is drawn or left out shows how far the rate may be from 1. Half a
success and half a failure more are the counts of Jeffreys' interval and of Anscombe's logit (Brown, Cai & DasGupta
2001, Statist. Sci. 16, 101-133). They are divided among the classes, as Price & Bonett 2004 (Comput. Statist. Data
Anal. 45, 449-456) do for combinations of rates. All that are right are left out together in the jackknife, and all that
are wrong, as if they were two patients. They enter the intervals only, never a value.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped


class Added(NamedTuple):
    """Labels and scores of the added samples, which of them are left out together, and how much each counts."""

    y_true: Shaped[np.ndarray, "added ..."]
    scores: Float[np.ndarray, "added column"]
    groups: Int[np.ndarray, " added"]
    weight: float


def of_classes(y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"]) -> Added:
    """For each class that occurs, a sample whose score is 1 for it, and one whose score is 1 for the next one."""
    classes = np.unique(y_true)
    beside = np.append(classes[1:], classes[-2] if len(classes) > 1 else (classes[-1] + 1) % scores.shape[1])
    called = np.eye(scores.shape[1])[np.stack([classes, beside], axis=1).ravel()]
    return Added(np.repeat(classes, 2), called, np.tile([0, 1], len(classes)), 0.5 / len(classes))


def of_labels(y_true: Int[np.ndarray, "sample label"], scores: Float[np.ndarray, "sample label"]) -> Added:
    """A sample with all labels and one with none, each with the highest scores and with the lowest.

    A label that every sample has, or none, stays so.
    """
    constant = y_true.min(axis=0) == y_true.max(axis=0)
    labels = np.where(constant, y_true[0], np.array([[1], [1], [0], [0]]))
    highest, lowest = np.maximum(scores.max(axis=0), 1.0), np.minimum(scores.min(axis=0), 0.0)
    return Added(labels, np.stack([highest, lowest, highest, lowest]), np.array([0, 1, 1, 0]), 0.25 / y_true.shape[1])
