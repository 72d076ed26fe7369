"""What a run has to do, before any of it is done: embedding jobs by `FeatureKey`, rows by `RunKey`."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import protocols, tasks
from bench.config import Decode
from bench.data import Cohort, EmbeddingPlan, SlideCohort, TileCohort
from bench.embedding import EmbeddingJob
from bench.rows import Row, RunKey
from bench.runs.checks import check_named, fitting_heads, heads_for_data, named_unfit
from bench.runs.context import RunContext
from bench.runs.fit import Run, fault, sentence_of
from bench.runs.models import Model, features_folder
from bench.runs.tracks import TrackPlan, track_plans
from bench.tasks import SampleLevel, TaskConfig
from registry.errors import UserError


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


def make_plan(context: RunContext, models: Sequence[Model], heads: dict[str, protocols.Head]) -> Plan:
    """Read the manifests and find the weights of every model; writes nothing of its own.

    Where no model that the user named can be run, the baselines are left out: there is nothing to compare them with.
    """
    failures: list[str] = []
    missing: dict[str, UserError] = {}
    described = _described(context)
    with_track = [task for task in described.values() if task.track is not None]
    others = {name: task for name, task in described.items() if task.track is None}
    tracks = track_plans(context, with_track, failures)
    for model in models if others else ():
        try:
            model.check_weights()
        except UserError as error:
            missing[model.name] = error
            context.say(f"pfmbench: {sentence_of(error, model.name)}")
    named = [model for model in models if model.named]
    if all(model.name in missing for model in named):
        models = named
    plans = []
    for name, task in others.items():
        try:
            plan = _plan_of(context, task, models, heads, missing)
        except UserError as error:
            failures.append(str(error))
        except Exception as error:  # so that the other tasks run
            failures.append(f"{name}: {fault(error)}")
        else:
            failures += [*plan.refused, *_models_without_heads(plan, models)]
            plans.append(plan)
    return Plan(plans, failures, tracks)


def _described(context: RunContext) -> dict[str, TaskConfig]:
    """The tasks of the run, all of them checked before any work; UserError names every one that is wrong."""
    found, wrong = {}, []
    for name, settings in context.config.tasks.items():
        try:
            check_named(name, context.config)
            found[name] = tasks.configured(settings)
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        raise UserError("\n".join(wrong))
    return found


def _plan_of(
    context: RunContext,
    task: TaskConfig,
    models: Sequence[Model],
    heads: dict[str, protocols.Head],
    missing: dict[str, UserError],
) -> TaskPlan:
    cohort = _cohort(context, task, models)
    fitting = heads_for_data(cohort.manifest, fitting_heads(task, heads)) if heads else {}
    plan = TaskPlan(cohort, protocols.rows_of(fitting), named_unfit(task, heads, fitting))
    usable = []
    for model in models:
        error = missing.get(model.name) or _unfit(task, model) or _too_small(task, model)
        if error is None:
            usable.append(model)
        else:
            plan.refuse(model, error, _runs(context, plan, None, model))
    for part in cohort.plans(usable) if usable else ():
        work = []
        for model in part.models:
            runs = _runs(context, plan, part, model)
            try:
                tiles, vectors = _jobs(context, task, part, model)
            except Exception as error:
                plan.refuse(model, error, runs)
                continue
            work.append(ModelWork(model, tiles, vectors, runs))
        plan.passes.append((part, work))
    return plan


def _runs(context: RunContext, plan: TaskPlan, part: EmbeddingPlan | None, model: Model) -> list[Run]:
    """The rows of a model: each head that takes what it gives, each seed, each fold."""
    return [
        Run(context, plan.cohort, part, model, name, head, seed, fold)
        for name, head in plan.heads.items()
        if not (model.tile_encoder and head.takes_bags)
        for seed in context.config.seeds
        for fold in plan.cohort.manifest.folds
    ]


def _models_without_heads(plan: TaskPlan, models: Sequence[Model]) -> Iterator[str]:
    unfit = [name for name, head in plan.heads.items() if head.takes_bags]
    if unfit and len(unfit) == len(plan.heads):
        for model in models:
            if model.tile_encoder:
                yield (
                    f"{model.name} gives one vector a slide and protocol={','.join(unfit)} takes bags of tiles: choose "
                    "another, such as protocol=linear."
                )


def _unfit(task: TaskConfig, model: Model) -> UserError | None:
    if task.unit is SampleLevel.tile and (model.tile_encoder or not model.sees_pixels):
        return UserError(f"{model.name} is for slides and the task {task.name} has single tiles: leave it out.")
    return None


def _too_small(task: TaskConfig, model: Model) -> UserError | None:
    """Why its front-end cannot take the tiles, where their size is known before they are read."""
    on_slides = task.unit is not SampleLevel.tile
    size = task.tiling.size or model.tile_card.preprocessing.tile_size if on_slides else task.tile_size
    try:
        if size:
            model.frontend.check(size, size)
    except UserError as error:
        return error
    return None


def _jobs(
    context: RunContext, task: TaskConfig, part: EmbeddingPlan, model: Model
) -> tuple[EmbeddingJob[Any], EmbeddingJob[Any] | None]:
    """The features of tiles and, of a slide encoder, the vectors of slides."""
    below = model.tile_encoder or model
    tiles = EmbeddingJob(
        below.feature_key(part.source),
        context.cache,
        below.load,
        below.memory_bytes,
        {
            "tile_size": task.tile_size or 0,
            "mpp": task.mpp or 0.0,
            "mpp_asked": below.card.preprocessing.mpp or 0.0,
        },
        model.tokens,
        below.frontend,
    )
    if model.tile_encoder is None:
        return tiles, None
    key = model.feature_key(f"tiles {tiles.key.digest}")
    described = {"tile_encoder": below.name}
    return tiles, EmbeddingJob(key, context.cache, model.load_slide_encoder, model.memory_bytes, described)


def _cohort(context: RunContext, task: TaskConfig, models: Sequence[Model]) -> Cohort:
    config = context.config
    if not any(model.sees_pixels for model in models):
        task = dataclasses.replace(task, options={**task.options, "check_files": False})
    manifest = tasks.read(task, Path(config.data) if config.data else None, context.unpacked or context.cache)
    if task.unit is SampleLevel.tile:
        packed = context.cache / "packed" if config.pack else None
        gpu = context.device if config.decode is Decode.gpu else None
        return TileCohort(manifest, config.shard_tiles, packed, gpu, context.progress)
    coords = Path(config.coords).expanduser() if config.coords else None
    features = features_folder(config, models)
    if coords and not coords.is_dir():
        raise UserError(f"The folder of coordinates {coords} does not exist or is a file: name it in coords=DIR.")
    results = context.results if context.pictures else None
    return SlideCohort(manifest, context.cache, results, config.on_corrupt.value, coords, features, context.progress)


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
