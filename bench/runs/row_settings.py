"""The settings that make one row again: those of its run, of its task, model, head and seed alone."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from enum import Enum
from typing import Any

from bench.config import BenchConfig, Null, Precision, WeightsChoice
from bench.runs.frontends import restorers_of_tracks
from bench.runs.model import Model
from bench.tasks import TaskConfig
from registry.errors import UserError

NOT_OF_ROWS = (
    *("steps", "part", "shards", "jobs_at_once", "results", "cache", "scratch", "scratch_gib", "pack", "margin"),
    *("device", "workers", "memory_gib", "plots", "projection", "all"),
)
"""Settings that change where and how fast a row is made, and not the row."""
DESCRIPTIONS = ("title", "citation", "licence", "url", "layout")
"""Fields of a task that nothing is computed from."""


def settings_of(config: BenchConfig, task: str, model: Model | None, protocol: str, seed: int) -> dict[str, Any]:
    """The settings of a row as values of JSON, without those that are the default.

    The precision is that which the device of the run gave the model.

    Parameters
    ----------
    model : Model or None
        None where no model is measured.
    protocol : str
        The name of the row's protocol; of rows that no head makes any other name.
    """
    names = _front_ends(config, task) | ({model.tile_encoder.name} if model and model.tile_encoder else set())
    own = dataclasses.replace(
        config,
        tasks={task: task_settings(config.tasks[task])},
        protocols=_protocol(config.protocols, protocol),
        seeds=[seed],
        null=Null.none,
        weights=WeightsChoice.pretrained,
        frontends={name: config.frontends[name] for name in config.frontends if name in names},
        checkpoints={name: config.checkpoints[name] for name in config.checkpoints if name in names},
        checkpoint=None,
        options={},
    )
    if model is not None:
        own.model = model.name
        own.checkpoint = model.source.get("checkpoint")
        own.options = dict(model.how.get("options", {}))
        if model.sees_pixels and model.tile_encoder is None:
            own.precision = Precision(model.how["precision"])
    values, default = plain(vars(own)), _defaults()
    found = {name: value for name, value in values.items() if value != default[name] and name not in NOT_OF_ROWS}
    return {"model": own.model, "seeds": [seed], **found} if model is not None else found


def config_of(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> BenchConfig:
    """The configuration of settings that a row has, with changes.

    Raises
    ------
    UserError
        If a setting is unknown or of the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        merged = OmegaConf.merge(OmegaConf.structured(BenchConfig), {"null": "none"}, dict(settings), dict(changes))
        config = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise UserError(f"The settings of the row cannot be used ({reason}): run it again by its command.") from error
    assert isinstance(config, BenchConfig)
    return config


def task_settings(settings: TaskConfig | Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a task that are not the default, without those that nothing is computed from."""
    return {name: value for name, value in changed_settings(plain(settings), _TASK).items() if name not in DESCRIPTIONS}


def changed_settings(values: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """The values that differ from the default, records within records too."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        of_default = default.get(name)
        if isinstance(value, dict) and isinstance(of_default, dict) and of_default:
            if changed := changed_settings(value, of_default):
                found[name] = changed
        elif name not in default or value != of_default:
            found[name] = value
    return found


def _protocol(settings: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    """The protocol that a row is of: its own name, or the start of it where each number of shots is a row."""
    starts = [name for name in settings if protocol == name or protocol.startswith(f"{name}-")]
    return {name: settings[name] for name in sorted(starts, key=len)[-1:]}


def _front_ends(config: BenchConfig, task: str) -> set[str]:
    """Names of the front-ends of a run, and of the restorers of a task with a track."""
    chosen = config.frontend if isinstance(config.frontend, list) else [config.frontend]
    return {*map(str, chosen), *restorers_of_tracks(dataclasses.replace(config, tasks={task: config.tasks[task]}))}


def plain(value: Any) -> Any:
    """The value in the types of JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


@functools.cache
def _defaults() -> dict[str, Any]:
    found = plain(BenchConfig())
    assert isinstance(found, dict)
    return found


_TASK: dict[str, Any] = {name: value for name, value in plain(TaskConfig(name="")).items() if name != "name"}
