"""The work of a job: its record says that it runs, and a thread touches its heartbeat until it ends."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.files import unwritable
from bench.jobs.record import DEAD, JobRecord, alive_path, read_record, sweep_folder, utc_now, write_record
from bench.rows import Row, RowInfo, RunKey

BEAT_S = 20.0  # between two heartbeats
LONGEST_BEAT_S = 20.0  # for which a beat on its way is waited for at the end, as a file system may hang
_working: list[JobRecord] = []  # of this process, the innermost last


class Heartbeat:
    """A thread that touches a file every `BEAT_S` seconds, so that others see by its modification time that it lives.

    The time is that of the file system's clock wherever it has one of its own. A beat that fails is left out.

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: Path):
        self._path = path
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat {path.stem}", daemon=True)

    def start(self) -> None:
        """Touch the file now, and from now on."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        self._thread.start()

    def stop(self, *, dead: bool = False) -> None:
        """Touch it no more; `dead` sets its time to 1970, so that nobody waits until the last beat is old."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(LONGEST_BEAT_S)
        if dead:
            with contextlib.suppress(OSError):
                os.utime(self._path, (DEAD, DEAD))

    def _run(self) -> None:
        while not self._ended.wait(BEAT_S):
            with contextlib.suppress(OSError):
                self._path.touch()  # without a time of this machine, so that a server sets its own


@contextlib.contextmanager
def submitting(results: Path, sweep: str) -> Iterator[None]:
    """Around the submission of a sweep and its waiting: jobs that only this process can start are lost when it dies."""
    heartbeat = Heartbeat(sweep_folder(results, sweep) / "sweep.alive")
    try:
        heartbeat.start()
    except OSError as error:
        raise unwritable(sweep_folder(results, sweep), error, "results=DIR") from error
    try:
        yield
    finally:
        heartbeat.stop(dead=True)


class Working:
    """A context manager around the work of a job.

    On entry the record says "running", with host, process, job id and how often it was started; `finish` says how it
    ended. An exception, or the SystemExit that a signal became, leaves it "running" without a heartbeat: the job is
    then lost unless its scheduler starts it again. A block that ends well without `finish` had no failures.

    Parameters
    ----------
    results : Path
    record : JobRecord
        As submitted. What stands in the results folder goes before it, as a requeued job has been started before.

    Raises
    ------
    UserError
        On entry, in `plan` and `finish`, if the results folder cannot be written.
    """

    def __init__(self, results: Path, record: JobRecord):
        self._results = results
        self._record = record
        self._heartbeat = Heartbeat(alive_path(results, record))

    @property
    def record(self) -> JobRecord:
        """As it stands in the results folder."""
        return self._record

    def __enter__(self) -> Working:
        standing = read_record(self._results, self._record.sweep, self._record.number) or self._record
        started = replace(
            standing,
            state="running",
            job_id=_slurm_id() or standing.job_id,
            host=_host(),
            pid=os.getpid(),
            started=utc_now(),
            ended="",
            starts=standing.starts + 1,
            failures=(),
        )
        try:
            self._heartbeat.start()  # before the record, so that it never says running without one
        except OSError as error:
            raise unwritable(alive_path(self._results, self._record), error, "results=DIR") from error
        try:
            self._record = write_record(self._results, started)
        except BaseException:
            self._heartbeat.stop(dead=True)
            raise
        _working.append(self._record)
        return self

    def plan(self, rows: Iterable[Row | RunKey | Mapping[str, Any]]) -> None:
        """Note which rows the job is to make, those that are pending; as rows they bring their metric and kind."""
        self._write(replace(self._record, rows=tuple(described(row) for row in rows)))

    def finish(self, failures: Sequence[str] = ()) -> None:
        """The job has done all that it could; `failures` has a sentence for each thing that it could not."""
        state = "failed" if failures else "done"
        self._write(replace(self._record, state=state, ended=utc_now(), failures=tuple(failures)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._record.state == "running":
                self.finish()
        finally:
            _working.pop()
            self._heartbeat.stop(dead=self._record.state == "running")

    def _write(self, record: JobRecord) -> None:
        self._record = write_record(self._results, record)


def described(row: Row | RunKey | Mapping[str, Any]) -> dict[str, Any]:
    """A row as records hold it: the fields of its key and, of a `Row`, those in `OF_ROWS`."""
    if isinstance(row, Row):
        of_row = {"kind": row.kind, "primary_metric": row.primary_metric, "baseline": row.baseline}
        return {**asdict(row.key), **of_row, "track": RowInfo(row).track}
    return asdict(row) if isinstance(row, RunKey) else dict(row)


def current_job() -> str:
    """The job that this process works for, as in "slurm 123_4 on node7"; empty outside of a job.

    A process that Slurm started is one without a record too.
    """
    if slurm := _slurm_id():
        return f"slurm {slurm} on {_host()}"
    return name_of(_working[-1]) if _working else ""


def name_of(record: JobRecord) -> str:
    """A job by its engine and id, or else by its number in its sweep, and the host that it ran on."""
    own = f"{record.engine} {record.job_id or f'job {record.number} of {record.sweep}'}"
    return f"{own} on {record.host}" if record.host else own


def _slurm_id() -> str:
    """As squeue has it: "123_4" of an array, or else "123"; empty outside of Slurm."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID", ""), os.environ.get("SLURM_ARRAY_TASK_ID", "")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")


def _host() -> str:
    return socket.gethostname().split(".")[0]
