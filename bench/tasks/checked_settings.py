"""The settings of a task, checked: every error is one sentence that names the setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from bench.settings import check_fields, check_value
from bench.tasks.config import RESERVED, Split, TaskConfig, Tiling
from bench.tasks.reader_options import READER_OPTIONS, misspelt_column
from bench.tasks.track import Track, check_predicted, check_track
from registry.errors import UserError, near_match


def configured(settings: TaskConfig | Mapping[str, Any]) -> TaskConfig:
    """The task that the settings describe, checked.

    Raises
    ------
    UserError
        If a setting is unknown, of the wrong type or out of range.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from bench.slides import PLAUSIBLE
    from bench.tiles import check_tile, check_tiling

    name = settings.name if isinstance(settings, TaskConfig) else settings.get("name", "")
    _check_names(f"tasks.{name}", settings, TaskConfig)
    for part, schema in (("tiling", Tiling), ("split", Split), ("track", Track)):
        own = getattr(settings, part) if isinstance(settings, TaskConfig) else settings.get(part)
        _check_names(f"tasks.{name}.{part}", own, schema)
    if name in RESERVED:
        raise UserError(f"A task cannot be called {name}, as the table has a column of that name: call it otherwise.")
    try:
        task = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TaskConfig), settings))
    except OmegaConfBaseException as error:
        raise UserError(f"The task {name or 'without a name'} is not well described: {_first_line(error)}.") from error
    assert isinstance(task, TaskConfig)
    _check_kind(task)
    _check_options(task)
    check_track(task)
    check_fields(task, f"tasks.{task.name}.")
    check_tile(f"tasks.{task.name}", size=task.tile_size, mpp=task.mpp)
    if task.mpp_default is not None and not PLAUSIBLE[0] <= task.mpp_default <= PLAUSIBLE[1]:
        raise UserError(
            f"tasks.{task.name}.mpp_default is {task.mpp_default} and must be from {PLAUSIBLE[0]} to {PLAUSIBLE[1]:g} "
            "micrometres, or null to refuse slides without a resolution."
        )
    if task.split.folds < 0 or task.split.folds == 1:
        raise UserError(
            f"tasks.{task.name}.split.folds is {task.split.folds} and must be 2 or more, or 0 for one test set."
        )
    if task.split.repeats < 1:
        raise UserError(f"tasks.{task.name}.split.repeats is {task.split.repeats} and must be at least 1.")
    if not 0 <= task.split.seed < 2**32:
        raise UserError(f"tasks.{task.name}.split.seed is {task.split.seed} and must be from 0 to 2**32 - 1.")
    for share, value in (("test", task.split.test), ("val", task.split.val)):
        if not 0 <= value < 1:
            raise UserError(f"tasks.{task.name}.split.{share} is {value} and must be at least 0 and below 1.")
    tiling = asdict(task.tiling)
    del tiling["upsample"], tiling["resample"]
    check_tiling(f"tasks.{task.name}.tiling", **tiling)
    if task.min_groups < 1:
        raise UserError(f"tasks.{task.name}.min_groups is {task.min_groups} and must be at least 1.")
    return task


def _check_names(place: str, settings: Any, schema: type) -> None:
    """Every name in the settings, be they an object or a mapping, is a field of the schema."""
    known = [f.name for f in fields(schema)]
    names = settings if isinstance(settings, Mapping) else getattr(settings, "__dict__", {})
    unknown = sorted(str(name) for name in names if name not in known)
    if unknown:
        raise UserError(
            f"{place} has no setting {unknown[0]}: its settings are {', '.join(known)}.{near_match(unknown[0], known)}"
        )


def _check_kind(task: TaskConfig) -> None:
    """Fill in the columns and the metric of the task's kind, and refuse those of another."""
    from bench import targets

    try:
        target = targets.get(task.kind)
    except UserError as error:
        raise UserError(f"tasks.{task.name}.kind is wrong. {error}") from error
    check_predicted(task)
    if not task.targets and not target.columns:
        raise UserError(
            f"The task {task.name} is {task.kind} and names no columns: set tasks.{task.name}.targets=[A,B], one a "
            "label."
        )
    task.targets = task.targets or list(target.columns)
    for setting, names in (("targets", task.targets), ("classes", task.classes)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(f"tasks.{task.name}.{setting} names {', '.join(twice)} more than once: name each once.")
    if not target.any_number_of_columns and len(task.targets) != len(target.columns):
        raise UserError(
            f"A task of the kind {task.kind} has {len(target.columns)} of tasks.{task.name}.targets, such as "
            f"{' and '.join(target.columns)}, not {', '.join(task.targets)}."
        )
    metrics = target.metrics
    task.metric = task.metric or metrics.primary
    if task.metric not in metrics.metrics:
        raise UserError(
            f"tasks.{task.name}.metric is {task.metric}, which a task of the kind {task.kind} does not have: "
            f"choose one of {', '.join(metrics.metrics)}.{near_match(task.metric, metrics.metrics)}"
        )


def _check_options(task: TaskConfig) -> None:
    from bench.tasks import readers

    known = [*readers.get(task.reader).OPTIONS, *task.own_options]
    unknown = sorted(task.options.keys() - set(known))
    if unknown:
        raise UserError(
            f"tasks.{task.name}.options has no option {unknown[0]}: the reader {task.reader} has "
            f"{', '.join(known) or 'none'}.{near_match(unknown[0], known)}"
        )
    for option, value in task.options.items():
        if option in READER_OPTIONS and option not in task.own_options:
            check_value(f"tasks.{task.name}.options.{option}", READER_OPTIONS[option], value)
    twisted = misspelt_column(task.options.get("columns") or (), task.targets)
    if twisted:
        raise UserError(
            f"tasks.{task.name}.options.columns names no column {twisted[0]} that is read: is {twisted[1]} meant?"
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
