"""What a run has to do, before any of it is done: embedding jobs by `FeatureKey`, rows by `RunKey`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench import protocols
from bench.data import Cohort, EmbeddingPlan
from bench.embedding import EmbeddingJob
from bench.rows import Row, RunKey
from bench.runs.fit import Run, sentence_of
from bench.runs.model import Model
from bench.runs.tracks import TrackPlan
from bench.tasks import TaskConfig


@dataclass(frozen=True, eq=False)
class ModelWork:
    """What is to be computed for a model on a cohort.

    Attributes
    ----------
    tiles : EmbeddingJob
        Features of tiles.
    vectors : EmbeddingJob or None
        Vectors of slides, by a slide encoder.
    runs : sequence of Run
        The rows that are made of them.
    """

    model: Model
    tiles: EmbeddingJob[Any]
    vectors: EmbeddingJob[Any] | None
    runs: Sequence[Run]

    @property
    def features(self) -> str:
        """Digest of the key of the features that the heads take."""
        return (self.vectors or self.tiles).key.digest

    def pending(self) -> list[Run]:
        """The runs whose rows are not up to date in the results."""
        return [run for run in self.runs if not run.is_done(self.features)]


@dataclass(frozen=True, eq=False)
class TaskPlan:
    """What is to be computed for one task.

    Attributes
    ----------
    heads : dict of str to Head
        Those that fit the task, by the names of their rows.
    left_out : str
        Which heads do not, in words.
    passes : list of (EmbeddingPlan, list of ModelWork)
        Models that want the same tiles are together.
    failed : list of (Run, Exception)
        Rows that cannot be made, and why.
    refused : list of str
        Where features alone are made: a sentence for each model that cannot be run.
    """

    cohort: Cohort
    heads: dict[str, protocols.Head]
    left_out: str
    passes: list[tuple[EmbeddingPlan, list[ModelWork]]] = field(default_factory=list)
    failed: list[tuple[Run, Exception]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def refuse(self, model: Model, error: Exception, runs: Sequence[Run]) -> None:
        """A model that cannot be run: each of its rows fails, and without heads, and so rows, it is a sentence."""
        self.failed.extend((run, error) for run in runs)
        if not self.heads:
            self.refused.append(sentence_of(error, model.name))

    @property
    def task(self) -> TaskConfig:
        return self.cohort.manifest.task

    @property
    def runs(self) -> Iterator[Run]:
        """All rows of the task, those that fail among them."""
        yield from (run for _, work in self.passes for own in work for run in own.runs)
        yield from (run for run, _ in self.failed)


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run has to do.

    Attributes
    ----------
    tasks : list of TaskPlan
    failures : list of str
        A sentence for each task, model or head that cannot be run.
    tracks : list of TrackPlan
        Of the tasks with a track.
    """

    tasks: list[TaskPlan]
    failures: list[str]
    tracks: list[TrackPlan] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """What cannot be run, rows among it, each once."""
        of_tracks = (sentence for track in self.tracks for sentence in track.failures)
        of_rows = (str(error) for task in self.tasks for _, error in task.failed)
        return list(dict.fromkeys([*self.failures, *of_tracks, *of_rows]))


def restrict_to(plan: Plan, key: RunKey) -> None:
    """Leave out of a plan all that the row of this key, which is one of `keys_of`, does not need."""
    for task in plan.tasks:
        task.failed[:] = [(run, error) for run, error in task.failed if run.key == key]
        for i, (part, work) in enumerate(task.passes):
            own = [replace(one, runs=[run for run in one.runs if run.key == key]) for one in work]
            task.passes[i] = part, [one for one in own if one.runs]
    plan.tracks[:] = [track for track in plan.tracks if key in track.keys]
    for track in plan.tracks:
        track.restrict_to(key)


def rows_to_make(plan: Plan) -> list[Row | RunKey]:
    """The rows that are not up to date, and of tasks with a track all."""
    pending = [
        run.empty_row() for task in plan.tasks for _, work in task.passes for own in work for run in own.pending()
    ]
    failed = [run.empty_row() for task in plan.tasks for run, _ in task.failed]
    return [*pending, *failed, *(key for track in plan.tracks for key in sorted(track.keys))]


def counted_samples(cohort: Cohort) -> str:
    """As in "384 tiles (train 288, test 96), 24 groups"."""
    manifest = cohort.manifest
    if "fold" in manifest.frame:
        parts = f"{len(manifest.folds)} test folds"
    else:
        parts = ", ".join(f"{side} {n}" for side, n in manifest.frame["split"].value_counts().items())
    return f"{len(manifest)} {cohort.noun} ({parts}), {manifest.frame['group'].nunique()} groups"


def blocks_of(plan: Plan) -> set[tuple[str, str, str, str]]:
    """Task, cohort, protocol and head of all rows: what the tables show after the run."""
    return {(key.task, key.cohort, key.protocol, key.head) for key in keys_of(plan)}


def keys_of(plan: Plan) -> set[RunKey]:
    """Of all rows that a run makes or finds up to date."""
    keys = {run.key for run in itertools.chain.from_iterable(task.runs for task in plan.tasks)}
    return keys.union(*(track.keys for track in plan.tracks))
