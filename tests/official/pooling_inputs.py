"""Patients of one to three slides, for the script that pools them with the authors' code and for the test."""

from __future__ import annotations

import numpy as np

TRAIN, TEST, DIM = 30, 20, 12


def patients() -> tuple[list[list[np.ndarray]], np.ndarray]:
    """The tiles [T, DIM], float32, of each slide of each patient, training patients first, and their classes int64."""
    rng = np.random.default_rng(16)
    labels = rng.integers(0, 2, TRAIN + TEST)
    centres = rng.normal(size=(2, DIM))
    slides = []
    for label in labels:
        level = centres[label] + 2 * rng.normal(size=DIM)
        sizes = rng.integers(2, 12, rng.integers(1, 4))
        slides.append([(level + 3 * rng.normal(size=(size, DIM))).astype(np.float32) for size in sizes])
    return slides, labels
