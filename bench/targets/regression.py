"""One measured number, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from bench.metrics import METRIC_SETS
from bench.targets.base import Labels, TargetType, TaskSettings

if TYPE_CHECKING:
    import pandas as pd

STRATA = 4  # parts of equal size of the values of a number, by which a split is stratified


class Regression(TargetType):
    """Numbers, a column a target."""

    name = "regression"
    question = "one number or several"
    any_number_of_columns = True
    metrics = METRIC_SETS["regression"]
    usual_head = "ridge"

    def strata(self, frame: pd.DataFrame, task: TaskSettings) -> Shaped[np.ndarray, " sample"]:
        """The quarter of the first number."""
        first = self.labels(frame, task)[:, 0]
        cuts = np.quantile(first, np.arange(1, STRATA) / STRATA)
        return np.asarray(np.searchsorted(cuts, first).astype(str))

    def missing_in_part(self, labels: Labels, task: TaskSettings, part: str) -> list[str]:
        return [
            f"one value of {name} only"
            for name, column in zip(task.targets, labels.T, strict=True)
            if part == "training" and column.min() == column.max()
        ]


TARGET = Regression()
