"""``python -m bench multiverse``: every published protocol that fits, and how far the ranking of models depends on it.

The runs are those of ``python -m bench`` with these protocols: they are resumed, and what is up to date is not computed
again. What is said about them follows from their rows and predictions.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from bench.config import BenchConfig, Step
from bench.data import table_of
from bench.multiverse import analysed, write_multiverse
from bench.results import AcrossProtocols, across_protocols
from bench.rows import rows_of
from bench.runs.context import RunContext
from bench.runs.devices import devices_of
from bench.runs.evaluate import evaluate_plan, run
from bench.runs.plan import Plan, TaskPlan, keys_of
from bench.runs.published_protocols import Published, published_protocols
from bench.tasks import SampleLevel
from registry.errors import UserError


def multiverse_overrides(arguments: Sequence[str], published: Published | None = None) -> list[str]:
    """The arguments of a run with all published protocols and without baselines, unless they name others.

    Raises
    ------
    UserError
        If the list of published protocols cannot be read.
    """
    names = {argument.lstrip("+").partition("=")[0] for argument in arguments}
    found = [] if "null" in names else ["null=none"]
    if "protocol" not in names:
        published = published or published_protocols()
        found.append(f"protocol=[{','.join(published.authors)}]")
        found += [
            f"protocols.{protocol}.{name}={json.dumps(value)}"
            for protocol, fields in published.settings.items()
            for name, value in fields.items()
        ]
    return [*found, *arguments]


def run_multiverse(config: BenchConfig) -> None:
    """Run the protocols of the configuration, compare them, print what they say and write it to the results folder.

    Raises
    ------
    UserError
        At the end, if anything failed; all that could be computed is in the results by then.
    """
    if set(config.steps) == {Step.plan}:
        run(config)
        return
    published = published_protocols()
    context = RunContext(config, devices_of(config)[0])
    for sentence in published.missing:
        context.say(f"pfmbench: {sentence}")
    left_out: dict[str, list[str]] = {}

    def planned(plan: Plan) -> None:
        _without_tracks(plan)
        for task in plan.tasks:
            left_out[task.task.name] = [
                *_unfit(task),
                *_without_patients(task, published.patients),
                *_without_validation(task, published.validation),
                *_without_packages(task, context),
            ]

    outcome = evaluate_plan(context, planned)
    failures = list(outcome.failures)
    if Step.fit in config.steps:
        failures += _report(context, outcome.plan, left_out)
    if failures:
        raise UserError("\n".join(dict.fromkeys(failures)))


def _report(context: RunContext, plan: Plan, left_out: dict[str, list[str]]) -> list[str]:
    """Write and print the comparison of each task; gives a sentence for each that has nothing to compare."""
    found = across_protocols(rows_of(context.results), keys_of(plan))
    failures = []
    for scores in found:
        sentences = left_out.get(scores.task, [])
        if not scores.protocols:
            failures.append(_nothing(scores, sentences))
            continue
        paths, text = write_multiverse(context.results, analysed(scores), sentences)
        print(text, end="\n\n")
        print(f"{scores.task}: {', '.join(path.name for path in paths)} in {paths[0].parent}")
    without = [task.task.name for task in plan.tasks if task.task.name not in {scores.task for scores in found}]
    return [*failures, *(" ".join([f"{name}: no protocol was run.", *left_out.get(name, [])]) for name in without)]


def _nothing(scores: AcrossProtocols, sentences: Sequence[str]) -> str:
    reasons = "; ".join(f"{name} {why}" for name, why in sorted(scores.left_out.items()))
    return " ".join([f"{scores.task}: no protocol has a score that can be compared ({reasons}).", *sentences])


def _without_tracks(plan: Plan) -> None:
    """Tasks with a track are of corruptions and restorers, which one head measures."""
    for track in plan.tracks:
        names = ", ".join(sorted({key.task for key in track.keys}))
        plan.failures.append(
            f"{names or 'A task with a track'}: protocols are compared on tasks without a track alone."
        )
    plan.tracks.clear()


def _unfit(task: TaskPlan) -> list[str]:
    """The protocols that do not fit the task, in a sentence, with what they take."""
    names = task.left_out.removeprefix("; left out: ")
    return [f"Not run, as they do not fit the task: {names}."] if names else []


def _without_patients(task: TaskPlan, needing: frozenset[str]) -> list[str]:
    """Take the protocols that are about a patient's slides out of the plan of another task; gives the sentence."""
    if task.task.unit is SampleLevel.patient:
        return []
    found = _drop(task, [name for name in task.heads if name in needing])
    if not found:
        return []
    return [
        f"Not run, as they are about the several slides of a patient and {task.task.name} has "
        f"unit={task.task.unit.value}: {found}."
    ]


def _without_validation(task: TaskPlan, needing: frozenset[str]) -> list[str]:
    """Take the protocols that need a validation side out of the plan of a task without one; gives the sentence."""
    manifest = task.cohort.manifest
    if any((manifest.split_labels_of(fold) == "val").any() for fold in manifest.folds):
        return []
    found = _drop(task, [name for name in task.heads if name in needing or name.rpartition("-")[0] in needing])
    if not found:
        return []
    return [
        f"Not run, as they choose by a validation side and {task.task.name} has none "
        f"(tasks.{task.task.name}.split.val=0.1 draws one): {found}."
    ]


def _without_packages(task: TaskPlan, context: RunContext) -> list[str]:
    """Take the protocols whose optional package is not installed out of the plan; gives the sentence.

    How to install it is printed, and is not in the sentence: it names this machine's interpreter.
    """
    samples = table_of(task.cohort.manifest)
    reasons = {name: head.unfit(samples) for name, head in task.heads.items() if not head.needs}
    for sentence in dict.fromkeys(filter(None, reasons.values())):
        context.say(f"pfmbench: {sentence}")
    found = _drop(task, [name for name, reason in reasons.items() if reason])
    return [f"Not run, as a package that they need is not installed: {found}."] if found else []


def _drop(task: TaskPlan, unfit: Sequence[str]) -> str:
    """Take these rows of heads out of the plan of a task; gives their names."""
    for name in unfit:
        del task.heads[name]
    for i, (part, work) in enumerate(task.passes):
        own = [
            dataclasses.replace(one, runs=[one_run for one_run in one.runs if one_run.protocol not in unfit])
            for one in work
        ]
        task.passes[i] = part, own
    task.failed[:] = [(one_run, error) for one_run, error in task.failed if one_run.protocol not in unfit]
    return ", ".join(unfit)
