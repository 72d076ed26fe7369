"""What Hydra makes of a sweep's command line: the settings of each combination, and the launcher of the site."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import tasks
from bench.config import BenchConfig, conf_folder, register
from registry.errors import UserError

ENGINES = {  # by the class of Hydra's launcher
    "hydra._internal.core_plugins.basic_launcher.BasicLauncher": "laptop",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher": "local",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher": "slurm",
}
VERSION_BASE = "1.3"  # of Hydra, as of the other commands
OF_THE_SWEEP = ("site", "shards", "jobs_at_once", "results", "cache", "steps", "margin", "all")  # one value in all jobs


@dataclass(frozen=True)
class Combination:
    """One point of the grid, as Hydra composes it.

    Attributes
    ----------
    config : BenchConfig
    overrides : tuple of (str, str)
        The key and the whole override of each, those of Hydra itself left out.
    """

    config: BenchConfig
    overrides: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Composed:
    """A sweep's command line.

    Attributes
    ----------
    combinations : list of Combination
        At least one.
    engine : str
        "laptop", "local", "slurm", or the name of another launcher of Hydra.
    launcher : dict
        The settings of the launcher.
    master : DictConfig
        The configuration of the sweep itself, which other launchers start from.
    loader : ConfigLoader
        Of Hydra.
    """

    combinations: list[Combination]
    engine: str
    launcher: dict[str, Any]
    master: Any
    loader: Any


@contextlib.contextmanager
def composed(arguments: Sequence[str]) -> Iterator[Composed]:
    """Compose every combination of a command line; Hydra's state is there until the block ends.

    Parameters
    ----------
    arguments : sequence of str
        Overrides in Hydra's grammar, and its options ``--config-dir``, ``--config-name``.

    Raises
    ------
    UserError
        If something is swept that must be one value, or the sweeper is not Hydra's own.
    HydraException, OmegaConfBaseException
        If a key or a value is wrong.
    """
    from hydra import version
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path, get_args_parser
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import SearchPathException
    from hydra.types import RunMode

    version.setbase(VERSION_BASE)
    register()
    tasks.register()
    options = get_args_parser().parse_args(list(arguments))
    path = create_config_search_path(str(Path(options.config_path or conf_folder()).absolute()))
    if options.config_dir is not None:
        folder = os.path.abspath(options.config_dir)
        if not os.path.isdir(folder):
            raise SearchPathException(f"Additional config directory '{folder}' not found")
        path.prepend(provider="command-line", path=f"file://{folder}", anchor=SearchPathQuery(provider="schema"))
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2(task_name="pfmbench", config_search_path=path)
    name = options.config_name or "bench"

    def compose(overrides: Sequence[str], mode: RunMode) -> Any:
        return hydra.compose_config(name, list(overrides), run_mode=mode, with_log_configuration=False)

    try:
        master = compose(options.overrides, RunMode.MULTIRUN)
        launcher = _container(master.hydra.launcher)
        if "BasicSweeper" not in str(master.hydra.sweeper._target_):
            chosen = master.hydra.runtime.choices["hydra/sweeper"]
            raise UserError(f"hydra/sweeper={chosen} chooses values by itself, and a sweep is a grid: leave it out.")
        params = [f"{key}={value}" for key, value in (master.hydra.sweeper.get("params") or {}).items()]
        found = []
        for overrides, models in _combinations([*params, *options.overrides], hydra.config_loader):
            first = compose([text for _, text in overrides] + [models[0][0]] * bool(models[0][0]), RunMode.RUN)
            config = _settings(first)
            plain = tuple((key, text) for key, text in overrides if not key.startswith("hydra"))
            for text, value in models:
                own = replace(config, model=value) if text else config
                found.append(Combination(own, (*plain, *([("model", text)] if text else []))))
        choice = master.hydra.runtime.choices.get("hydra/launcher")
        engine = ENGINES.get(launcher.get("_target_", ""), str(choice))
        yield Composed(found, engine, launcher, master, hydra.config_loader)
    finally:
        GlobalHydra.instance().clear()


def _combinations(
    overrides: Sequence[str], loader: Any
) -> Iterator[tuple[list[tuple[str, str]], list[tuple[str, Any]]]]:
    """The grid: the overrides of each combination but those of the model, and every model as override and as value.

    Models are apart because nothing else in the configuration depends on them, so that one composition serves all.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create(config_loader=loader)
    lists: dict[str, list[tuple[str, str]]] = {}
    models: list[tuple[str, Any]] = [("", None)]
    for override in parser.parse_overrides(list(overrides)):
        key, bare = override.get_key_element(), override.key_or_group
        if override.is_delete():
            texts = [str(override.input_line)]
        elif not override.is_sweep_override():
            texts = [f"{key}={override.get_value_element_as_str()}"]
        elif not override.is_discrete_sweep():
            raise UserError(f"{override.input_line} names no values to sweep over: list them, {key}=A,B.")
        elif bare.startswith("hydra") or bare in OF_THE_SWEEP:
            raise UserError(f"{override.input_line} sweeps over {bare}, which is one for all jobs: choose one value.")
        else:
            texts = [f"{key}={value}" for value in override.sweep_string_iterator()]
        if bare == "model" and not override.is_delete():
            models = [(text, parser.parse_override(text).value()) for text in texts]
        else:
            lists[bare] = [(bare, text) for text in texts]
    for chosen in itertools.product(*lists.values()):
        yield list(chosen), models


def _settings(master: Any) -> BenchConfig:
    from omegaconf import OmegaConf, open_dict

    with open_dict(master):
        del master["hydra"]
    config = OmegaConf.to_object(master)
    assert isinstance(config, BenchConfig)
    return config


def _container(node: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf

    found = OmegaConf.to_container(node, resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}
