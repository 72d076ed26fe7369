"""Records of jobs to fill a results folder with."""

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.jobs import JobRecord, Sweep, write_record, write_sweep
from bench.jobs.record import alive_path, record_path
from bench.rows import RunKey

SWEEP = "2026-11-22_04-10-33"
LATER = "2026-11-22_09-00-00"


def record_of(number: int = 0, **changes: Any) -> JobRecord:
    known: dict[str, Any] = {
        "sweep": SWEEP,
        "number": number,
        "task": "tiles",
        "models": ("uni",),
        "part": None,
        "engine": "slurm",
        "overrides": ("model=uni", "task=tiles"),
        "settings": "5e771",
    }
    return JobRecord(**{**known, **changes})


def running(number: int = 0, **changes: Any) -> JobRecord:
    known: dict[str, Any] = {"state": "running", "job_id": f"12_{number}", "host": "node7", "pid": 99, "starts": 1}
    return record_of(number, **{**known, "started": "2026-11-22T04:10:40+00:00", **changes})


def key_of_run(seed: int = 0, **changes: Any) -> RunKey:
    known: dict[str, Any] = {"task": "tiles", "model": "uni", "frontend": "", "protocol": "linear", "fold": 0}
    return RunKey(**{**known, "seed": seed, "cohort": "c0ffee", "head": "1f2e", **changes})


def add(results: Path, record: JobRecord, beat: float | None = None) -> JobRecord:
    """Write a record, with a heartbeat so many seconds ago if any."""
    write_record(results, record)
    if beat is not None:
        age_heartbeat(results, record, beat)
    return record


def age_heartbeat(results: Path, record: JobRecord, seconds: float) -> None:
    """Make the last heartbeat that of so many seconds before the record was written."""
    path = alive_path(results, record)
    path.touch()
    then = os.stat(record_path(results, record.sweep, record.number)).st_mtime - seconds
    os.utime(path, (then, then))


def add_many(results: Path, count: int, **changes: Any) -> None:
    """Records with 25 rows each that differ in their numbers alone, not flushed to the disk one by one."""
    rows = tuple(asdict(key_of_run(seed)) for seed in range(25))
    first = running(0, engine="local", rows=rows, **changes)
    write_record(results, first)
    path = record_path(results, SWEEP, 0)
    text = path.read_text()
    for number in range(1, count):
        path.with_name(f"{number:05d}.json").write_text(text.replace('"number": 0', f'"number": {number}'))


def add_sweep(results: Path, records: Iterable[JobRecord], name: str = SWEEP) -> None:
    write_sweep(results, Sweep(name, "python -m bench sweep model=uni,gpfm 'task=[tiles,demo]'", "slurm", "5e771"))
    for record in records:
        add(results, record, beat=0.0)
