"""The settings of a restorer: their types and ranges, and the sentences for those that it does not have."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from registry.errors import UserError, near_match

Schema = TypeVar("Schema")

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "null"}


def setting(default: Any, low: float = -math.inf, high: float = math.inf) -> Any:
    """A field of a dataclass of settings, whose numbers must be from `low` to `high`, both included."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high})


def settings_of(restorer: str, schema: type[Schema], given: Mapping[str, Any]) -> Schema:
    """The settings of a restorer, defaults for those that are not named.

    Parameters
    ----------
    restorer : str
        Its name, for the sentences.
    schema : type
        A frozen dataclass whose fields are the settings; each is an int, float, bool, str or one of them or None.
    given : mapping
        Values by name. A whole number is taken for a float.

    Raises
    ------
    UserError
        If a setting is unknown, of another type or out of its range.
    """
    fields = {field.name: field for field in dataclasses.fields(schema)}  # type: ignore[arg-type]
    hints = get_type_hints(schema)
    values = {}
    for name, value in given.items():
        if name not in fields:
            has = f"its settings are {', '.join(fields)}" if fields else "it has none"
            raise UserError(
                f"The restorer {restorer} has no setting '{name}': {has}.{near_match(name, fields)}".rstrip()
            )
        values[name] = _checked(restorer, fields[name], hints[name], value)
    return schema(**values)


def in_words(settings: Any) -> str:
    """All settings in one line, the same text for the same values; nothing where there are none."""
    return " ".join(f"{name}={value!r}" for name, value in sorted(dataclasses.asdict(settings).items()))


def _checked(restorer: str, field: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    types = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    what = f"{field.name}={'null' if value is None else value} of the restorer {restorer}"
    if float in types and type(value) is int:
        value = float(value)
    if type(value) not in types:
        raise UserError(f"{what} is not of the right type: it must be {' or '.join(_WORDS[t] for t in types)}.")
    low, high = field.metadata.get("low", -math.inf), field.metadata.get("high", math.inf)
    if isinstance(value, int | float) and not isinstance(value, bool) and not low <= value <= high:
        limits = f"from {low:g} to {high:g}" if high < math.inf else f"{low:g} or more"
        raise UserError(f"{what} is out of range: it must be {limits}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{what} is out of range: it must be a finite number.")
    return value
