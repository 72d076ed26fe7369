"""``python -m bench audit``: embed the nulls of a task, run every check on it, write its verdict and its page."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import registry
from bench.audit import NO_ALARM, page_of, run_checks, too_small, write_page
from bench.config import BenchConfig, Null, Step
from bench.runs.audited_task import audited_task
from bench.runs.checks import check_settings, check_writable
from bench.runs.context import RunContext
from bench.runs.devices import devices_of
from bench.runs.evaluate import prepare
from bench.runs.passes import embed_models
from bench.runs.plan import TaskPlan
from bench.verdicts import Audit, write_audit
from registry import RANDOM
from registry.card import Weights
from registry.errors import UserError, near_match
from registry.text_table import wrapped

USAGE = """Usage: python -m bench audit task=NAME [data=DIR] [random=20] [network=NAME] [settings of a run]

Can this task tell models apart? Writes DIR/audits/TASK/COHORT.html, .md and .json (results=DIR): what random networks
and colour score with the heads of the models, what controls that see no tissue score, what stain and centre predict,
and what difference the test side can show. Tables show a badge of the verdict beside the task.

  random=N       seeds of the random network (20); their features are cached and shared by all audits
  network=NAME   whose architecture they have (random_vit_s16); efficientnet_lite0 is cheaper
  protocol=...   the heads, as in a run; rows of models in results=DIR with the same heads are compared with"""
OPTIONS = ("random", "network")
MOST_SEEDS = 1000


@dataclass(frozen=True)
class AuditOptions:
    """What `python -m bench audit` takes beside the settings of a run.

    Attributes
    ----------
    random : int
        Seeds of the random network, from 1 on.
    network : str
        The model whose network gets random weights; the default is the random network of every table.
    """

    random: int = 20
    network: str = "random_vit_s16"


def audit_arguments(arguments: Sequence[str]) -> tuple[AuditOptions, list[str]]:
    """The options of an audit, and the settings of a run beside them.

    Raises
    ------
    UserError
        If an option is wrong, or a setting is one that an audit makes itself.
    """
    found = {name: value for name, equals, value in (one.partition("=") for one in arguments) if name in OPTIONS}
    settings = [one for one in arguments if one.partition("=")[0] not in OPTIONS]
    known = {one.name for one in dataclasses.fields(BenchConfig)}
    for one in settings:
        name, equals, _ = one.lstrip("+").partition("=")
        if equals and name not in known and (near := near_match(name, OPTIONS)):
            raise UserError(f"There is no option {name} of an audit: python -m bench audit --help shows them.{near}")
        if name in ("model", "null", "steps", "seeds"):
            raise UserError(
                f"{one} is not for an audit, which embeds its own networks and compares them with the rows of models "
                "in results=DIR: leave it out."
            )
    if not any(one.startswith(("task=", "suite=")) for one in settings):
        raise UserError("An audit is of a task: name it with task=NAME, or TASK=NAME of make audit.")
    number = found.get("random", str(AuditOptions.random))
    if not number.isdecimal() or not 1 <= int(number) <= MOST_SEEDS:
        raise UserError(f"random={number} must be a number of seeds from 1 to {MOST_SEEDS}, such as random=20.")
    return AuditOptions(int(number), found.get("network", AuditOptions.network)), settings


def audit_tasks(config: BenchConfig, options: AuditOptions) -> list[Path]:
    """Audit each task of the configuration; gives the HTML pages.

    Raises
    ------
    UserError
        If a setting is wrong, a task cannot be read or embedded, or the results cannot be written.
    """
    if not config.tasks:
        raise UserError("An audit is of a task: name it with task=NAME, or TASK=NAME of make audit.")
    registry.load_plugins(list(config.plugins))
    networks = seeded_networks(options)
    config = dataclasses.replace(
        config, model=["colour", *networks], null=Null.none, steps=[Step.embed, Step.fit], seeds=[0]
    )
    check_settings(config)
    context = RunContext(config, devices_of(config)[0], pictures=False)
    for folder, option in ((context.results, "results=DIR"), (context.cache, "cache=DIR")):
        check_writable(folder, option)
    plan = prepare(context)
    with_track = [f"{track.task.name} is a task with a track, and an audit is of labels." for track in plan.tracks]
    if plan.sentences or with_track:
        raise UserError("\n".join([*plan.sentences, *with_track]))
    return [_audit_task(context, task, networks, options) for task in plan.tasks]


def seeded_networks(options: AuditOptions) -> list[str]:
    """The names of the random networks, whose cards are made known to the registry.

    The first is the one of the tables, whose features every run shares; the others have names, and so weights and
    features, of their own, the same in every audit.
    """
    base = options.network.removesuffix(RANDOM)
    card = registry.card(base)
    if card.weights.layout == "none" or card.unit == "slide":
        raise UserError(f"network={options.network} has no weights that could be random: name a network of tiles.")
    first = base if card.weights.layout == "random" else base + RANDOM
    names = [first]
    for seed in range(1, options.random):
        name = f"{base.replace(':', '-').replace('/', '-')}-random-seed{seed}"
        registry.add(dataclasses.replace(registry.card(first), name=name, weights=Weights(layout="random")))
        names.append(name)
    return names


def _audit_task(context: RunContext, plan: TaskPlan, networks: Sequence[str], options: AuditOptions) -> Path:
    manifest, name = plan.cohort.manifest, plan.task.name
    started = time.monotonic()
    seconds: dict[str, float] = {}
    info: dict[str, Any] = {}
    tested = np.any([side == "test" for side in manifest.split_labels], axis=0)
    n_groups = len(np.unique(manifest.frame["group"].to_numpy(str)[tested]))
    small = too_small(n_groups)
    task = None
    if small is not None:
        findings = [small]
    else:
        embeddings = embed_models(context, plan)
        seconds["embedding"] = round(time.monotonic() - started, 1)
        read = time.monotonic()
        task = audited_task(context, plan, embeddings, networks)
        seconds["files"] = round(time.monotonic() - read, 1)
        fitted = time.monotonic()
        n_fits = len(task.heads) * (len(task.controls) + len(task.nulls) * len(networks) + 1)
        context.say(f"{name}: about {n_fits} fits of {', '.join(task.heads)}")
        findings = run_checks(task)
        seconds["heads"] = round(time.monotonic() - fitted, 1)
        info = {
            "metric": task.scored_by,
            "heads": list(task.heads),
            "network": options.network,
            "seeds": options.random,
            "models compared with": sorted({one.model for one in task.models}),
        }
    record = {"test samples": int(tested.sum()), "test groups": n_groups, **info, "seconds": seconds}
    record |= {"notes": list(manifest.notes)} if manifest.notes else {}
    verdict = Audit(name, manifest.cohort_hash, tuple(findings), version("pfmbench"), record)
    write_audit(context.results, verdict)
    page = write_page(context.results, verdict, page_of(verdict, task))[1]
    print("\n".join(_printed(verdict, page)))
    return page


def _printed(verdict: Audit, page: Path) -> list[str]:
    sentences = [f"{verdict.task}: {verdict.badge}", *(f"  {one}" for one in verdict.sentences or [NO_ALARM])]
    lines = [line for one in sentences for line in wrapped(one, break_words=False)]
    return [*lines, f"  All numbers: {page}"]
