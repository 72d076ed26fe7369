"""The work of one job, as it is sent to another process or machine: its settings and its record, no more."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.config import BenchConfig
from bench.jobs import JobRecord, Working, log_path
from bench.rows import RunKey, row_path
from bench.runs import Plan, RunContext, devices_of, evaluate_plan, rows_to_make, to_stderr
from bench.sweeps.signals import uncaught_signals
from registry.errors import UserError, fault_of

MOST_RESTARTS = 3  # in a row in which a job makes no feature file and no row; then it has failed


@dataclass
class Work:
    """What a job does: embed and fit as far as its steps say. Making tables is left to the end of the sweep.

    Attributes
    ----------
    record : JobRecord
    config : BenchConfig
    folder : str
        The working directory of the sweep, which relative paths start from.
    own_log : bool
        Whether all output of the process goes to the log of the job; if not, its lines go there and to the terminal.
    restarts : int
        How often in a row the job was interrupted without a new feature file or row.
    """

    record: JobRecord
    config: BenchConfig
    folder: str
    own_log: bool = True
    restarts: int = 0
    _progress: Progress | None = field(default=None, init=False, repr=False, compare=False)

    def __call__(self) -> list[str]:
        """Do the work; gives a sentence for each thing that failed.

        Raises
        ------
        UserError
            If the results folder is not that of the sweep.
        """
        self._come_home()
        results = Path(self.config.results)
        if self.own_log:
            _log_to(log_path(results, self.record))
        with uncaught_signals(), Working(results, self.record) as working:
            failures = self._failures(working)
            for failure in failures:
                self._say(f"pfmbench: {failure}")
            working.finish(failures)
        return failures

    def checkpoint(self) -> Any:
        """What submitit submits again when the job is preempted or at its time limit: the same, to be resumed.

        What it embedded is in the cache and what it fitted in the results.
        """
        from submitit.helpers import DelayedSubmission

        progress = self._progress is not None and self._progress.made()
        return DelayedSubmission(replace(self, restarts=0 if progress else self.restarts + 1))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_progress"}

    def _failures(self, working: Working) -> list[str]:
        if self.restarts >= MOST_RESTARTS:
            return [
                f"{_name(self.record)} was interrupted {self.restarts} times in a row before it had made one feature "
                "file or row: give its jobs more time (hydra.launcher.timeout_min=MINUTES), or make files smaller "
                "(shard_tiles=N), and run the sweep again."
            ]

        def planned(plan: Plan) -> None:
            working.plan(rows_to_make(plan))
            self._progress = Progress(plan, Path(self.config.results))

        try:
            context = RunContext(self.config, devices_of(self.config)[0], say=to_stderr if self.own_log else self._say)
            return evaluate_plan(context, planned).failures
        except UserError as error:
            return str(error).splitlines()
        except Exception as error:
            import traceback

            traceback.print_exc()
            return [fault_of(error)]

    def _say(self, line: str) -> None:
        to_stderr(line)
        if not self.own_log:
            with (
                contextlib.suppress(OSError),
                open(log_path(Path(self.config.results), self.record), "a", encoding="utf-8") as log,
            ):
                log.write(f"{line}\n")

    def _come_home(self) -> None:
        """To the working directory of the sweep, whose results folder must hold the record of this job."""
        try:
            os.chdir(self.folder)
            there = log_path(Path(self.config.results), self.record).with_suffix(".json").is_file()
        except OSError:
            there = False
        if not there:
            raise UserError(
                f"The record of {_name(self.record)} is not in {Path(self.folder, self.config.results)} as this "
                "machine sees it: results= and cache= must lie on a file system that the nodes of the cluster share."
            )


class Progress:
    """What a job had in the cache and the results when it was planned, to tell whether it has made anything since."""

    def __init__(self, plan: Plan, results: Path):
        work = [own for task in plan.tasks for _, of in task.passes for own in of]
        self._folders = {job.folder for own in work for job in (own.tiles, own.vectors) if job is not None}
        keys = [row if isinstance(row, RunKey) else row.key for row in rows_to_make(plan)]
        self._rows = [row_path(results, key) for key in keys]
        self._before = self._state()

    def made(self) -> bool:
        """Whether a feature file or a row is new."""
        return self._state() != self._before

    def _state(self) -> tuple[int, list[int]]:
        return sum(1 for folder in self._folders for _ in _features(folder)), [_time(path) for path in self._rows]


def _features(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.name.endswith(".h5"))
    except OSError:
        return


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _log_to(path: Path) -> None:
    """Send what this process and those that it starts print to a file, from now on."""
    sys.stdout.flush()
    sys.stderr.flush()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _name(record: JobRecord) -> str:
    part = f", part {record.part}" if record.part else ""
    return f"Job {record.number} ({'+'.join(record.models)} on {record.task}{part})"


def sentences(record: JobRecord, failures: Sequence[str]) -> list[str]:
    """The failures of a job, a line each with the job's name."""
    return [f"{_name(record)}: {failure}" for failure in failures]
