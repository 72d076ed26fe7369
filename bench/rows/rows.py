"""The rows of a results folder, one JSON file a run. A row is written once its predictions stand."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from bench.files import atomic_write, content_of, temporary_name
from bench.rows.checksum import NAME as CHECKSUM
from bench.rows.checksum import ChangedTextError, with_checksum, without_checksum
from bench.rows.info import RowInfo
from bench.rows.predictions import PredictionArrays, has_complete_predictions, write_predictions
from bench.rows.printable import printable
from bench.rows.row import Row
from bench.rows.row_file_names import row_file_names
from bench.rows.run_key import RunKey
from bench.rows.samples import SAMPLES, samples_digest
from bench.rows.validation import LARGEST, faults, other_schema

MOST_NAMED = 20  # files in one warning
MOST_FAULTS = 5  # of one file
LONGEST_REASON = 300  # characters
LARGEST_FILE = 2**26  # bytes of a row; those of runs have some thousands


class OtherSchemaError(ValueError):
    """The row of a file is of a schema that this version does not read."""


@dataclass(frozen=True)
class RowFiles:
    """What the row files of a results folder hold; the paths are ordered.

    Attributes
    ----------
    rows : list of Row
        Ordered by their keys.
    faulty, other_schema : list of (Path, str)
        Files that cannot be used, with the reason.
    earlier : list of Path
        Files of the layout before this one.
    closed : list of (Path, str)
        Folders that cannot be listed, with the reason.
    """

    rows: list[Row]
    faulty: list[tuple[Path, str]]
    other_schema: list[tuple[Path, str]]
    earlier: list[Path]
    closed: list[tuple[Path, str]] = field(default_factory=list)


def row_path(results: Path, key: RunKey) -> Path:
    """Where the row of a run lies."""
    return key.path(results, "rows", "json")


def predictions_path(results: Path, key: RunKey) -> Path:
    """Where the predictions of a run lie."""
    return key.path(results, "predictions", "parquet")


def write(
    results: Path, row: Row, predictions: PredictionArrays | None, slides: Mapping[str, Sequence[str]] | None = None
) -> Row:
    """Write the predictions, if any, then the row that names them; gives the row as written.

    Its numbers are then Python's, null where they are not finite, its text is printable, and the digest of its test
    samples is in `info.digests`.

    Parameters
    ----------
    slides : mapping of str to sequence of str
        The slides of each sample where a sample is a patient; saved with the predictions.

    Raises
    ------
    ValueError
        If the predictions are not of the row's kind and classes.
    OSError
        If the folder cannot be written or the disk is full. A row that stood there before stands still.
    """
    row = Row(**_json_value(asdict(row)))
    if predictions is not None:
        if predictions.kind != row.kind:
            raise ValueError(f"Predictions of {predictions.kind} are not those of a row of {row.kind}.")
        path = predictions_path(results, row.key)
        write_predictions(path, predictions, row.classes, slides or {})
        digests = {**RowInfo(row).digests, SAMPLES: samples_digest(predictions, row.classes)}
        row = replace(row, predictions=path.relative_to(results).as_posix(), info={**row.info, "digests": digests})
    with atomic_write(row_path(results, row.key)) as temporary:
        temporary.write_text(_text(row), encoding="utf-8")
    return row


def write_lost(results: Path, row: Row) -> bool:
    """Write a row without predictions unless a good one stands at its place; says whether it was written.

    That is found out when the new one is complete on the disk, just before it is put in place: another process may
    be writing the good one.

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full.
    """
    path = row_path(results, row.key)
    complete = temporary_name(path)
    with atomic_write(complete) as temporary:
        temporary.write_text(_text(Row(**_json_value(asdict(row)))), encoding="utf-8")
    try:
        standing = read_row(results, row.key)
        if standing is not None and standing.ok:
            return False
        os.replace(complete, path)
    finally:
        complete.unlink(missing_ok=True)
    return True


def read_row(results: Path, key: RunKey) -> Row | None:
    """The row of one run; None when there is none or it cannot be read."""
    try:
        return row_under(results, key.name("rows", "json"))
    except (OSError, ValueError):
        return None


def has_predictions(results: Path, row: Row) -> bool:
    """Whether the predictions that a row names are there, complete, and as they were written."""
    return has_complete_predictions(results / row.predictions, row.n_test)


def read_row_files(results: Path) -> RowFiles:
    """All row files of a results folder; one without rows has none."""
    rows: list[Row] = []
    faulty: list[tuple[Path, str]] = []
    of_other_schema: list[tuple[Path, str]] = []
    closed: list[tuple[Path, str]] = []
    names, earlier = row_file_names(results, closed)
    for name in names:
        try:
            rows.append(row_under(results, name))
        except OtherSchemaError as error:
            of_other_schema.append((results / name, str(error)))
        except OSError as error:
            faulty.append((results / name, error.strerror or str(error)))
        except ValueError as error:
            faulty.append((results / name, str(error)))
    ordered = sorted(rows, key=lambda row: tuple(vars(row.key).values()))
    return RowFiles(ordered, faulty, of_other_schema, [results / name for name in earlier], sorted(closed))


def read_rows(results: Path) -> tuple[list[Row], list[str]]:
    """All rows, ordered by their keys, and sentences that name the files which are left out, with the reason."""
    found = read_row_files(results)
    faulty = left_out(sorted([*found.faulty, *found.other_schema]))
    return found.rows, [*closed_folders(found.closed), *faulty, *left_out_earlier(found.earlier)]


def closed_folders(closed: Sequence[tuple[Path, str]]) -> list[str]:
    """The sentence that names folders of rows which cannot be listed; none if there are none."""
    named = [f"{path} ({reason})" for path, reason in closed]
    return [f"Left out are rows in folders that cannot be read: {listed(named)}."] if named else []


def left_out(faulty: Sequence[tuple[Path, str]]) -> list[str]:
    """The sentence that names files without a row that can be used, each with the reason; none if there are none."""
    named = [f"{path} ({reason})" for path, reason in faulty]
    return [f"Left out of the tables, run again or delete: {listed(named)}."] if named else []


def left_out_earlier(earlier: Sequence[Path]) -> list[str]:
    """The sentence that names files of the layout before this one; none if there are none."""
    if not earlier:
        return []
    return [
        "Left out of the tables, run again or delete, as an earlier version of pfmbench wrote other runs to the "
        f"same file: {listed([str(path) for path in earlier])}."
    ]


@functools.cache
def warn_once(sentence: str) -> None:
    """Print a warning to stderr the first time; the jobs of a sweep build their tables from the same files."""
    print(f"pfmbench: {printable(sentence)}", file=sys.stderr)


def _text(row: Row) -> str:
    return with_checksum(json.dumps(asdict(row), sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def listed(names: Sequence[str]) -> str:
    """The first `MOST_NAMED` of the names, and how many more there are."""
    more = f"; and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more


def row_under(results: Path, name: str) -> Row:
    """The row of a file by its name in a results folder, such as ``rows/TASK/COHORT/MODEL/FILE.json``.

    Raises
    ------
    ValueError
        With the reason, if the file does not hold the row of the run that its name says.
    OSError
        If it cannot be read.
    """
    content = content_of(results / name, LARGEST_FILE, "a row")
    try:
        record = json.loads(without_checksum(content.decode("utf-8")))
        if isinstance(record, dict):
            record.pop(CHECKSUM, None)  # of a text that another program wrote anew
        schema = other_schema(record)
        found = "" if schema else ", ".join(islice(faults(record), MOST_FAULTS))
    except ChangedTextError:
        raise
    except ValueError as error:
        raise ValueError("it is not complete JSON") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if schema:
        raise OtherSchemaError(schema)
    if found:
        raise ValueError(found if len(found) <= LONGEST_REASON else f"{found[:LONGEST_REASON]}...")
    row = Row(**record)
    key = row.key
    if key.name("rows", "json") != name:
        raise ValueError("it holds the row of another run than its name says")
    if row.predictions and Path(row.predictions) != Path(key.name("predictions", "parquet")):
        raise ValueError("it names predictions of another run")
    return row


def _json_value(value: Any) -> Any:
    """The value in the types of JSON, as `validation` wants it: printable text, and null for numbers out of range."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {printable(str(key)): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, str):
        return printable(value)
    return None if isinstance(value, float) and not abs(value) < LARGEST else value
