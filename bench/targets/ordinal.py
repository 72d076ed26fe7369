"""A grade of a scale."""

from __future__ import annotations

import numpy as np

from bench.metrics import METRIC_SETS
from bench.targets.base import TaskSettings
from bench.targets.classes import Classes, as_numbers
from registry.errors import UserError, first_few


class Ordinal(Classes):
    """Grades in one column, from low to high: numbers, or names in the order of the task's ``classes``."""

    name = "ordinal"
    question = "which grade of a scale"
    metrics = METRIC_SETS["ordinal"]
    usual_head = "ridge"

    def check_found(self, found: list[str], task: TaskSettings, origin: str) -> None:
        values = as_numbers(found)
        if np.isnan(values).any():
            raise UserError(
                f"The grades of {origin} are no numbers ({first_few(found)}): name them from low to high with "
                f"tasks.{task.name}.classes=[LOW,...,HIGH]."
            )
        same = [name for name, value in zip(found, values, strict=True) if (values == value).sum() > 1]
        if same:
            raise UserError(
                f"{origin} writes the same grade in several ways ({first_few(same)}): write each in one way, or name "
                f"the grades from low to high with tasks.{task.name}.classes=[LOW,...,HIGH]."
            )
        super().check_found(found, task, origin)

    def in_order(self, found: set[str]) -> list[str]:
        return sorted(found, key=lambda name: (float(name), name))


TARGET = Ordinal()
