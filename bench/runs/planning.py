"""The making of a plan: manifests are read and checked, the weights of every model are found, nothing is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import protocols, tasks
from bench.config import Decode
from bench.data import Cohort, EmbeddingPlan, SlideCohort, TileCohort
from bench.embedding import EmbeddingJob
from bench.runs.checks import check_named, fitting_heads, heads_for_data, named_unfit, scratch_of
from bench.runs.context import RunContext
from bench.runs.fit import Run, fault, sentence_of
from bench.runs.model import Model
from bench.runs.models import features_folder
from bench.runs.plan import ModelWork, Plan, TaskPlan
from bench.runs.tracks import track_plans
from bench.tasks import SampleLevel, TaskConfig
from registry.errors import UserError


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
        return TileCohort(manifest, config.shard_tiles, packed, gpu, context.progress, max_px=config.max_tile_px)
    coords = Path(config.coords).expanduser() if config.coords else None
    features = features_folder(config, models)
    if coords and not coords.is_dir():
        raise UserError(f"The folder of coordinates {coords} does not exist or is a file: name it in coords=DIR.")
    results = context.results if context.pictures else None
    return SlideCohort(
        manifest,
        context.cache,
        results,
        config.on_corrupt.value,
        coords,
        features,
        context.progress,
        scratch_of(config, context.say),
    )
