"""Inputs by seed for neighbours, few shots and retrieval: the scripts and the tests make the same. NumPy only."""

from __future__ import annotations

import numpy as np
from official_helpers import bags, vectors

CLASSES, DIM = 4, 24
SIDES = {"train": (240, 11), "val": (120, 12), "test": (160, 13)}  # samples, seed
SHOTS = (1, 4)
TOP_K = 5


def side(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and classes of one side, so overlapping that votes are often tied."""
    n, seed = SIDES[name]
    return vectors(n, CLASSES, DIM, seed, separation=0.5)


def supports(labels: np.ndarray, shots: int, episodes: int, seed: int) -> np.ndarray:
    """Rows [episode, class, shot] of random supports, without repeats in an episode."""
    rng = np.random.default_rng([seed, shots])
    members = [np.flatnonzero(labels == c) for c in range(CLASSES)]
    return np.array([[rng.permutation(rows)[:shots] for rows in members] for _ in range(episodes)])


def tile_bags(name: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Bags of 6 to 30 tiles."""
    n, seed = {"train": (30, 21), "test": (40, 22)}[name]
    return bags(n, CLASSES, DIM, seed, (6, 30))
