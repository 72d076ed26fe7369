"""What is wrong with a record that was read from a row's file, which may be damaged or of another version."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from bench import targets
from bench.rows.printable import is_printable
from bench.rows.row import INTERVALS, SCHEMA, STATUSES, Row

DEEPEST = 50  # levels of lists and records in one another
LARGEST = 1e100  # of all numbers: sums and squares of them are floats as well


def faults(record: Any) -> Iterator[str]:
    """A phrase for each thing that keeps a value of JSON from being the fields of a `Row`; none if nothing does."""
    if not isinstance(record, dict):
        yield "it is not a record"
    elif schema := other_schema(record):
        yield schema
    else:
        yield from _field_faults(record)
        yield from _value_faults(record)


def other_schema(record: Any) -> str:
    """A phrase that says of which other schema a record is; nothing if it is of this one, or no record of a row."""
    schema = record.get("schema") if isinstance(record, dict) else None
    other = type(schema) is int and schema != SCHEMA
    return f"it is of schema {schema}, and this version reads {SCHEMA}" if other else ""


def _field_faults(record: dict[str, Any]) -> Iterator[str]:
    hints, a_number = _hints(), _fits(float | None)
    yield from (f"{f.name} is missing" for f in fields(Row) if f.name not in record)
    yield from (f"{name} is unknown" for name in record if name not in hints)
    for name, value in record.items():
        if name in hints and not hints[name](value):
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
            elif not all(a_number(number) for key, number in interval.items() if key != "interval"):
                yield f"metric {name} is not a number"
            elif (over := interval.get("interval", INTERVALS[0])) not in INTERVALS:
                yield f"metric {name} has an interval over {over!r}, which is none of {', '.join(INTERVALS)}"


def _value_faults(value: Any, depth: int = 0) -> Iterator[str]:
    """Faults of values wherever they stand: what cannot be printed, computed with or walked through."""
    if depth > DEEPEST:
        yield f"it is nested deeper than {DEEPEST} levels"
    elif isinstance(value, list | dict):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            if depth == DEEPEST or not _is_valid(item):
                yield from _value_faults(item, depth + 1)
    elif not _is_valid(value):
        is_text = isinstance(value, str)
        yield f"{value!r} holds control characters" if is_text else "it holds a number that is not finite or too large"


def _is_valid(value: Any) -> bool:
    """Whether a value of JSON is a text or number without fault; False for lists and records, which are walked."""
    if isinstance(value, str):
        return is_printable(value)
    return not isinstance(value, list | dict) and (value is None or abs(value) < LARGEST)


@functools.cache
def _hints() -> dict[str, Callable[[Any], bool]]:
    """Of each field whether a value is of its type; what a metric is made of has sentences of its own."""
    return {name: _fits(dict if name == "metrics" else hint) for name, hint in typing.get_type_hints(Row).items()}


@functools.cache
def _fits(hint: Any) -> Callable[[Any], bool]:
    """Whether a JSON value is of the annotated type, with its items; an int is a float as well, a bool is not."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return lambda value: True
    if origin is types.UnionType:
        several = [_fits(one) for one in arguments]
        return lambda value: any(fits(value) for fits in several)
    if origin is list:
        of_items = _fits(arguments[0])
        return lambda value: isinstance(value, list) and all(map(of_items, value))
    if origin is dict:
        of_values = _fits(arguments[1])
        return lambda value: isinstance(value, dict) and all(map(of_values, value.values()))
    allowed = (int, float) if hint is float else (hint,)
    return lambda value: type(value) in allowed
