"""``python -m bench reproduce ROW``: one row made again from its own settings, and compared with what it was."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import rows
from bench.commands import is_true, read_arguments, run_command
from bench.config import BenchConfig
from bench.rows import Row, RowInfo, RunKey, SavedPredictions
from bench.runs.configuration import DEFAULT_HEADS, load_settings
from bench.runs.context import RunContext, to_stderr
from bench.runs.devices import devices_of
from bench.runs.differences import differences, sentences
from bench.runs.evaluate import evaluate_plan
from bench.runs.plan import Plan, keys_of, restrict_to
from bench.runs.row_settings import config_of
from registry.errors import UserError

TOLERANCE = 1e-3
OPTIONS = {
    **{"results": "results", "data": "", "cache": "cache", "fresh": "false", "device": "", "tolerance": ""},
    "trust": "false",
}
USAGE = f"""Usage: python -m bench reproduce ROW [results=DIR] [data=DIR] [cache=DIR] [fresh=true] [device=NAME]
       [tolerance=T] [trust=true]

Makes one row again from the settings that it has, in a folder that is removed afterwards, and says whether it is
identical bit for bit, equal within T ({TOLERANCE:g}), or different, and what was other than when it was made.

  ROW           the file of a row; or the first digits of its run_hash, or a part of its path below rows/
  results=DIR   where rows are looked for that are not named by their file (results)
  data=DIR      where the data are now, if they were moved
  cache=DIR     features that are there are used (cache)
  fresh=true    features are made anew, and no cache is read or written
  device=NAME   another device than that of the row, as in a run
  trust=true    the row may run code that is not of pfmbench: its plugins, or that of a model's repository

The exit code is 0 where the row is identical or equal, 1 where it differs, 2 where it cannot be made again."""


def reproduce_command(arguments: Sequence[str]) -> int:
    """The command; gives its exit code."""
    return run_command(arguments, USAGE, _reproduce_named, str.splitlines)


def _reproduce_named(arguments: Sequence[str]) -> int:
    name, options = _parsed(arguments)
    tolerance = _tolerance(options["tolerance"])
    row, results = rows.find_row(name, Path(options["results"]).expanduser())
    return _reproduce(row, results, options, tolerance)


def _reproduce(row: Row, results: Path, options: Mapping[str, str], tolerance: float) -> int:
    _check(row, results, trusted=options["trust"] == "true")
    with tempfile.TemporaryDirectory(prefix="pfmbench-reproduce-") as folder:
        place = Path(folder)
        config = _config(row, options, place)
        started = time.monotonic()
        again = _made_again(row, config)
        seconds = time.monotonic() - started
        predicted = rows.read_predictions(place / "results" / again.predictions)
    found = differences(row, again, _predictions(row, results), predicted)
    print(f"{_name(row)}: made again in {seconds:.0f} s.")
    for sentence in sentences(found, tolerance):
        print(sentence)
    return 0 if found.largest <= tolerance else 1


def _parsed(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """What names the row, and the options."""
    found = read_arguments(arguments, OPTIONS, words=True)
    if len(found.words) != 1:
        raise UserError(
            f"{len(found.words)} rows are named and one is made again: name the file of a row, "
            "python -m bench reproduce RESULTS/rows/TASK/COHORT/MODEL/FILE.json."
        )
    for option in ("fresh", "trust"):
        is_true(found.options, option)
    return found.words[0], found.options


def _tolerance(text: str) -> float:
    try:
        found = float(text) if text else TOLERANCE
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise UserError(f"tolerance={text} must be a number from 0 on, such as tolerance={TOLERANCE:g}.")
    return found


def _check(row: Row, results: Path, *, trusted: bool) -> None:
    """Why a row cannot be made again, as far as the row itself tells."""
    info, path = RowInfo(row), rows.row_path(results, row.key)
    if not info.config:
        raise UserError(
            f"The row {path} has no settings (info.config): pfmbench {row.version or 'of an unknown version'} did not "
            "save them, so run the benchmark again, and its new rows can be made again."
        )
    if not row.ok:
        command = f" Its command runs it: {info.command}" if info.command else ""
        raise UserError(f"The row {path} is {row.status} and has no scores to compare with.{command}")
    foreign = [f"{name}={info.config[name]}" for name in ("plugins", "trust_remote_code") if info.config.get(name)]
    if foreign and not trusted:
        raise UserError(
            f"The row {path} runs code that is not of pfmbench ({', '.join(foreign)}): if you trust whoever made the "
            "row, add trust=true."
        )


def _config(row: Row, options: Mapping[str, str], place: Path) -> BenchConfig:
    """The configuration of the row, with results and, if wanted, a cache in a folder of their own."""
    settings = RowInfo(row).config
    changes: dict[str, Any] = {
        "results": str(place / "results"),
        "cache": str(place / "cache") if options["fresh"] == "true" else options["cache"],
        "device": options["device"] or ("cpu" if RowInfo(row).device.startswith("cpu") else None),
    }
    if "protocols" not in settings:  # of rows that no head makes; a task is not planned without any
        changes["protocols"] = load_settings("protocol", DEFAULT_HEADS)
    if options["data"]:
        changes["data"] = str(Path(options["data"]).expanduser())
        tasks = settings.get("tasks")
        of_tasks = tasks if isinstance(tasks, dict) else {}
        changes["tasks"] = {name: {"data": None} for name, of in of_tasks.items() if isinstance(of, dict)}
    return config_of(settings, changes)


def _made_again(row: Row, config: BenchConfig) -> Row:
    def narrow(plan: Plan) -> None:
        keys = keys_of(plan)
        if row.key not in keys:
            raise UserError("\n".join([*plan.failures, _other_run(row, keys)] if not keys else [_other_run(row, keys)]))
        restrict_to(plan, row.key)

    context = RunContext(config, devices_of(config)[0], pictures=False, say=to_stderr)
    outcome = evaluate_plan(context, narrow)
    again = rows.read_row(context.results, row.key)
    if again is None or not again.ok or not again.predictions:
        reasons = outcome.failures or ([again.error] if again else [])
        raise UserError("\n".join(reasons) or f"{_name(row)} could not be made again, and nothing says why.")
    return again


def _other_run(row: Row, keys: set[RunKey]) -> str:
    """Why the settings of a row make no row of its key."""
    wanted = row.key
    near = [key for key in keys if (key.model, key.protocol, key.seed) == (wanted.model, wanted.protocol, wanted.seed)]
    if any(key.cohort != wanted.cohort for key in near):
        made = ", ".join(sorted({key.cohort for key in near}))
        return (
            f"The data make the cohort {made} and the row is of the cohort {wanted.cohort}: samples, labels, groups or "
            "the split are others; name the data of the row with data=DIR."
        )
    if any(key.head != wanted.head for key in near):
        made = ", ".join(sorted({key.head for key in near}))
        return f"The settings of the head have the digest {made} here and {wanted.head} in the row: it was edited."
    return f"The settings of the row do not make the row {wanted.name('rows', 'json')}: it was edited, or its task was."


def _predictions(row: Row, results: Path) -> SavedPredictions | None:
    if not row.predictions:
        return None
    try:
        return rows.read_predictions(results / row.predictions)
    except UserError:
        return None


def _name(row: Row) -> str:
    fold = [f"fold {row.fold}"] if row.fold else []
    model = f"{row.model}+{row.frontend}" if row.frontend else row.model
    return " · ".join([row.task, model, row.protocol, f"seed {row.seed}", *fold])
