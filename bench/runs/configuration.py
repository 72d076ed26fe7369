"""The configuration of a run that is called from Python: the YAML files of tasks and heads, read without Hydra."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bench.config import BenchConfig, conf_folder
from registry.errors import UserError

Settings = str | Sequence[str] | Mapping[str, Mapping[str, Any]]
DEFAULT_HEADS = ("linear", "knn", "ridge", "cox", "abmil")


def make_config(
    models: str | Sequence[str],
    tasks: Settings,
    heads: Settings | None,
    data: str | Path | None,
    results: str | Path,
    cache: str | Path,
    settings: Mapping[str, Any],
) -> BenchConfig:
    """The settings of a run, checked as Hydra checks those of the command line.

    Parameters
    ----------
    models, tasks, heads, data, results, cache, settings
        As in `bench.evaluate`; no heads are an empty mapping, the default ones None.

    Raises
    ------
    UserError
        If a setting, task or head is unknown, or of the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    known = [f.name for f in dataclasses.fields(BenchConfig)]
    for name in settings:
        if name not in known or name in ("model", "tasks", "protocols", "data", "results", "cache"):
            near = get_close_matches(name, known, 1)
            raise UserError(f"There is no setting '{name}'" + (f": is {near[0]} meant?" if near else "."))
    chosen = {
        "model": [models] if isinstance(models, str) else list(models),
        "data": None if data is None else str(data),
        "results": str(results),
        "cache": str(cache),
        **{name: str(value) if isinstance(value, Path) else value for name, value in settings.items()},
    }
    try:
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(BenchConfig), chosen))
    except OmegaConfBaseException as error:
        raise UserError(f"The setting {error.full_key} is wrong: {str(error).splitlines()[0].rstrip('.')}.") from error
    assert isinstance(config, BenchConfig)
    config.tasks = load_settings("task", tasks)
    config.protocols = load_settings("protocol", DEFAULT_HEADS if heads is None else heads)
    return config


def load_settings(group: str, chosen: Settings) -> dict[str, Any]:
    """The settings of tasks or heads by name.

    Parameters
    ----------
    group : {"task", "protocol"}
    chosen
        Names, or ``{name: {field: value}}``. A name without a file needs what its kind cannot be known without: a task
        its `reader`, a protocol its `kind`.

    Raises
    ------
    UserError
        If a name is unknown.
    """
    from omegaconf import DictConfig, OmegaConf

    if isinstance(chosen, str):
        chosen = [chosen]
    changes = dict(chosen) if isinstance(chosen, Mapping) else {name: {} for name in chosen}
    needed = {"task": "reader", "protocol": "kind"}[group]
    known = sorted(file.stem for file in (conf_folder() / group).glob("*.yaml"))
    found: dict[str, Any] = {}
    for name, own in changes.items():
        if name not in known and needed not in own:
            near = get_close_matches(str(name), known, 1)
            raise UserError(
                f"There is no {group} '{name}'"
                + (f": is {near[0]} meant?" if near else f": choose one of {', '.join(known)}.")
            )
        file = conf_folder() / group / f"{name}.yaml"
        base = OmegaConf.load(file) if name in known else OmegaConf.create({"name": name} if group == "task" else {})
        assert isinstance(base, DictConfig)
        base.pop("defaults", None)
        merged = OmegaConf.merge(base, own)
        found[name] = OmegaConf.to_container(merged, resolve=True)
    return found
