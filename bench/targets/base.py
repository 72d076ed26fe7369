"""What a target type defines: how columns become labels, how they are split, scored and saved."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from jaxtyping import Shaped

from bench.metrics import MetricSet
from registry.errors import UserError, first_few

if TYPE_CHECKING:
    import pandas as pd

Labels = Shaped[np.ndarray, "sample ..."]


class TaskSettings(Protocol):
    """What a target type reads of a task's settings (`bench.tasks.TaskConfig`)."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def targets(self) -> list[str]: ...
    @property
    def classes(self) -> list[str]: ...


class TargetType(abc.ABC):
    """One type of target. The methods below are those of numbers, a column each; a subclass changes what differs.

    Attributes
    ----------
    name : str
        What users write as ``tasks.NAME.kind``.
    question : str
        What is predicted of a sample, in one line.
    columns : tuple of str
        The columns of the label by default; empty where the task has to name them.
    any_number_of_columns : bool
        Whether a task may name more or fewer columns than `columns`.
    has_classes : bool
        Whether every sample is of one class out of several: the frame then has the class in ``label``, ``rare`` decides
        about classes with few groups, and labels are one column of class indices.
    label_dtype : type
        Of the labels, in arrays and in the file of predictions.
    metrics : MetricSet
        What predictions are scored by, and how labels and scores are checked.
    usual_head : str
        A protocol to suggest.
    taken_as : str
        The form in which heads take the labels: a kind that heads name in ``KINDS``; "" for the name itself.
    """

    name: ClassVar[str]
    question: ClassVar[str]
    columns: ClassVar[tuple[str, ...]] = ("label",)
    any_number_of_columns: ClassVar[bool] = False
    has_classes: ClassVar[bool] = False
    label_dtype: ClassVar[type] = np.float64
    metrics: ClassVar[MetricSet]
    usual_head: ClassVar[str]
    taken_as: ClassVar[str] = ""

    @property
    def head_kind(self) -> str:
        """The kind of target that a head has to take."""
        return self.taken_as or self.name

    # the columns of the data

    def answer_columns(self, task: TaskSettings) -> list[str]:
        """The columns of the frame that hold the label."""
        return ["label"] if self.has_classes else list(task.targets)

    def check_columns(self, frame: pd.DataFrame, task: TaskSettings, origin: str) -> None:
        """Every sample has an answer of this type.

        Raises
        ------
        UserError
            Naming the first samples whose answer is of another.
        """
        for column in task.targets:
            wrong = ~np.isfinite(numbers(frame, column))
            comma = frame[column].astype(str).str.fullmatch(r"\s*[-+]?\d+,\d+\s*")
            of_commas = ", for its decimal comma must be a point" if comma[wrong].all() else ""
            self.refuse(frame, wrong, column, task, origin, f"no number{of_commas}")

    def class_names(self, frame: pd.DataFrame, task: TaskSettings) -> tuple[str, ...]:
        """A name for each column of the scores: classes, targets, labels, or the risk."""
        return tuple(task.targets)

    def labels(self, frame: pd.DataFrame, task: TaskSettings) -> Labels:
        """The answers as the heads take them (`bench.protocols.Samples.labels`), [N] or [N, column]."""
        return np.stack([numbers(frame, column) for column in task.targets], axis=1).astype(self.label_dtype)

    # the split

    @abc.abstractmethod
    def strata(self, frame: pd.DataFrame, task: TaskSettings) -> Shaped[np.ndarray, " sample"]:
        """What a drawn split is stratified by, as str [N]."""

    def missing_in_part(self, labels: Labels, task: TaskSettings, part: str) -> list[str]:
        """What the "training" or "test" samples lack to learn from or to be scored, such as "no event"."""
        return []

    def check_part(self, labels: Labels, task: TaskSettings, part: str, origin: str) -> None:
        """The "training" or "test" samples suffice to learn from or to be scored.

        Raises
        ------
        UserError
            If there are none, or if something is `missing_in_part`.
        """
        if not len(labels):
            raise UserError(
                f"{origin} has no {part} samples: its groups are too few for the split, so add more of them, or name "
                "train and test in a column split."
            )
        missing = self.missing_in_part(labels, task, part)
        if missing:
            raise UserError(
                f"The {part} samples of {origin} have {', '.join(missing)}: nothing can be learned or tested on "
                f"them; add more samples, another split, or leave such columns out of tasks.{task.name}.targets."
            )

    # the file of predictions

    def label_columns(self, n_classes: int) -> list[str]:
        """The columns of labels in the file of predictions, whose scores have `n_classes` columns."""
        return ["y_true"] if self.has_classes else [f"y_true_{i}" for i in range(n_classes)]

    # comparisons

    def compares_itself(self, frontend: str, other: str) -> bool:
        """Whether a model behind the one front-end is compared with itself behind the other."""
        return True

    # sentences

    def refuse(
        self, frame: pd.DataFrame, wrong: np.ndarray, column: str, task: TaskSettings, origin: str, why: str
    ) -> None:
        """Raise the sentence for rows whose cell of this column is wrong, if there are any."""
        if wrong.any():
            cells = frame.loc[wrong, ["id", column]].to_numpy()
            examples = [f"{cell or '(empty)'} of {name}" for name, cell in cells]
            raise UserError(
                f"{origin} has {wrong.sum()} samples whose {column} is {why} ({first_few(examples)}), as a task of the "
                f"kind {self.name} needs: mend or remove these rows, or set tasks.{task.name}.kind."
            )


def numbers(frame: Any, column: str) -> Shaped[np.ndarray, " sample"]:
    """A column of a data frame as float64, NaN where a cell is no number."""
    import pandas as pd

    return np.asarray(pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64))
