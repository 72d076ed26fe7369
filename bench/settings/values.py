"""The kinds of values that settings have, and one sentence for each value that is of none or out of range."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.errors import UserError

LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes that file systems take
SHOWN = 80  # characters of a value in a sentence


@dataclass(frozen=True)
class Kind:
    """A kind of values.

    Attributes
    ----------
    words : str
        What it is, after "must be".
    problem : callable
        Takes a value and gives what is wrong with it, as a clause after "must be WORDS", or nothing where it is right.
        `None` where the value is of another type.
    """

    words: str
    problem: Callable[[Any], str | None]


@dataclass(frozen=True)
class Range:
    """Finite numbers from `least` to `most`, both included."""

    least: float
    most: float = math.inf


def of(kind: Kind | Range, default: Any) -> Any:
    """A field of a dataclass of settings whose values are of this kind, or in this range."""
    return dataclasses.field(default=default, metadata={"kind": kind})


def check_fields(settings: Any, place: str = "") -> None:
    """Check all fields of a dataclass that have a kind, as `of` gives it to them.

    Parameters
    ----------
    place : str
        What stands before the name of a field, such as ``tasks.tiles.``.

    Raises
    ------
    UserError
        Naming the first that is wrong.
    """
    for one in dataclasses.fields(settings):
        kind = one.metadata.get("kind")
        if kind is not None:
            check_value(f"{place}{one.name}", kind, getattr(settings, one.name))


def check_value(setting: str, kind: Kind | Range, value: Any) -> None:
    """Check one value; None is a setting that is not made, and always right.

    Raises
    ------
    UserError
        Naming the setting, its value and what it may be.
    """
    if value is None:
        return
    if isinstance(kind, Range):
        _check_range(setting, kind, value)
        return
    problem = kind.problem(value)
    if problem is None:
        raise UserError(f"{setting}={_shown(value)} must be {kind.words}.")
    if problem:
        raise UserError(f"{setting}={_shown(value)} must be {kind.words}, and {problem}.")


def _check_range(setting: str, kind: Range, value: Any) -> None:
    if kind.least <= value <= kind.most and math.isfinite(value):
        return
    wanted = f"{kind.least:,g} or more" if value < kind.least else f"at most {kind.most:,g}"
    raise UserError(f"{setting}={value} must be {wanted}.")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = text.encode("utf-8", "replace").decode().translate(dict.fromkeys((*range(32), 127), "?"))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if not value.strip():
        return "it is empty: leave it out, or fill it in"
    return "it holds a character that no text has" if "\0" in value else ""


def _path(value: Any) -> str | None:
    wrong = _text(value)
    if wrong or wrong is None:
        return wrong
    try:
        raw = os.fsencode(os.path.expanduser(value))
    except UnicodeError:
        return "it holds a character that no name of a file has"
    longest = max(len(part) for part in raw.split(b"/"))
    if longest > LONGEST_NAME:
        return f"a name in it has {longest} bytes where a file system takes {LONGEST_NAME}"
    return f"it has {len(raw)} bytes where a system takes {LONGEST_PATH}" if len(raw) > LONGEST_PATH else ""


def _pattern(value: Any) -> str | None:
    wrong = _text(value)
    if wrong or wrong is None:
        return wrong
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        return f"it is no regular expression: {error}"
    return ""


def _listed(one: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    def problem(value: Any) -> str | None:
        return _first(map(one, value)) if isinstance(value, list | tuple) else None

    return problem


def _named(one: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """A mapping by names; a name without a value is not set."""

    def problem(value: Any) -> str | None:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            return None
        return _first(one(own) for own in value.values() if own is not None)

    return problem


def _first(problems: Any) -> str | None:
    return next((wrong for wrong in problems if wrong != ""), "")


def _is(*types: type) -> Callable[[Any], str | None]:
    return lambda value: "" if type(value) in types else None


TEXT = Kind("a text (a number needs quotes)", _text)
PATH = Kind("the path of a file or folder", _path)
PATTERN = Kind("a regular expression", _pattern)
FLAG = Kind("true or false", _is(bool))
WHOLE = Kind("a whole number", _is(int))
TEXTS = Kind("a list of texts (numbers need quotes)", _listed(_text))
PATHS = Kind("a list of paths", _listed(_path))
TEXTS_BY_NAME = Kind("texts by name, {NAME: TEXT} (numbers need quotes)", _named(_text))
SETTINGS = Kind("settings by name", lambda value: "" if isinstance(value, Mapping) else None)
PATHS_BY_NAME = Kind("paths by name, {NAME: PATH}", _named(_path))
