"""The time to an event, or to the last observation without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from bench.metrics import METRIC_SETS
from bench.targets.base import Labels, TargetType, TaskSettings, numbers

if TYPE_CHECKING:
    import pandas as pd


class Survival(TargetType):
    """A column of times above 0, and one of events: 1, or 0 for a time that is censored."""

    name = "survival"
    question = "when, given time and event"
    columns = ("time", "event")
    metrics = METRIC_SETS["survival"]
    usual_head = "cox"

    def check_columns(self, frame: pd.DataFrame, task: TaskSettings, origin: str) -> None:
        time, event = task.targets
        no_event = ~np.isin(numbers(frame, event), (0, 1))  # words, such as "deceased", too
        self.refuse(frame, no_event, event, task, origin, "neither 1 (event) nor 0 (censored)")
        super().check_columns(frame, task, origin)
        self.refuse(frame, numbers(frame, time) <= 0, time, task, origin, "not above 0")

    def class_names(self, frame: pd.DataFrame, task: TaskSettings) -> tuple[str, ...]:
        return ("risk",)

    def strata(self, frame: pd.DataFrame, task: TaskSettings) -> Shaped[np.ndarray, " sample"]:
        """Whether there was an event."""
        return np.asarray(self.labels(frame, task)[:, 1].astype(int).astype(str))

    def missing_in_part(self, labels: Labels, task: TaskSettings, part: str) -> list[str]:
        return [] if labels[:, 1].any() else ["no event"]

    def label_columns(self, n_classes: int) -> list[str]:
        return ["y_true_0", "y_true_1"]


TARGET = Survival()
