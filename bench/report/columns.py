"""What the columns of the tables mean: the one place that the files, their schema and docs/TABLES.md are made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "number", "flag"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : {"text", "integer", "number", "flag"}
        A flag is 0 or 1.
    unit : str
        Empty for text and plain counts; ``metric`` is the unit of the metric that the line or the column names.
    meaning : str
        In plain words.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A file of the report.

    Attributes
    ----------
    file : str
        Its name in the results folder.
    line : str
        What one line is of.
    columns : tuple of Column
        In their order.
    further : str
        What the columns after these are, where a folder decides how many there are.
    """

    file: str
    line: str
    columns: tuple[Column, ...]
    further: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The heading of the file."""
        return tuple(column.name for column in self.columns)


def text(name: str, meaning: str) -> Column:
    """A column of text."""
    return Column(name, "text", "", meaning)


def integer(name: str, meaning: str, unit: str = "") -> Column:
    """A column of whole numbers."""
    return Column(name, "integer", unit, meaning)


def number(name: str, meaning: str, unit: str = "") -> Column:
    """A column of decimal numbers."""
    return Column(name, "number", unit, meaning)


def of_metric(name: str, meaning: str) -> Column:
    """A column of numbers in the unit of the metric."""
    return Column(name, "number", "metric", meaning)


def flag(name: str, meaning: str) -> Column:
    """A column of 0 and 1."""
    return Column(name, "flag", "", meaning)


TASK = text("task", "the task, by its name in `conf/task` or in the settings of the run")
KIND = text("kind", "what is predicted, such as `classes`: the task's target type")
MODEL = text("model", "the model or baseline; NAME@random is the network of NAME with random weights")
FRONTEND = text("frontend", "what stood between tile and encoder, such as a corruption; empty for nothing")
PROTOCOL = text("protocol", "the head that was fitted on the features, or what was measured of them")
METRIC = text("metric", "the metric of the line")
BASELINE = flag("baseline", "1 for what a head does without a pretrained model")
COHORT = text("cohort_hash", "digest of samples, labels, groups, sides and metric: only lines that share it compare")
TASK_DIGEST = text(
    "task_digest",
    "digest of `cohort_hash` and of what a tile is: a table has one of each task; empty where the row does not say",
)
FROZEN = text(
    "frozen",
    "whether the task is the published one of its name: `samples` if samples, split, metric and tiles are, `settings` "
    "if its settings are and nobody froze its samples, `changed` if it is another task, `own` for a name that is not "
    "published; empty where the row does not say",
)
HEAD = text("head_config_hash", "digest of the head's settings: only lines that share it compare")
N_TEST = integer("n_test", "test samples", "samples")
N_GROUPS = integer("n_groups", "groups (patients) of the test samples", "groups")
CONTAMINATED = text(
    "contaminated",
    "whether the model saw a cohort of the task in pretraining: `stated` (by its authors) or `inferred` if it did, "
    "`unknown` if that is not known, `none` if not; empty where the row does not say",
)
AUDIT = text(
    "audit",
    "what an audit of the task found (`python -m bench audit`): its alarms, or `clear`; empty where there was none",
)
EVIDENCE = text("contamination_evidence", "which cohort that is, and by whose word")
INTERVAL = text(
    "interval", "what the interval is over: `patients` (groups), `episodes` or `repeats` (draws of training samples)"
)


def bounds(what: str = "the value") -> tuple[Column, Column]:
    """The bounds of a 95 % interval."""
    return (
        of_metric("ci_low", f"lower bound of the 95 % interval of {what}"),
        of_metric("ci_high", f"upper bound of the 95 % interval of {what}"),
    )


def bounded(name: str, meaning: str, unit: str = "metric") -> tuple[Column, Column, Column]:
    """A number with the bounds of its 95 % interval in columns ``NAME_low`` and ``NAME_high``."""
    return (
        number(name, meaning, unit),
        number(f"{name}_low", f"lower bound of the 95 % interval of `{name}`", unit),
        number(f"{name}_high", f"upper bound of the 95 % interval of `{name}`", unit),
    )
