"""The kinds of values that the options of readers have; each reader names in OPTIONS those that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from bench.settings import FLAG, PATH, PATTERN, TEXT, TEXTS, TEXTS_BY_NAME, WHOLE, Kind

SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing")  # as `bench.tasks.split` knows them
COLUMNS = ("path", "label", "id", "group", "patient", "split", "fold", "index", "centre", "staining", "region")


def _splits(value: Any) -> str | None:
    wrong = TEXTS_BY_NAME.problem(value)
    if wrong or wrong is None:
        return wrong
    unknown = [name for name in value if name.lower() not in SPLITS] if isinstance(value, Mapping) else []
    return f"{unknown[0]} is no side of a split ({', '.join(SPLITS)})" if unknown else ""


def misspelt_column(names: Iterable[str], own: Iterable[str]) -> tuple[str, str] | None:
    """A name that `columns` sets and that is nearly one of ours, with the latter; `own` are columns of the task."""
    known = [*COLUMNS, *own]
    for name in names:
        near = get_close_matches(name, known, 1, cutoff=0.75)
        if near and name not in known:
            return name, near[0]
    return None


READER_OPTIONS: dict[str, Kind] = {
    "splits": Kind("the folder of each side by its name, {train: NAME, test: NAME}", _splits),
    "group": PATTERN,
    "pattern": PATTERN,
    "expects": TEXTS,
    "table": PATH,
    "images": PATH,
    "columns": TEXTS_BY_NAME,
    "root": PATH,
    "slides": PATH,
    "check_files": FLAG,
    "names": TEXTS_BY_NAME,
    "label": TEXT,
    "dataset": TEXT,
    "metadata": PATH,
    "tiles": WHOLE,
    "subset": PATH,
}
