"""Rows of lost jobs: what a killed job was to make is in the tables, with the reason, and not missing from them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from bench import rows
from bench.files import unwritable
from bench.jobs.record import OF_ROWS, JobRecord, key_of, record_path
from bench.jobs.state import states
from bench.jobs.working import name_of
from bench.rows import Row, RowInfo, RunKey, warn_once

MOST_READ = 20  # rows of others, to find one that tells the metric


def lost_rows(results: Path) -> list[Row]:
    """Write a row with status "lost" for each row that a lost job was to make and that is not there; gives these.

    A good row stands, whoever made it, and so does a failed one that was written since the job was started: its
    sentence says more. Rows that another job is still to make are left to it. What was written for a job is not written
    again, even where it was taken out since, until the job is started again.

    Raises
    ------
    UserError
        If the folder cannot be written or the disk is full.
    """
    found, sentences = states(results)
    for sentence in sentences:
        warn_once(sentence)
    lost = [record for record, state in reversed(found) if state == "lost" and not _is_noted(results, record)]
    expected = {key_of(row) for record, state in found if state in ("queued", "running") for row in record.rows}
    written = {}
    for record in lost:  # the last sweep first, as a row that was just written stands
        place = record_path(results, record.sweep, record.number)
        try:
            for row in _rows_of(results, record):
                place = rows.row_path(results, row.key)
                if row.key not in expected and _is_older(place, results, record) and rows.write_lost(results, row):
                    written[row.key] = row
            _noted_path(results, record).touch()
        except OSError as error:
            raise unwritable(place, error, "results=DIR") from error
    return list(written.values())


def sentence_on(record: JobRecord) -> str:
    """Why the rows of a lost job are not there."""
    started = f", started {record.started}," if record.started else ""
    job = f"The job {name_of(record)}{started}"
    return f"{job} was lost before it made this row ({why_lost(record)}): run the sweep again."


def why_lost(record: JobRecord) -> str:
    """What is known of the reason."""
    if not record.starts:
        return "it left the queue before it started"
    return "killed, out of memory or time, or its machine stopped"


def _rows_of(results: Path, record: JobRecord) -> Iterator[Row]:
    """The lost rows of a record, with what other rows on the same samples tell where the record does not."""
    sentence, known = sentence_on(record), cache(_of_others)
    for row in record.rows:
        key = key_of(row)
        values: dict[str, Any] = {name: row[name] for name in OF_ROWS if name in row}
        if len(values) < len(OF_ROWS):
            values = known(results, replace(key, model="", frontend="", seed=0, fold=0)) | values
        track = values.pop("track", "")
        yield Row(
            **{name: value for name, value in asdict(key).items() if name not in ("cohort", "head")},
            cohort_hash=key.cohort,
            head_config_hash=key.head,
            status="lost",
            error=sentence,
            version=version("pfmbench"),
            info={"job": name_of(record)} | ({"track": track} if track else {}),
            **{"primary_metric": "", **values},
        )


def _of_others(results: Path, key: RunKey) -> dict[str, Any]:
    """Kind, primary metric and track of a row on the same samples with the same head, or else with any."""
    folder = rows.row_path(results, key).parent.parent
    with_head = islice(sorted(folder.glob(f"*/{rows.file_name(key.protocol)}-*.json")), MOST_READ)
    for path in (*with_head, *islice(folder.glob("*/*.json"), MOST_READ)):
        row = _row_in(results, path)
        if row is not None and row.primary_metric:
            return {"kind": row.kind, "primary_metric": row.primary_metric, "track": RowInfo(row).track}
    return {}


def _row_in(results: Path, path: Path) -> Row | None:
    """The row in a file; None where there is none or it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        names = {"cohort": "cohort_hash", "head": "head_config_hash"}
        return rows.read_row(results, RunKey(**{f.name: values[names.get(f.name, f.name)] for f in fields(RunKey)}))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _is_noted(results: Path, record: JobRecord) -> bool:
    """Whether the lost rows of this start of the job were written."""
    return not _is_older(_noted_path(results, record), results, record)


def _noted_path(results: Path, record: JobRecord) -> Path:
    return record_path(results, record.sweep, record.number).with_suffix(".lost")


def _is_older(path: Path, results: Path, record: JobRecord) -> bool:
    """Whether a file is not there, or is older than what the job last wrote in its record."""
    try:
        return os.stat(path).st_mtime_ns < os.stat(record_path(results, record.sweep, record.number)).st_mtime_ns
    except OSError:
        return True
