"""Several labels, each present or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from bench.metrics import METRIC_SETS
from bench.targets.base import Labels, TargetType, TaskSettings, numbers

if TYPE_CHECKING:
    import pandas as pd


class Multilabel(TargetType):
    """A column of 0 and 1 a label."""

    name = "multilabel"
    question = "which of several labels, each for itself"
    columns = ()
    any_number_of_columns = True
    label_dtype = np.int64
    metrics = METRIC_SETS["multilabel"]
    usual_head = "linear"

    def check_columns(self, frame: pd.DataFrame, task: TaskSettings, origin: str) -> None:
        super().check_columns(frame, task, origin)
        for column in task.targets:
            wrong = ~np.isin(numbers(frame, column), (0, 1))
            self.refuse(frame, wrong, column, task, origin, "neither 1 nor 0")

    def strata(self, frame: pd.DataFrame, task: TaskSettings) -> Shaped[np.ndarray, " sample"]:
        """The rarest label, present or not."""
        labels = self.labels(frame, task)
        with_it = labels.sum(axis=0)
        return np.asarray(labels[:, np.minimum(with_it, len(labels) - with_it).argmin()].astype(str))

    def missing_in_part(self, labels: Labels, task: TaskSettings, part: str) -> list[str]:
        return [
            f"no sample {'with' if column.sum() == 0 else 'without'} {name}"
            for name, column in zip(task.targets, labels.T, strict=True)
            if column.min() == column.max()
        ]


TARGET = Multilabel()
