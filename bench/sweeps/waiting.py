"""Waiting for jobs, and what became of them: their records say it, or else that nothing is heard of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from bench.jobs import JobRecord, declare_dead, log_path, read_record, sweep_folder
from bench.sweeps.work import Work, sentences

FASTEST_S, SLOWEST_S = 1.0, 30.0  # between two looks at the jobs: more often in the first minutes
GRACE_S = 20.0  # from when a scheduler knows a job no more until its record must say how it ended
REASONS_S = 60.0  # between two questions why jobs are not started
MOST_NUMBERS = 5  # of jobs in a line
ENDED = ("done", "failed")


def wait_for(
    works: Sequence[Work],
    queue: Callable[[], Collection[str] | None],
    say: Callable[[str], None],
    reasons: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Wait until every job has ended or its scheduler knows it no more; says a line for each that ends.

    Parameters
    ----------
    queue : callable
        Gives the ids of the jobs that the scheduler still has, None where it cannot be asked now.
    reasons : callable
        Gives by id why the scheduler does not start a job, where its turn will not come by itself; asked now and then.
    """
    told: set[str] = set()
    left = {work.record.number: work for work in works}
    missing_since: dict[int, float] = {}
    started = time.monotonic()
    ask_at = started + REASONS_S / 4
    while left:
        known = queue()
        now = time.monotonic()
        for number, work in list(left.items()):
            record = standing(work)
            if record.state in ENDED:
                say(f"{record.state}: job {number}, {title(record)} ({len(works) - len(left) + 1} of {len(works)})")
                del left[number]
            elif known is None or not record.job_id or record.job_id in known:
                missing_since.pop(number, None)
            elif now - missing_since.setdefault(number, now) > GRACE_S:
                say(f"lost: job {number}, {title(record)} ({len(works) - len(left) + 1} of {len(works)})")
                del left[number]
        if left and now >= ask_at:
            ask_at = now + REASONS_S
            ids = {work.record.number: standing(work).job_id for work in left.values()}
            for line in _why_waiting(ids, reasons()):
                if line not in told:
                    told.add(line)
                    say(line)
        if left:
            time.sleep(min(SLOWEST_S, FASTEST_S + (now - started) / 60))


def _why_waiting(ids: Mapping[int, str], reasons: Mapping[str, str]) -> list[str]:
    """A line for each reason that jobs are not started for; `ids` are those of the scheduler by number."""
    by_reason: dict[str, list[int]] = {}
    for number, job_id in ids.items():
        if reason := reasons.get(job_id):
            by_reason.setdefault(reason, []).append(number)
    return [
        f"not started: job{'s' if len(numbers) > 1 else ''} {_listed(numbers)}, as Slurm says {reason}. If that does "
        "not end by itself, cancel with scancel, and run the sweep again with what the site can give"
        for reason, numbers in by_reason.items()
    ]


def _listed(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - MOST_NUMBERS} more" if len(numbers) > MOST_NUMBERS else ""
    return f"{', '.join(map(str, numbers[:MOST_NUMBERS]))}{more}"


def standing(work: Work) -> JobRecord:
    """The record of a job as it stands in the results folder, or as it was submitted."""
    record = work.record
    return read_record(Path(work.config.results), record.sweep, record.number) or record


def failures_of(works: Sequence[Work]) -> list[str]:
    """A line for each failure of each job, and for each job that ended without saying how, which is then lost."""
    found: list[str] = []
    for work in works:
        record = standing(work)
        if record.state in ENDED:
            found += sentences(record, record.failures)
        else:
            declare_dead(Path(work.config.results), record)
            found += sentences(record, [_lost(work, record)])
    return found


def title(record: JobRecord) -> str:
    """As in "uni+gpfm on pcam, part 2/4"."""
    return f"{'+'.join(record.models)} on {record.task}{f', part {record.part}' if record.part else ''}"


def _lost(work: Work, record: JobRecord) -> str:
    """What is known of a job that is lost."""
    results = Path(work.config.results)
    if record.starts:
        log = log_path(results, record)
        host = f" on {record.host}" if record.host else ""
        return (
            f"it was lost{host}: it ended without saying how, as do jobs that are killed, cancelled or out of memory. "
            f"Its log is {log}; run the sweep again, which goes on from what stands."
        )
    words = _last_words(sweep_folder(results, record.sweep) / ".submitit" / record.job_id, record.job_id)
    return (
        "it never started its work: it was cancelled, its setup failed, or its node does not see "
        f"{results.absolute()}, as results= and cache= must lie on a file system that all nodes share"
        f"{f' (its last words: {words})' if words else ''}."
    )


def _last_words(folder: Path, job_id: str) -> str:
    """The last line that a job left in the files of its scheduler."""
    for name in (f"{job_id}_0_log.err", f"{job_id}_0_log.out"):
        try:
            lines = (folder / name).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            continue
        spoken = [line.strip() for line in lines if line.strip()]
        if spoken:
            return spoken[-1].rstrip(".")
    return ""
