"""The steps of a run: plan, embed, fit, report. Each can be taken by itself, here or on another machine."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import protocols
from bench.config import BenchConfig, Step
from bench.data import Cohort
from bench.embedding import Embedding, missing_shards
from bench.runs.checks import check_scratch, check_settings, check_writable
from bench.runs.context import RunContext, to_stderr
from bench.runs.devices import devices_of, run_on
from bench.runs.fit import sentence_of
from bench.runs.missing_features import FeaturesMissing, not_embedded, without_networks
from bench.runs.models import models_of
from bench.runs.passes import embed_pass, run_pass
from bench.runs.plan import Plan, counted_samples
from bench.runs.plan_text import plan_text
from bench.runs.planning import make_plan
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
            failures += run_pass(context, task, part, work)
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
    embedding = embed_pass(context, task, part, [own])[own]
    if embedding.error:
        raise UserError(sentence_of(embedding.error))
    return task.cohort, embedding
