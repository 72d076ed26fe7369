"""The grid of a sweep, split into its units of work: one value of model on one dataset, its heads with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.config import BenchConfig, Null, Step, WeightsChoice
from bench.files import digest
from bench.runs import BASELINES, PRECOMPUTED, concerns
from bench.settings import check_fields
from bench.sweeps.compose import Combination
from registry.errors import UserError

# what cannot change a row, and what a job is told by
NOT_SETTINGS = {
    *("model", "part", "steps", "shards", "jobs_at_once", "results", "cache", "margin", "all"),
    *("workers", "memory_gib", "pack", "batch_size", "scratch", "scratch_gib"),
}
OF_A_UNIT = ("task", "model", "null", "steps", "part", "device", *("shards", "jobs_at_once", "site", "margin", "all"))


@dataclass(frozen=True, eq=False)
class Unit:
    """One job of a sweep, before it has a number.

    Attributes
    ----------
    config : BenchConfig
        Of one task; plain values that can be pickled.
    overrides : tuple of str
        The same on the command line.
    baselines : bool
        Whether the sweep adds the job, to compare its models with.
    """

    config: BenchConfig
    overrides: tuple[str, ...]
    baselines: bool = False

    @property
    def task(self) -> str:
        """Name of the dataset's task."""
        return next(name for name, value in self.config.tasks.items() if is_task(value))

    @property
    def models(self) -> tuple[str, ...]:
        """Those that the job names; its own random-init baselines are not among them."""
        named = self.config.model
        return tuple(str(name) for name in named) if isinstance(named, list) else (str(named),)

    @property
    def part(self) -> str | None:
        """K/N where the job embeds a part of the dataset only."""
        return self.config.part

    @property
    def settings(self) -> str:
        """Digest of all that can change its rows but task and models."""
        own = dataclasses.asdict(self.config)
        return digest({name: value for name, value in own.items() if name not in NOT_SETTINGS})

    @property
    def name(self) -> str:
        """As in "uni on pcam, part 2/4"."""
        part = f", part {self.part}" if self.part else ""
        return f"{'+'.join(self.models)} on {self.task}{part}"

    def part_of(self, number: int, parts: int) -> Unit:
        """The job that embeds one of several parts of the dataset."""
        part = f"{number}/{parts}"
        own = [text for text in self.overrides if not text.startswith("steps=")]
        return Unit(replace(self.config, steps=[Step.embed], part=part), (*own, "steps=[embed]", f"part={part}"))


def units_of(combinations: Sequence[Combination], device: str | None = None) -> list[Unit]:
    """The units of all combinations, those of the baselines after those of the models of their dataset.

    Parameters
    ----------
    device : str or None
        The device of jobs, where the site says it and the settings do not.

    Raises
    ------
    UserError
        If no task is named, or a setting has a value of another kind.
    """
    for combination in combinations:
        check_fields(combination.config)
    combinations = _concerned(combinations)
    found: list[Unit] = []
    baselines: dict[str, tuple[Combination, str, list[str]]] = {}
    for combination in combinations:
        config = combination.config
        if not any(is_task(value) for value in config.tasks.values()):
            raise UserError("No task is named: set task=NAME, or suite=NAME for a set of them.")
        own = _null_of_models(config)
        for task in [name for name, value in config.tasks.items() if is_task(value)]:
            found.append(_unit(combination, task, config, own, device))
            wanted = _baselines(config)
            if wanted:
                alone = _of_baselines(config)
                key = digest([task, dataclasses.asdict(_with_task(alone, task))])
                baselines.setdefault(key, (combination, task, wanted))
    named = {(unit.task, name) for unit in found for name in unit.models}
    for combination, task, wanted in baselines.values():
        models = [name for name in wanted if (task, name) not in named]
        if models:
            alone = replace(_of_baselines(combination.config), model=models)
            found.append(replace(_unit(combination, task, alone, Null.none, device), baselines=True))
    order = list(dict.fromkeys(unit.task for unit in found))
    return sorted(found, key=lambda unit: order.index(unit.task))


