"""What class scores must look like before anything is computed from them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def check_class_scores(y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"]) -> None:
    """Raise ValueError unless `scores` is finite, one row a label, and labels are integers in 0..C-1 with C >= 2."""
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(
            f"Scores must have a row a sample and a column a class, two or more, not shape {scores.shape}."
        )
    if y_true.shape != scores.shape[:1]:
        raise ValueError(f"There are {len(scores)} rows of scores for labels of shape {y_true.shape}.")
    if not np.issubdtype(y_true.dtype, np.integer) or y_true.min() < 0 or y_true.max() >= scores.shape[1]:
        raise ValueError(f"Labels must be integers from 0 to {scores.shape[1] - 1}, the columns of the scores.")
    finite = np.isfinite(scores).all(axis=1)
    if not finite.all():
        raise ValueError(f"{(~finite).sum()} of {len(scores)} samples have a score that is not a finite number.")
