"""The published presets of heads and tasks, as conf/ has them, and what rows state to have been made with."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from bench import protocols, tasks
from bench.config import conf_folder
from bench.rows import Row, RowInfo
from bench.runs.configuration import load_settings
from bench.runs.fit import head_config_hash
from bench.tasks import TaskConfig
from registry.errors import UserError


def preset_names(group: str) -> list[str]:
    """Names of the YAML files of a group, "task" or "protocol"."""
    return sorted(file.stem for file in (conf_folder() / group).glob("*.yaml"))


@functools.cache
def preset_digest(protocol: str) -> str | None:
    """The digest of the published head whose rows have this protocol, as `head_config_hash` of a row has it.

    Returns
    -------
    str or None
        "" for a head whose digest holds columns of the data too; None where there is no such preset.
    """
    for name in preset_names("protocol"):
        if protocol == name or protocol.startswith(f"{name}-"):
            heads = protocols.rows_of({name: protocols.configured(load_settings("protocol", name)[name])})
            if protocol in heads:
                return "" if heads[protocol].needs else head_config_hash(heads[protocol])
    return None


def stated_digest(row: Row) -> str | None:
    """The digest of the head by the settings that a row states; None where it states none, or the data are part of it.

    Raises
    ------
    UserError
        If these settings are not those of a head.
    """
    stated = RowInfo(row).config.get("protocols")
    if not isinstance(stated, dict) or not stated:
        return None
    _refuse_references(stated)
    heads = protocols.rows_of({name: protocols.configured(own) for name, own in stated.items() if _is_record(own)})
    head = heads.get(row.protocol)
    return head_config_hash(head) if head is not None and not head.needs else None


def stated_task(row: Row) -> TaskConfig | None:
    """The task by the settings that a row states; None where it states none.

    Raises
    ------
    UserError
        If these settings are not those of a task.
    """
    stated = RowInfo(row).config.get("tasks")
    own = stated.get(row.task) if isinstance(stated, dict) else None
    if not isinstance(own, dict):
        return None
    _refuse_references(own)
    return tasks.configured({**own, "name": row.task})


def published_task(name: str, changes: Sequence[str] = ()) -> TaskConfig:
    """The task of this name in conf/, with changes such as ``split.folds=5``.

    Raises
    ------
    UserError
        If there is no such task, or a change is not of it.
    """
    return tasks.configured(load_settings("task", {name: _from_words(changes)})[name])


def _from_words(changes: Sequence[str]) -> dict[str, Any]:
    found = OmegaConf.to_container(OmegaConf.from_dotlist(list(changes)))
    assert isinstance(found, dict)
    return {str(name): value for name, value in found.items()}


def _is_record(own: Any) -> bool:
    if not isinstance(own, Mapping):
        raise UserError("the settings of its head are no record")
    return True


def _refuse_references(value: Any) -> None:
    """Refuse text that stands for a value of this machine, such as one of its environment."""
    if isinstance(value, str) and "${" in value:
        raise UserError("its settings refer to others by ${...}, as no row that was written here does")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_references(one)
