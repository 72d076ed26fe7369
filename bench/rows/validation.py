"""What is wrong with a record that was read from a row's file, which may be damaged or of another version."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from bench import targets
from bench.rows.printable import printable
from bench.rows.row import INTERVALS, SCHEMA, STATUSES, Row

DEEPEST = 50  # levels of lists and records in one another
LARGEST = 1e100  # of all numbers: sums and squares of them are floats as well


def faults(record: Any) -> Iterator[str]:
    """A phrase for each thing that keeps a value of JSON from being the fields of a `Row`; none if nothing does."""
    if not isinstance(record, dict):
        yield "it is not a record"
    elif type(schema := record.get("schema")) is int and schema != SCHEMA:
        yield f"it is of schema {schema}, and this version reads {SCHEMA}"
    else:
        yield from _field_faults(record)
        yield from _value_faults(record)


def _field_faults(record: dict[str, Any]) -> Iterator[str]:
    hints = _hints()
    yield from (f"{f.name} is missing" for f in fields(Row) if f.name not in record)
    yield from (f"{name} is unknown" for name in record if name not in hints)
    for name, value in record.items():
        if name in hints and not _fits(value, dict if name == "metrics" else hints[name]):
            yield f"{name} is {value!r}"
        elif isinstance(value, int) and value < 0:
            yield f"{name} is negative"
    if record.get("status") not in STATUSES:
        yield f"status is none of {', '.join(STATUSES)}"
    if record.get("kind") not in targets.names():
        yield f"kind is none of {', '.join(targets.names())}"
    if isinstance(metrics := record.get("metrics"), dict):
        for name, interval in metrics.items():
            if not isinstance(interval, dict) or set(interval) - {"interval"} != {"value", "ci_low", "ci_high"}:
                yield f"metric {name} is not a value with its interval"
            elif not all(_fits(number, float | None) for key, number in interval.items() if key != "interval"):
                yield f"metric {name} is not a number"
            elif (over := interval.get("interval", INTERVALS[0])) not in INTERVALS:
                yield f"metric {name} has an interval over {over!r}, which is none of {', '.join(INTERVALS)}"


def _value_faults(value: Any, depth: int = 0) -> Iterator[str]:
    """Faults of values wherever they stand: what cannot be printed, computed with or walked through."""
    if depth > DEEPEST:
        yield f"it is nested deeper than {DEEPEST} levels"
    elif isinstance(value, str):
        if value != printable(value):
            yield f"{value!r} holds control characters"
    elif isinstance(value, int | float):
        if not abs(value) < LARGEST:
            yield "it holds a number that is not finite or too large"
    elif isinstance(value, list | dict):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _value_faults(item, depth + 1)


@functools.cache
def _hints() -> dict[str, Any]:
    return typing.get_type_hints(Row)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of the annotated type, with its items; an int is a float as well, a bool is not."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return any(_fits(value, one) for one in arguments)
    if origin is list:
        return isinstance(value, list) and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, arguments[1]) for item in value.values())
    return hint is Any or type(value) in ((int, float) if hint is float else (hint,))
