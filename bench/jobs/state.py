"""What has become of a job: what its record says, unless the job is not there any more and could not write that."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from bench.files import file_system_now
from bench.jobs.queue import slurm_queue
from bench.jobs.record import DEAD, JobRecord, alive_path, read_record, read_records, record_path, sweep_folder

LOST_AFTER_S = 120.0  # without a heartbeat; a file system may show other nodes a change a minute late
IN_PROCESS = ("laptop", "local")  # engines whose jobs are started by the process that submitted them, and by no other


def states(results: Path, sweep: str | None = None) -> tuple[list[tuple[JobRecord, str]], list[str]]:
    """The jobs of a sweep, or of all, with what `state_of` says of each, and sentences on damaged records.

    A job that ended meanwhile comes with the record that it wrote. The clock and the scheduler are asked once, and only
    if a job has not ended.
    """
    records, sentences = read_records(results, sweep)
    unfinished = [record for record in records if record.state in ("queued", "running")]
    queue = slurm_queue() if any(record.engine == "slurm" for record in unfinished) else None
    now = clock_of(results) if unfinished else 0.0
    return [_state(record, results, queue, now) for record in records], sentences


def state_of(record: JobRecord, results: Path, queue: Collection[str] | None = None) -> str:
    """ "queued", "running", "done", "failed" or "lost".

    A running job is lost once its heartbeat is older than `LOST_AFTER_S` by the clock of the file system; a queued one
    if the process that would start it is gone. Of one's own Slurm jobs the scheduler knows better: one that it does not
    know is lost, and one that it knows is not; where the heartbeat of the latter is old it is queued, as it waits to be
    started again.

    Parameters
    ----------
    record : JobRecord
        Read before `queue` was asked for. Before a job is called lost its record is read again, as it may have ended
        in between.
    queue : collection of str or None
        The ids of the jobs that Slurm knows (`slurm_queue`); None where it cannot be asked.
    """
    return _state(record, results, queue, None)[1]


def declare_dead(results: Path, record: JobRecord) -> None:
    """For those who know that the process of a job ended without a word: it is lost unless Slurm still knows it."""
    path = alive_path(results, record)
    with contextlib.suppress(OSError):
        path.touch()
        os.utime(path, (DEAD, DEAD))


def age_of(record: JobRecord, results: Path, now: float) -> float | None:
    """Seconds since the last heartbeat of a job, 0 at least; None where it never had one or said that it ended."""
    beat = _modified(alive_path(results, record))
    return max(0.0, now - beat) if beat else None


def _state(record: JobRecord, results: Path, queue: Collection[str] | None, now: float | None) -> tuple[JobRecord, str]:
    if record.state not in ("queued", "running"):
        return record, record.state
    known = _known(record, results, queue)
    if known is False or (known is None and _is_silent(record, results, now)):
        again = read_record(results, record.sweep, record.number) or record
        moved = (again.state, again.starts) != (record.state, record.starts)
        return (again, again.state) if moved else (record, "lost")
    if known and record.state == "running" and _is_silent(record, results, now):
        return record, "queued"
    return record, record.state


def _known(record: JobRecord, results: Path, queue: Collection[str] | None) -> bool | None:
    """Whether Slurm knows the job; None where it cannot say, as the job is of another engine or another user."""
    if queue is None or record.engine != "slurm" or not record.job_id:
        return None
    if record.job_id in queue:
        return True
    try:
        own = os.stat(record_path(results, record.sweep, record.number)).st_uid == os.getuid()
    except OSError:
        own = True
    return False if own else None


def _is_silent(record: JobRecord, results: Path, now: float | None) -> bool:
    """Whether the heartbeat on which a job depends is too old."""
    beat = _modified(alive_path(results, record))
    if record.state == "queued" and beat != DEAD:
        submitted = record.engine not in IN_PROCESS and (record.job_id or record.engine != "slurm")
        beat = None if submitted else _modified(sweep_folder(results, record.sweep) / "sweep.alive")
    elif beat is None:  # somebody removed it: the job wrote its record when it started
        beat = _modified(record_path(results, record.sweep, record.number))
    if beat is None:
        return False
    return (clock_of(results) if now is None else now) - beat > LOST_AFTER_S


def _modified(path: Path) -> float | None:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None


def clock_of(results: Path) -> float:
    """The time by the clock of the file system; by this machine's where the folder cannot be written."""
    try:
        return file_system_now(results / "sweeps")
    except OSError:
        return time.time()
