"""Tasks and heads by name, read from their YAML files without Hydra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from registry.errors import UserError

REPO_CONF = Path(__file__).resolve().parents[1] / "conf"  # a checkout
WHEEL_CONF = Path(__file__).resolve().parent / "conf"  # an installed wheel


def conf_folder() -> Path:
    """Folder of the YAML files."""
    return REPO_CONF if REPO_CONF.is_dir() else WHEEL_CONF


def load_settings(group: str, chosen: str | Sequence[str] | Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
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
