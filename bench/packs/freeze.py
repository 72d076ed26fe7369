"""``python -m bench freeze``: the record of a published task, its split and its metric, which never changes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import frozen, runs, tasks
from bench.commands import read_arguments, run_command
from bench.files import unwritable
from bench.frozen import FrozenTask
from bench.tasks import TaskConfig
from registry.errors import UserError

OF_OWN_DATA = ("tiles", "slides", "restoration", "robustness")
"""Tasks of conf/ for whatever data their user has: they are no published task, and none of them is frozen."""
OPTIONS = {"task": "", "data": "", "out": str(frozen.FILE)}
USAGE = f"""Usage: python -m bench freeze [task=NAME data=DIR] [out=FILE]

Adds the published tasks of conf/task to the file of frozen tasks. With task= and data= also the digests of that task's
samples and test sides; the built-in tasks need no data=. A record that is there is never changed: a changed task is
another task, so give it another name. Tasks for your own data are not frozen ({", ".join(OF_OWN_DATA)})."""


def freeze_command(arguments: Sequence[str]) -> int:
    """The command; gives its exit code: 0, or 2 with a sentence on stderr."""
    return run_command(arguments, USAGE, _freeze)


def _freeze(arguments: Sequence[str]) -> int:
    options = read_arguments(arguments, OPTIONS, "task=, data=, out=").options
    out = Path(options["out"])
    records, added = frozen.read_records(out), 0
    for name in [options["task"]] if options["task"] else published():
        found = freeze(name, options["data"]) if options["task"] else freeze(name)
        _check(records.get(name), found)
        if name not in records or found.cohort:
            records[name], added = found, added + 1
            print(f"{name}: {found.digest or found.settings}{' (settings alone)' if not found.cohort else ''}")
    try:
        frozen.written(out, records)
    except OSError as error:
        raise unwritable(out, error, "out=FILE") from error
    if not added:
        print(f"Nothing is added to {out}: it has the settings of {len(records)} tasks, and samples need data=DIR.")
    return 0


def published() -> list[str]:
    """Names of the tasks that are frozen."""
    return [name for name in runs.preset_names("task") if name not in OF_OWN_DATA]


def freeze(name: str, data: str | None = None) -> FrozenTask:
    """The record of a published task; with the digests of its samples where data are named ("" for the built-in ones).

    Raises
    ------
    UserError
        If there is no such task, or its data cannot be read.
    """
    if name in OF_OWN_DATA:
        raise UserError(f"The task {name} is for data of its user and is not frozen: give yours a YAML and a name.")
    task = runs.published_task(name)
    record = FrozenTask(name, tasks.definition(task), tasks.settings_digest(task))
    return record if data is None else _with_samples(record, task, data)


def _with_samples(record: FrozenTask, task: TaskConfig, data: str) -> FrozenTask:
    with tempfile.TemporaryDirectory(prefix="pfmbench-freeze-") as cache:
        manifest = tasks.read(task, Path(data) if data else None, Path(cache))
    ids, groups = (manifest.frame[column].to_numpy(str) for column in ("id", "group"))
    sides = {}
    for fold in manifest.folds:
        test = np.array(manifest.split_labels_of(fold)) == "test"
        sides[str(fold)] = frozen.side_of(ids[test], groups[test], manifest.labels[test], manifest.classes)
    cohort = manifest.cohort_hash
    return FrozenTask(record.name, record.definition, record.settings, cohort, tasks.task_digest(task, cohort), sides)


def _check(before: FrozenTask | None, after: FrozenTask) -> None:
    """Refuse to change a record."""
    if before is None or (before.settings == after.settings and after.cohort in ("", before.cohort or after.cohort)):
        return
    what = "settings" if before.settings != after.settings else "samples, labels, groups or split"
    raise UserError(
        f"The task {after.name} is frozen with other {what}: a changed task is another task, so give its YAML another "
        "name (to freeze it anew under the same name, take its record out of the file first)."
    )
