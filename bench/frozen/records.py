"""The file of frozen tasks. A record is never changed: a task that changes gets another name."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.files import atomic_write
from registry.errors import UserError

FILE = Path(__file__).with_name("tasks.json")
SCHEMA = 1


@dataclass(frozen=True)
class FrozenSide:
    """Digests of the test side of a fold.

    Attributes
    ----------
    n_test, n_groups : int
    samples : str
        Of ids and groups.
    labels : str
        Of ids, groups, labels and the names of the classes.
    group_sizes, group_labels : str
        Of how many samples the groups have, and of their labels, without any name: what hashed ids leave to compare.
    """

    n_test: int
    n_groups: int
    samples: str
    labels: str
    group_sizes: str
    group_labels: str


@dataclass(frozen=True)
class FrozenTask:
    """A published task.

    Attributes
    ----------
    name : str
    definition : dict
        The settings that define it (`bench.tasks.definition`), the split and the metric among them.
    settings : str
        Their digest.
    cohort : str
        The cohort hash of its samples; "" where nobody with the data has frozen them.
    digest : str
        Of the cohort and what a tile is; "" likewise.
    folds : dict of str -> FrozenSide
        The test side of each fold by its number, "0" where there is one.
    """

    name: str
    definition: Mapping[str, Any]
    settings: str
    cohort: str = ""
    digest: str = ""
    folds: Mapping[str, FrozenSide] = field(default_factory=dict)


@functools.cache
def frozen_tasks() -> Mapping[str, FrozenTask]:
    """The frozen tasks of this package by name."""
    return read_records(FILE)


def read_records(path: Path) -> dict[str, FrozenTask]:
    """The frozen tasks of a file by name; none where there is no file.

    Raises
    ------
    UserError
        If it is no such file, or one of another schema.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise UserError(f"{path} is of schema {found['schema']}, and this version reads {SCHEMA}.")
        return {
            name: FrozenTask(
                name, **{**own, "folds": {fold: FrozenSide(**side) for fold, side in own["folds"].items()}}
            )
            for name, own in found["tasks"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no frozen tasks ({error}): restore it from the repository.") from error


def written(path: Path, records: Mapping[str, FrozenTask]) -> None:
    """Write the file of frozen tasks, the same bytes for the same records.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    tasks = {name: {key: value for key, value in asdict(records[name]).items() if key != "name"} for name in records}
    text = json.dumps({"schema": SCHEMA, "tasks": tasks}, sort_keys=True, indent=1, ensure_ascii=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
