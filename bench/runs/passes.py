"""A pass of a plan: the features of its models, and the heads that are fitted on them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from bench.config import Null, Projection, Step
from bench.data import Cohort, EmbeddingPlan
from bench.embedding import Embedding, EmbeddingSettings, encode
from bench.files import unwritable
from bench.protocols import Bags, Samples
from bench.runs.checks import check_scratch, part_of
from bench.runs.context import RunContext
from bench.runs.devices import memory_for_weights, n_processors, usual_batch_size
from bench.runs.fit import Run, sentence_of
from bench.runs.missing_features import FeaturesMissing, name_missing, not_embedded, without_networks
from bench.runs.peak_memory import PeakMemory
from bench.runs.plan import ModelWork, TaskPlan
from bench.runs.projection import write_projection
from registry.errors import UserError


def run_pass(context: RunContext, task: TaskPlan, part: EmbeddingPlan, work: list[ModelWork]) -> list[str]:
    """Embed what the pending rows of these models need, and fit them; returns the messages of what failed."""
    fitting = Step.fit in context.config.steps
    if Step.embed not in context.config.steps:
        work = [without_networks(task, own, tokens=False) for own in work]  # which no head takes
    pending = {own: own.pending() for own in work}
    for own in work:
        unfit = ", ".join(name for name, head in task.heads.items() if own.model.tile_encoder and head.takes_bags)
        if unfit and own.runs:
            context.say(f"{task.task.name} · {own.model.name}: one vector a slide, so {unfit} is left out")
    wanted = [own for own in work if pending[own] or own.tiles.tokens or not fitting]
    failures: list[str] = []
    if wanted and Step.embed not in context.config.steps:
        missing = not_embedded(part, wanted)
        failures += [name_missing(task, own, pending[own]) for own in missing]
        wanted = [own for own in wanted if own not in missing]
    if not wanted:
        return failures
    peak = PeakMemory(context.device)
    try:
        embeddings = embed_pass(context, task, part, wanted)
    except UserError as error:  # of the data: the same for all models
        failed = [run.fail(error, of_model=False) for own in wanted for run in pending[own]]
        return [*failures, *(failed or [str(error)])]
    peak.stop()
    for own in wanted:
        embedding = embeddings[own]
        if isinstance(embedding.error, FeaturesMissing):
            failures.append(name_missing(task, own, pending[own]))
        elif embedding.error and not (fitting and pending[own]):
            failures.append(sentence_of(embedding.error, own.model.name))
        elif embedding.error:
            failures += [run.fail(embedding.error) for run in pending[own]]
        else:
            samples = functools.cache(functools.partial(_samples, task.cohort, embedding))
            of_model = peak.mib if len(wanted) == 1 else None  # of several that share a pass it is not known
            failures += [s for run in pending[own] if (s := run.finish(own.features, embedding, samples, of_model))]
            failures += _project(context, task, own, pending[own], samples)
    _name_costly_baselines(context, embeddings)
    return failures


def _project(
    context: RunContext, task: TaskPlan, own: ModelWork, runs: Sequence[Run], samples: Callable[[bool], Samples | Bags]
) -> list[str]:
    """Write the map of a model's features, not of baselines'; gives the sentence of a failure, or nothing."""
    model = own.model
    if not runs or model.baseline or context.config.projection is Projection.none:
        return []
    bags = all(run.head.takes_bags for run in runs)  # vectors of all samples are not made for a map alone
    try:
        write_projection(
            context.results,
            task.cohort.manifest,
            model.name,
            model.frontend.name,
            own.features,
            lambda: samples(bags),
        )
    except OSError as error:
        return [str(unwritable(context.results / "projections", error, "results=DIR"))]
    return []


def embed_models(context: RunContext, plan: TaskPlan) -> dict[str, Embedding]:
    """The features of all models of a planned task, by their names; what is in the cache is not made again.

    Raises
    ------
    UserError
        If those of a model cannot be made.
    """
    check_scratch(context.config)
    found: dict[str, Embedding] = {}
    for part, work in plan.passes:
        for own, embedding in embed_pass(context, plan, part, work).items():
            if embedding.error:
                raise UserError(sentence_of(embedding.error, own.model.name))
            found[own.model.name] = embedding
    return found


def embed_pass(
    context: RunContext, task: TaskPlan, part: EmbeddingPlan, work: Sequence[ModelWork]
) -> dict[ModelWork, Embedding]:
    """The features of the tiles by each model or, by a slide encoder, of the slides.

    Raises
    ------
    UserError
        If the data cannot be read; what fails of one model is in its `Embedding`.
    """
    config = context.config
    how = EmbeddingSettings(
        batch_size=config.batch_size or usual_batch_size(context.device, part.tile_size),
        workers=config.workers or n_processors(),
        on_corrupt=config.on_corrupt.value,
        memory_bytes=memory_for_weights(context),
        find_batch_size=config.batch_size is None,
        progress=context.progress,
        say=context.say,
    )
    label = task.task.name
    of_tiles = part.run([own.tiles for own in work], how, label=label, part=part_of(config))
    found = {}
    for own in work:
        embedding = of_tiles[own.tiles.key]
        if own.vectors is not None and embedding.error is None:
            embedding = encode(embedding, own.vectors, label=label, progress=context.progress, say=context.say)
        found[own] = embedding
    return found


def _name_costly_baselines(context: RunContext, embeddings: dict[ModelWork, Embedding]) -> None:
    """Say which baseline took longer to embed than all models of the run together, and how to leave it out.

    With `null=none` it is there because it was named as a model.
    """
    if context.config.null is Null.none:
        return
    models = sum(embedding.seconds for own, embedding in embeddings.items() if not own.model.baseline)
    for own, embedding in embeddings.items():
        own_seconds = embedding.seconds
        if own.model.baseline and 0 < models < own_seconds:
            context.say(
                f"the baseline {own.model.name} took {own_seconds / models:.1f} times as long to embed as the models "
                "of this run; its features are cached now, and null=none leaves the baselines out"
            )


def _samples(cohort: Cohort, embedding: Embedding, bags: bool) -> Samples | Bags:
    """What a head takes: bags of tiles, or a vector each."""
    return cohort.bags(embedding) if bags else cohort.samples(embedding)
