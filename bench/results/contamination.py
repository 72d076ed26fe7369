"""Whether a model saw the cohorts of a task in pretraining, as rows say, and rows without those that did."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bench.rows import Row, RowInfo, SavedRows
from registry.errors import UserError

LEVELS = ("stated", "inferred", "unknown", "none")
"""From the surest that a model saw a cohort of the task to that it saw none."""
NOT_RECORDED = ""
"""The level of rows that do not say, as those of earlier versions."""
LEAVE_OUT: Mapping[str, tuple[str, ...]] = {
    "keep": (),
    "leave_out": ("stated", "inferred"),
    "leave_out_unknown": ("stated", "inferred", "unknown", NOT_RECORDED),
}
"""The values of the option ``contaminated``, and which levels each leaves out."""


class Contamination(NamedTuple):
    """What rows say of a model on a task.

    Attributes
    ----------
    level : str
        One of `LEVELS`, or "" where they do not say.
    evidence : str
        Which cohort it is and by whose word, in a sentence.
    """

    level: str
    evidence: str

    @property
    def seen(self) -> bool:
        """Whether the model saw a cohort of the task, by the authors' statement or by inference."""
        return self.level in ("stated", "inferred")


@dataclass(frozen=True)
class LeftOut:
    """The rows that a leaderboard was made without, as their models saw the task's cohorts in pretraining.

    Attributes
    ----------
    choice : str
        A key of `LEAVE_OUT`.
    rows : mapping of (task, model, level) -> int
        How many of each, ordered by the key.
    not_told : int
        Rows among those that are there of which it is not known whether their model saw a cohort.
    """

    choice: str = "keep"
    rows: Mapping[tuple[str, str, str], int] = dataclasses.field(default_factory=dict)
    not_told: int = 0

    @property
    def sentences(self) -> list[str]:
        """What a reader of the tables must know of it; nothing where nothing was to be left out."""
        if self.choice == "keep":
            return []
        tasks = {task: [key for key in self.rows if key[0] == task] for task, _, _ in self.rows}
        found = [
            f"Left out of {task} (contaminated={self.choice}): "
            + ", ".join(
                f"{model} ({level or 'not recorded'}, {_counted(self.rows[task, model, level])})"
                for _, model, level in own
            )
            + "."
            for task, own in tasks.items()
        ]
        if not found:
            found = [f"No row was left out (contaminated={self.choice})."]
        if self.not_told:
            found.append(
                f"Of {_counted(self.not_told)} in the tables it is not known what their models saw; "
                "contaminated=leave_out_unknown leaves these out too."
            )
        return found


def contamination_of(rows: Iterable[Row]) -> Contamination:
    """What the rows of one model on one task say; the surest where they differ."""
    recorded = [one for row in rows if (one := _recorded(row)) is not None]
    return min(recorded, key=lambda one: LEVELS.index(one.level), default=Contamination(NOT_RECORDED, ""))


def without_contaminated(saved: SavedRows, choice: str) -> tuple[SavedRows, LeftOut]:
    """The rows without those of models that saw a cohort of the row's own task in pretraining.

    Rows of one model, task and cohort are left out together. Baselines without pretraining saw nothing.

    Parameters
    ----------
    choice : str
        A key of `LEAVE_OUT`.

    Raises
    ------
    UserError
        If there is no such choice.
    """
    check_contaminated(choice)
    of_model: dict[tuple[str, str, str], list[Row]] = {}
    for row in saved.rows:
        of_model.setdefault((row.task, row.cohort_hash, row.model), []).append(row)
    levels = {key: contamination_of(rows).level for key, rows in of_model.items()}
    out: Counter[tuple[str, str, str]] = Counter()
    used: list[Row] = []
    not_told = 0
    for row in saved.rows:
        level = levels[row.task, row.cohort_hash, row.model]
        if row.baseline or level not in LEAVE_OUT[choice]:
            used.append(row)
            not_told += not row.baseline and level in ("unknown", NOT_RECORDED)
        else:
            out[row.task, row.model, level] += 1
    return dataclasses.replace(saved, rows=used), LeftOut(choice, dict(sorted(out.items())), not_told)


def check_contaminated(choice: str) -> None:
    """There must be such a choice of what to do with rows of models that saw the task's cohorts.

    Raises
    ------
    UserError
        If there is not.
    """
    if choice not in LEAVE_OUT:
        raise UserError(
            f"contaminated={choice} is no choice: name keep for all models, leave_out to leave out those that saw the "
            "task's cohorts in pretraining, or leave_out_unknown to leave out those of which it is not known, too."
        )


def _recorded(row: Row) -> Contamination | None:
    if "contamination" not in row.info:
        return None
    found = RowInfo(row).contamination
    return Contamination(found.level, " ".join(found.evidence.split()))


def _counted(n: int) -> str:
    return f"{n} row" + "s" * (n != 1)
