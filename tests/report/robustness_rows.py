"""Rows of robustness tasks as runs would leave them."""

from __future__ import annotations

import numpy as np
from leaderboard_runs import AddRun, Predicted

from bench.rows import Row

CLASSES = ["normal", "tumour"]
TRACK = {"track": "robustness"}


def add_similarity(
    add_run: AddRun,
    model: str,
    frontend: str,
    cosine: list[float],
    unrestored: list[float] | None = None,
    top1: float = 1,
) -> Row:
    """A row of features: these cosines, a tile and a group each; `unrestored` those before the restorer."""
    values = np.array(cosine)
    ids = np.array([f"tile {i}" for i in range(len(values))])
    retrieved = (np.arange(len(values)) < top1 * len(values)).astype(float)
    before = np.full(len(values), np.nan) if unrestored is None else np.array(unrestored)
    metrics: dict[str, float | None] = {"cosine": float(values.mean()), "top1": float(retrieved.mean()), "top10": 1.0}
    metrics["recovery"] = None if unrestored is None else float(1 - (1 - values).sum() / (1 - before).sum())
    return add_run(
        model,
        Predicted(
            ids,
            ids,
            np.empty((len(values), 0)),
            np.column_stack([values, retrieved, np.ones(len(values)), before]),
            kind="feature_similarity",
        ),
        task="robustness",
        frontend=frontend,
        protocol="similarity",
        kind="feature_similarity",
        primary_metric="cosine",
        classes=["cosine", "top1", "top10", "cosine_unrestored"],
        values=metrics,
        info=TRACK,
        n_test=len(values),
        n_groups=len(values),
    )


def add_head(
    add_run: AddRun,
    model: str,
    frontend: str,
    wrong: int,
    *,
    n: int = 40,
    protocol: str = "linear",
    confidence: float = 0.9,
    shift: float | None = None,
) -> Row:
    """A row of a head that gets the first so many of each class wrong, of n tiles and groups in two classes."""
    y = np.arange(n) % 2
    right = np.arange(n) // 2 >= wrong
    of_second = np.where(right == (y == 1), confidence, 1 - confidence)
    ids = np.array([f"tile {i}" for i in range(n)])
    return add_run(
        model,
        Predicted(ids, ids, y, np.column_stack([1 - of_second, of_second])),
        task="robustness",
        frontend=frontend,
        protocol=protocol,
        classes=CLASSES,
        info=TRACK if shift is None else TRACK | {"threshold_shift": {"sensitivity_at_95_specificity": shift}},
    )
