"""The steps of a run: plan, embed, fit, report. Each can be taken by itself, here or on another machine."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import protocols
from bench.config import BenchConfig, Projection, Step
from bench.data import Cohort, EmbeddingPlan
from bench.embedding import Embedding, EmbeddingSettings, encode, missing_shards
from bench.files import unwritable
from bench.protocols import Bags, Samples
from bench.runs.checks import check_scratch, check_settings, check_writable, part_of
from bench.runs.context import RunContext, to_stderr
from bench.runs.devices import devices_of, memory_for_weights, n_processors, run_on, usual_batch_size
from bench.runs.fit import Run, sentence_of
from bench.runs.missing_features import FeaturesMissing, name_missing, not_embedded, without_networks
from bench.runs.models import models_of
from bench.runs.peak_memory import PeakMemory
from bench.runs.plan import ModelWork, Plan, TaskPlan, counted_samples
from bench.runs.plan_text import plan_text
from bench.runs.planning import make_plan
from bench.runs.projection import write_projection
from bench.runs.reporting import print_report
from bench.runs.tracks import run_tracks
from registry.errors import UserError


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes
    ----------
    plan : Plan
    failures : list of str
        A sentence for each thing that failed; all that could be computed is in the results.
    """

    plan: Plan
    failures: list[str]


def prepare(context: RunContext) -> Plan:
    """Check the settings and plan the run; nothing is embedded or fitted.

    Raises
    ------
    UserError
        If a setting is wrong.
    """
    config = context.config
    check_settings(config)
    entries = models_of(config, context.device)
    configured = {name: protocols.configured(settings) for name, settings in config.protocols.items()}
    heads = configured if set(config.steps) & {Step.plan, Step.fit} else {}  # features alone need none
    if not config.tasks:
        raise UserError("No task is named: set task=NAME, or suite=NAME for a set of them.")
    return make_plan(context, entries, heads)


def evaluate_plan(context: RunContext, planned: Callable[[Plan], None] = lambda plan: None) -> Outcome:
    """Plan, then embed and fit as far as `steps` says; the tables are not made here.

    Parameters
    ----------
    planned : callable
        Takes the plan before anything of it is done.

    Raises
    ------
    UserError
        If a setting is wrong or a folder cannot be written.
    """
    for folder, option in ((context.results, "results=DIR"), (context.cache, "cache=DIR")):
        check_writable(folder, option)
    check_scratch(context.config)
    plan = prepare(context)
    planned(plan)
    failures = [*plan.failures]
    if Step.fit in context.config.steps:
        failures += run_tracks(plan.tracks)
    _embed_on_all(context, plan)
    for task in plan.tasks:
        context.say(f"{task.task.name}: {counted_samples(task.cohort)}{task.left_out}")
        failures += [run.fail(error) for run, error in task.failed]
        for part, work in task.passes:
            failures += _run_pass(context, task, part, work)
    return Outcome(plan, list(dict.fromkeys(failures)))


def _embed_on_all(context: RunContext, plan: Plan) -> None:
    """Where the settings name several devices, embed what is missing with a process for each."""
    devices = devices_of(context.config)
    if Step.embed in context.config.steps and len(devices) > 1 and _is_incomplete(plan):
        run_on(devices, context, embed_part)


def _is_incomplete(plan: Plan) -> bool:
    """Whether features may be missing in the cache, as far as is known without laying the grid of any slide."""
    for task in plan.tasks:
        for part, work in task.passes:
            known = part.known()
            if known.unknown or any(missing_shards(own.tiles, known.shards) for own in work):
                return True
    return False


def embed_part(config: BenchConfig, device: str, threads: int, progress: bool, talk: bool) -> None:
    """Embed on one of several devices, in a process of its own: what is missing afterwards is the caller's to name."""
    import torch

    def say(line: str) -> None:
        if talk:
            to_stderr(f"{device}: {line}")

    torch.set_num_threads(threads)
    with contextlib.suppress(UserError, KeyboardInterrupt):
        evaluate_plan(RunContext(config, device, progress, say=say))


def run(config: BenchConfig) -> None:
    """Take the steps that the configuration names, and print what they give.

    Raises
    ------
    UserError
        At the end, if anything failed; all that could be computed is in the results by then.
    """
    check_settings(config)
    context = RunContext(config, devices_of(config)[0])
    steps = set(config.steps)
    if steps == {Step.plan}:
        with nothing_written(context) as context:
            plan = prepare(context)
            print(plan_text(plan))
        if plan.sentences:
            raise UserError("\n".join(plan.sentences))
        return
    outcome = evaluate_plan(context) if steps & {Step.embed, Step.fit} else None
    failures = [*outcome.failures] if outcome else []
    if Step.report in steps:
        try:
            print_report(context, outcome.plan if outcome else None)
        except UserError as error:  # what failed before it is named too
            failures.append(str(error))
    if failures:
        raise UserError("\n".join(dict.fromkeys(failures)))


@contextlib.contextmanager
def nothing_written(context: RunContext) -> Iterator[RunContext]:
    """The same context, whose readers see what is in the cache and put what they make into a folder that vanishes."""
    with tempfile.TemporaryDirectory(prefix="pfmbench-plan-") as folder:
        for there in context.cache.iterdir() if context.cache.is_dir() else ():
            (Path(folder) / there.name).symlink_to(there.absolute())
        yield dataclasses.replace(context, unpacked=Path(folder))


def _run_pass(context: RunContext, task: TaskPlan, part: EmbeddingPlan, work: list[ModelWork]) -> list[str]:
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
        embeddings = _embed(context, task, part, wanted)
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


def embed_cohort(context: RunContext, plan: Plan) -> tuple[Cohort, Embedding]:
    """The samples and features of a plan of one task and one model.

    Raises
    ------
    UserError
        If they cannot be made.
    """
    (task,) = plan.tasks
    ((part, (own,)),) = task.passes
    if Step.embed not in context.config.steps:
        own = without_networks(task, own)
        if not_embedded(part, [own]):
            raise FeaturesMissing(own.model.name, task.task.name)
    check_scratch(context.config)
    _embed_on_all(context, plan)
    embedding = _embed(context, task, part, [own])[own]
    if embedding.error:
        raise UserError(sentence_of(embedding.error))
    return task.cohort, embedding


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
        for own, embedding in _embed(context, plan, part, work).items():
            if embedding.error:
                raise UserError(sentence_of(embedding.error, own.model.name))
            found[own.model.name] = embedding
    return found


def _embed(
    context: RunContext, task: TaskPlan, part: EmbeddingPlan, work: Sequence[ModelWork]
) -> dict[ModelWork, Embedding]:
    """The features of the tiles by each model or, by a slide encoder, of the slides."""
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
    """Say which baseline took longer to embed than all models of the run together, and how to leave it out."""
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
