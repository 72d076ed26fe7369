"""One of several classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from bench.metrics import METRIC_SETS
from bench.targets.base import Labels, TargetType, TaskSettings
from registry.errors import UserError, first_few

if TYPE_CHECKING:
    import pandas as pd

NO_VALUE = ("nan", "NaN", "NAN", "<NA>")  # what programs write for a value that is missing
MEASURED = 20  # distinct labels, all of them numbers and some fractions, that are taken for a measurement


class Classes(TargetType):
    """Class names in one column, in the order of the task's ``classes``, or else sorted."""

    name = "classes"
    question = "which of several classes"
    has_classes = True
    label_dtype = np.int64
    metrics = METRIC_SETS["classes"]
    usual_head = "linear"

    def check_columns(self, frame: pd.DataFrame, task: TaskSettings, origin: str) -> None:
        found = sorted(frame["label"].unique())
        if task.classes and not set(found) <= set(task.classes):
            unknown = [name for name in found if name not in task.classes]
            raise UserError(
                f"{origin} has labels that are no class of the task {task.name}: {first_few(unknown)}; its classes are "
                f"{', '.join(task.classes)}."
            )
        if len(found) < 2:
            raise UserError(
                f"{origin} has one class only ({found[0] if found else 'none'}): a task needs samples of two classes "
                "or more."
            )
        for name in set(found) & set(NO_VALUE) - set(task.classes):
            self.refuse(frame, (frame["label"] == name).to_numpy(), task.targets[0], task, origin, "no value")
        if not task.classes:
            self.check_found(found, task, origin)

    def check_found(self, found: list[str], task: TaskSettings, origin: str) -> None:
        """The labels are names of classes, where the task does not name them. Raises UserError."""
        values = as_numbers(found)
        if len(found) > MEASURED and not np.isnan(values).any() and (values % 1 != 0).any():
            raise UserError(
                f"The labels of {origin} are {len(found)} different numbers ({first_few(found)}), which look measured "
                f"rather than classes: set tasks.{task.name}.kind=regression."
            )

    def class_names(self, frame: pd.DataFrame, task: TaskSettings) -> tuple[str, ...]:
        present = set(frame["label"].unique())
        return tuple(name for name in task.classes or self.in_order(present) if name in present)

    def in_order(self, found: set[str]) -> list[str]:
        """The classes as their indices run, where the task does not name them."""
        return sorted(found)

    def labels(self, frame: pd.DataFrame, task: TaskSettings) -> Labels:
        import pandas as pd

        found = pd.Index(self.class_names(frame, task)).get_indexer(pd.Index(frame["label"]))
        return np.asarray(found, dtype=np.int64)

    def strata(self, frame: pd.DataFrame, task: TaskSettings) -> Shaped[np.ndarray, " sample"]:
        """The class."""
        return np.asarray(frame["label"].to_numpy(str))


def as_numbers(names: list[str]) -> Shaped[np.ndarray, " name"]:
    """The names as float64, NaN where one is no number."""
    import pandas as pd

    return np.asarray(pd.to_numeric(pd.Series(names), errors="coerce").to_numpy(np.float64))


TARGET = Classes()