def is_task(value: Any) -> bool:
    """Whether this is a task, and not a setting of one that the sweep does not name."""
    return dataclasses.is_dataclass(value) or (isinstance(value, dict) and "name" in value)


def _unit(combination: Combination, task: str, config: BenchConfig, null: Null, device: str | None) -> Unit:
    steps: list[Step] = [step for step in config.steps if step in (Step.embed, Step.fit)] or [Step.embed, Step.fit]
    config = replace(
        _with_task(config, task),
        null=null,
        steps=steps,
        device=config.device if config.device is not None else device,
        shards=1,
        jobs_at_once=None,
    )
    texts = [text for key, text in combination.overrides if key not in OF_A_UNIT and _still_set(key, config)]
    models = f"[{','.join(config.model)}]" if isinstance(config.model, list) else config.model
    own = [f"task={task}", f"model={models}", f"null={null.value}", f"steps=[{','.join(s.value for s in steps)}]"]
    if config.device is not None:
        shown = f"[{','.join(config.device)}]" if isinstance(config.device, list) else config.device
        own.append(f"device={shown}")
    return Unit(config, (*texts, *own))


def _still_set(key: str, config: BenchConfig) -> bool:
    """Whether an override concerns this job: those of other models' checkpoints and of other tasks do not."""
    group, _, rest = key.lstrip("+").partition(".")
    if group == "tasks":
        return rest.partition(".")[0] in config.tasks
    if group in ("checkpoints", "options"):
        return rest in getattr(config, group) or rest.partition(".")[0] in getattr(config, group)
    plain = {"checkpoint": None, "features": None, "revision": None, "weights": WeightsChoice.pretrained}
    return group not in plain or getattr(config, group) != plain[group]


def _with_task(config: BenchConfig, task: str) -> BenchConfig:
    """The same settings with one task; what is set of tasks that are nowhere is left to be refused."""
    return replace(
        config, tasks={name: value for name, value in config.tasks.items() if name == task or not is_task(value)}
    )


def _null_of_models(config: BenchConfig) -> Null:
    """Which baselines the jobs of models make themselves."""
    return Null.own if config.null in (Null.same, Null.own) else Null.none


def _baselines(config: BenchConfig) -> list[str]:
    """The baselines that have a job of their own."""
    alone = config.model in (PRECOMPUTED, [PRECOMPUTED])
    return list(BASELINES) if config.null in (Null.baselines, Null.same) and not alone else []


def _of_baselines(config: BenchConfig) -> BenchConfig:
    """The settings of the baselines' job: nothing of a model's weights or options."""
    alone = replace(
        config,
        model=list(BASELINES),
        null=Null.none,
        checkpoint=None,
        options={},
        features=None,
        revision=None,
        weights=WeightsChoice.pretrained,
    )
    names, _ = concerns(alone) if alone.checkpoints else (set(), set())
    return replace(alone, checkpoints={name: file for name, file in alone.checkpoints.items() if name in names})


def _concerned(combinations: Sequence[Combination]) -> list[Combination]:
    """Take from each combination the checkpoints, options and settings of tasks that only others have.

    What none has stays everywhere, and is refused when the jobs are planned.
    """
    configs = [combination.config for combination in combinations]
    named = {name for config in configs for name, value in config.tasks.items() if is_task(value)}
    known = [concerns(config) if config.checkpoints or config.options else (set(), set()) for config in configs]
    checkpoints = set().union(*(names for names, _ in known))
    options = set().union(*(names for _, names in known))

    def left(values: Mapping[str, Any], own: Iterable[str], others: Iterable[str]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in own or name not in others}

    def concerned() -> Iterator[Combination]:
        for combination, (own_names, own_options) in zip(combinations, known, strict=True):
            config = combination.config
            own_tasks = [name for name, value in config.tasks.items() if is_task(value)]
            changed = replace(
                config,
                checkpoints=left(config.checkpoints, own_names, checkpoints),
                options=left(config.options, own_options, options),
                tasks=left(config.tasks, own_tasks, named),
            )
            yield replace(combination, config=changed)

    return list(concerned())
