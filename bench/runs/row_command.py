"""The command line that makes a row again, from the settings of the row."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from bench.config import conf_folder
from bench.runs.configuration import load_settings
from bench.runs.row_settings import changed_settings, plain, task_settings

PLAIN = re.compile(r"[\w./@+~-][\w./@+~:-]*")
"""Words that Hydra reads as they are."""
NO_TEXT = re.compile(r"(?i)true|false|null|none|nan|inf|[-+.\d].*")


def command_of(settings: Mapping[str, Any]) -> str:
    """A command line of a shell, ``python -m bench task=NAME ...``.

    Returns
    -------
    str
        "" where the task or protocol has no YAML file, so that no command line can name it.
    """
    for group in ("task", "protocol"):
        if not all((conf_folder() / group / f"{name}.yaml").is_file() for name in settings.get(f"{group}s", ())):
            return ""
    words = ["python", "-m", "bench", *_of_group("task", settings), *_of_group("protocol", settings), "null=none"]
    for name, value in settings.items():
        if name not in ("tasks", "protocols", "null"):
            words += _assigned(name, value, deep=name in ("checkpoints", "frontends", "options"))
    return shlex.join(words)


def _of_group(group: str, settings: Mapping[str, Any]) -> Iterator[str]:
    own = settings.get(f"{group}s", {})
    if own:
        yield f"{group}={_text(list(own)) if len(own) > 1 else next(iter(own))}"
    for name, values in own.items():
        base = json.loads(_file_settings(group, name))
        for field, value in changed_settings(values, base).items():
            yield from _assigned(f"{group}s.{name}.{field}", value, deep=isinstance(base.get(field), dict))


@functools.cache
def _file_settings(group: str, name: str) -> str:
    """What the YAML file of a task or protocol says, as JSON."""
    found = plain(load_settings(group, [name])[name])
    return json.dumps(task_settings(found) if group == "task" else found)


def _assigned(name: str, value: Any, *, deep: bool) -> Iterator[str]:
    if deep and isinstance(value, Mapping):
        for key, one in value.items():
            yield from _assigned(f"{name}.{key}", one, deep=True)
    else:
        yield f"{name}={_text(value)}"


def _text(value: Any) -> str:
    """A value in the words of Hydra's command line."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, str):
        if PLAIN.fullmatch(value) and not NO_TEXT.fullmatch(value):
            return value
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)
