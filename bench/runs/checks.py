"""What a run must be before anything is computed: its settings, the heads for its tasks, the folders that it writes."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import protocols, report, targets
from bench.config import BenchConfig, Step
from bench.data import table_of
from bench.files import unwritable
from bench.settings import check_fields
from bench.slides import Scratch
from bench.tasks import Manifest, SampleLevel, TaskConfig
from registry.errors import UserError, near_match

PART = re.compile(r"([1-9][0-9]*)/([1-9][0-9]*)")


def check_settings(config: BenchConfig) -> None:
    """Settings must be known, tasks and protocols groups of them; seeds, resamples and sizes in range."""
    known = [f.name for f in dataclasses.fields(config)]
    unknown = sorted(vars(config).keys() - set(known))
    if unknown:
        raise UserError(
            f"There is no setting {unknown[0]}: the settings are {', '.join(known)}.{near_match(unknown[0], known)}"
        )
    check_fields(config)
    for group, settings in (("task", config.tasks), ("protocol", config.protocols)):
        for name, value in settings.items():
            if not isinstance(value, dict) and not dataclasses.is_dataclass(value):
                raise UserError(
                    f"{group}s.{name} is {value}, and what can be set are its fields, {group}s.{name}.FIELD=VALUE: "
                    f"choose with {group}=NAME."
                )
    unnamed = [name for name, value in config.protocols.items() if isinstance(value, dict) and "kind" not in value]
    if unnamed:
        there = ", ".join(name for name in config.protocols if name not in unnamed) or "none"
        raise UserError(
            f"protocols.{unnamed[0]} is set, but there is no protocol {unnamed[0]} in this run: its protocols are "
            f"{there}; name it in protocol=, or give one of your own its kind, protocols.{unnamed[0]}.kind=KIND."
        )
    if not config.seeds or not all(0 <= seed < 2**32 for seed in config.seeds):
        raise UserError(f"seeds={list(config.seeds)} must name one seed or more, each from 0 to 2**32 - 1: seeds=[0].")
    if len(set(config.seeds)) < len(config.seeds):
        once = ",".join(map(str, dict.fromkeys(config.seeds)))
        raise UserError(f"seeds={list(config.seeds)} names a seed twice, which gives the same row: seeds=[{once}].")
    report.check_margin(config.margin)
    if config.memory_gib is not None and not 0 < config.memory_gib < float("inf"):
        raise UserError(f"memory_gib={config.memory_gib} must be a number above 0.")
    if not 0 < config.scratch_gib < float("inf"):
        raise UserError(f"scratch_gib={config.scratch_gib} must be a number above 0.")
    if not config.steps or (Step.plan in config.steps and len(set(config.steps)) > 1):
        raise UserError(
            f"steps=[{','.join(step.value for step in config.steps)}] must be [plan] alone, or some of embed, fit and "
            "report."
        )
    part_of(config)


def part_of(config: BenchConfig) -> tuple[tuple[int, int], ...]:
    """Which of how many parts of the shards is embedded; several are parts of parts, and none is all.

    Raises
    ------
    UserError
        If `part` is not of the form K/N, or other steps than embed are taken.
    """
    if config.part is None:
        return ()
    found = [PART.fullmatch(part) for part in config.part.split(" ")]
    parts = tuple((int(match[1]), int(match[2])) for match in found if match)
    if len(parts) < len(found) or any(k > n for k, n in parts):
        raise UserError(f"part={config.part} must be K/N, the K-th of N parts of the shards, such as part=2/4.")
    if set(config.steps) != {Step.embed}:
        raise UserError(f"part={config.part} embeds a part of the shards only: set steps=[embed] with it.")
    return parts


def check_named(key: str, config: BenchConfig) -> None:
    """Settings under ``tasks.KEY`` must be of a task of that name in this run."""
    names = {other: _name_of(task) for other, task in config.tasks.items()}
    if not names[key]:
        there = ", ".join(other for other, name in names.items() if name) or "none"
        raise UserError(
            f"tasks.{key} is set, but there is no task {key} in this run: its tasks are {there}."
            + near_match(key, [other for other, name in names.items() if name])
        )
    if names[key] != key:
        raise UserError(f"tasks.{key}.name is {names[key]}: a task's name is its key, so write a YAML of that name.")


def _name_of(task: Any) -> str:
    return str(task.get("name", "") if isinstance(task, dict) else task.name)


def fitting_heads(task: TaskConfig, heads: dict[str, protocols.Head]) -> dict[str, protocols.Head]:
    """The heads that fit the unit and the kind of the task."""
    slides, kind = task.unit is not SampleLevel.tile, targets.get(task.kind).head_kind
    found = {name: head for name, head in heads.items() if kind in head.kinds and (slides or not head.takes_bags)}
    if not found:
        fits_slides = any(kind in head.kinds for head in heads.values())
        raise UserError(
            f"The task {task.name} has {task.kind} of {task.unit.value}s to predict, for which protocol="
            f"{','.join(heads)} {'is not: it takes slides as bags of tiles' if fits_slides else 'is not'}: choose "
            f"another, such as protocol={targets.get(task.kind).usual_head}."
        )
    return found


def heads_for_data(manifest: Manifest, heads: dict[str, protocols.Head]) -> dict[str, protocols.Head]:
    """The heads that can be fitted to the samples, by what the manifest says of them.

    Raises
    ------
    UserError
        If none is left: the sentence of the first.
    """
    if not any(head.needs for head in heads.values()):
        return heads
    samples = table_of(manifest)
    unfit = {name: head.unfit(samples) for name, head in heads.items()}
    if all(unfit.values()):
        raise UserError(f"The task {manifest.task.name} cannot be run. {next(iter(unfit.values()))}")
    return {name: head for name, head in heads.items() if not unfit[name]}


def named_unfit(task: TaskConfig, heads: dict[str, protocols.Head], fitting: dict[str, protocols.Head]) -> str:
    """The heads that do not fit the task, in words, with what they take."""
    kind = targets.get(task.kind).head_kind
    unfit = [f"{name} ({_wanted_by(head, kind)})" for name, head in heads.items() if name not in fitting]
    return f"; left out: {', '.join(unfit)}" if unfit else ""


def _wanted_by(head: protocols.Head, kind: str) -> str:
    """What a head takes, of which a task of this kind has nothing."""
    if kind not in head.kinds:
        return ", ".join(head.kinds)
    return f"samples to be compared by {' and '.join(head.needs)}" if head.needs else "slides"


def scratch_of(config: BenchConfig, say: Callable[[str], None]) -> Scratch | None:
    """Where slides are copied before their tiles are read; environment variables are those of this machine."""
    if config.scratch is None:
        return None
    folder = Path(os.path.expandvars(config.scratch)).expanduser()
    return Scratch(folder, int(config.scratch_gib * 2**30), say)


def check_scratch(config: BenchConfig) -> None:
    """The scratch folder takes files, and nothing of killed runs is left in it."""
    scratch = scratch_of(config, lambda line: None)
    if scratch is None:
        return
    if "$" in str(scratch.folder):
        raise UserError(
            f"scratch={config.scratch} names an environment variable that is not set on {socket.gethostname()}: set it "
            "there, or name a folder of the node's own disk."
        )
    check_writable(scratch.folder, "scratch=DIR")
    scratch.sweep()


def check_writable(folder: Path, option: str) -> None:
    """The folder is there, or is made, and takes files."""
    probe = folder / f".writable.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(probe, error, option) from error
