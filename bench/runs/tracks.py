"""Tasks with a track: each is planned and run by a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from bench.rows import RunKey
from bench.runs.context import RunContext
from bench.runs.fit import fault, sentence_of
from bench.runs.restoration import plan_restoration
from bench.runs.robustness import plan_robustness
from bench.tasks import TaskConfig
from registry.errors import UserError


class TrackPlan(Protocol):
    """What a task with a track has to do; nothing is computed before `run`."""

    @property
    def task(self) -> TaskConfig: ...

    @property
    def keys(self) -> set[RunKey]:
        """Of all rows that the task has when it is done."""

    @property
    def pending(self) -> Sequence[object]:
        """What is to be measured."""

    @property
    def failures(self) -> list[str]:
        """A sentence for each thing that cannot be run; it is in what `run` returns too."""

    def text(self) -> str:
        """What ``python -m bench plan`` says of it."""

    def restrict_to(self, key: RunKey) -> None:
        """Leave out all that the row of this key, which is one of `keys`, does not need."""

    def run(self) -> list[str]:
        """Make the rows that are not up to date; returns a sentence for each failure."""


TRACKS: Mapping[str, Callable[[RunContext, TaskConfig], TrackPlan]] = {
    "restoration": plan_restoration,
    "robustness": plan_robustness,
}
"""From the name of a track to what plans it. A planner raises UserError where nothing of the task can be run."""


def track_plans(context: RunContext, tasks: Iterable[TaskConfig], failures: list[str]) -> list[TrackPlan]:
    """The plans of tasks with a track; what is wrong with one is added to the failures."""
    plans = []
    for task in tasks:
        assert task.track is not None
        try:
            plans.append(TRACKS[task.track.name](context, task))
        except UserError as error:
            failures.append(str(error))
        except Exception as error:  # so that the other tasks run
            failures.append(f"{task.name}: {fault(error)}")
    return plans


def run_tracks(plans: Iterable[TrackPlan]) -> list[str]:
    """Run each task with a track; returns a sentence for each failure, and none keeps the others from running."""
    failures = []
    for plan in plans:
        try:
            failures += plan.run()
        except Exception as error:
            failures.append(sentence_of(error, plan.task.name))
    return failures
