"""What is measured of samples by tasks with a track: rows have it in place of a target, and no head predicts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from bench.targets.base import Labels, TargetType, TaskSettings

if TYPE_CHECKING:
    import pandas as pd

RESTORATION, ROBUSTNESS = "restoration", "robustness"  # the tracks of tasks
UNTOUCHED = "none"
"""The model of the rows of degraded tiles that nothing restores."""


class Measurements(TargetType):
    """A column of the scores a measurement, and no label.

    Attributes
    ----------
    track : str
        The task that measures it, for messages.
    measured : tuple of str
        The columns of the scores.
    """

    columns = ()
    usual_head = ""
    track: str
    measured: tuple[str, ...]

    def class_names(self, frame: pd.DataFrame, task: TaskSettings) -> tuple[str, ...]:
        return self.measured

    def labels(self, frame: pd.DataFrame, task: TaskSettings) -> Labels:
        """None: float64 [N, 0]."""
        return np.empty((len(frame), 0))

    def strata(self, frame: pd.DataFrame, task: TaskSettings) -> Shaped[np.ndarray, " sample"]:
        return np.zeros(len(frame), "U1")

    def label_columns(self, n_classes: int) -> list[str]:
        return []
