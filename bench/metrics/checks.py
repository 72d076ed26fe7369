"""The checks of labels and scores of each form of target, before anything is computed from them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Shaped


def check_classes(y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"]) -> None:
    """`scores` is finite, one row a label; labels are integers in 0..C-1 with C >= 2."""
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(
            f"Scores must have a row a sample and a column a class, two or more, not shape {scores.shape}."
        )
    if y_true.shape != scores.shape[:1]:
        raise ValueError(f"There are {len(scores)} rows of scores for labels of shape {y_true.shape}.")
    if not np.issubdtype(y_true.dtype, np.integer) or y_true.min() < 0 or y_true.max() >= scores.shape[1]:
        raise ValueError(f"Labels must be integers from 0 to {scores.shape[1] - 1}, the columns of the scores.")
    _check_finite(scores, "score")


def check_values(y_true: Float[np.ndarray, "sample target"], scores: Float[np.ndarray, "sample target"]) -> None:
    """True and predicted values are finite and have one shape, a column a target."""
    _check_columns(y_true, scores, "target")
    _check_finite(y_true, "target value")
    _check_finite(scores, "score")


def check_survival(y_true: Float[np.ndarray, "sample 2"], scores: Float[np.ndarray, "sample 1"]) -> None:
    """Labels are pairs of a time above 0 and an event of 0 or 1, with one finite risk each."""
    if y_true.ndim != 2 or y_true.shape[1] != 2:
        raise ValueError(f"Survival labels must be pairs of time and event, not of shape {y_true.shape}.")
    if scores.shape != (len(y_true), 1):
        raise ValueError(
            f"Risks must have a row a sample and one column, here {(len(y_true), 1)}, not shape {scores.shape}."
        )
    time, event = y_true.T
    bad = ~(np.isfinite(time) & (time > 0) & np.isin(event, (0, 1)))
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {len(bad)} samples have a time that is not above 0 or an event that is not 0 or 1."
        )
    _check_finite(scores, "risk")


def check_labels(y_true: Int[np.ndarray, "sample label"], scores: Float[np.ndarray, "sample label"]) -> None:
    """Labels are 0 or 1, a column a label, with one finite score each."""
    _check_columns(y_true, scores, "label")
    if not np.isin(y_true, (0, 1)).all():
        raise ValueError("Multi-label targets must be 0 or 1.")
    _check_finite(scores, "score")


def _check_columns(
    y_true: Shaped[np.ndarray, "sample column"], scores: Shaped[np.ndarray, "sample column"], column: str
) -> None:
    if scores.ndim != 2 or not scores.shape[1]:
        raise ValueError(
            f"Scores must have a row a sample and a column a {column}, one or more, not shape {scores.shape}."
        )
    if y_true.shape != scores.shape:
        raise ValueError(f"The true {column}s have shape {y_true.shape}, but the scores have shape {scores.shape}.")


def _check_finite(values: Float[np.ndarray, "sample column"], what: str) -> None:
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise ValueError(f"{(~finite).sum()} of {len(values)} samples have a {what} that is not a finite number.")
