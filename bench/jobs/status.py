"""``python -m bench status [results=DIR] [sweep=NAME]``: what has become of the jobs of sweeps, from their records."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.commands import complain, read_arguments, run_command
from bench.jobs.lost import why_lost
from bench.jobs.record import JobRecord, read_sweep, record_path, sweep_folder, sweep_names
from bench.jobs.state import age_of, clock_of, states
from bench.jobs.working import name_of
from bench.progress import duration
from registry.errors import UserError, near_match
from registry.text_table import aligned

OPTIONS = {"results": "results", "sweep": ""}
USAGE = """Usage: python -m bench status [results=DIR] [sweep=NAME]

Says which jobs of the sweeps in DIR (results) are done, running, queued, failed or lost, why, and with which command
those alone are run again that failed or are lost. Without sweep=NAME it shows the last sweep and all with jobs left."""

WIDTH = 120
LONGEST_WORK, LONGEST_HOST = 40, 28
MOST_LINES = 20  # of one state
MOST_NUMBERS = 3  # of jobs that a line names
RUN_AGAIN = "run again since"  # of failed and lost jobs whose work a later sweep has too
SHOWN = ("done", "running", "queued", "failed", "lost", RUN_AGAIN)


@dataclass(frozen=True)
class Job:
    """A record with its state: one of `bench.jobs.state_of`, or `RUN_AGAIN`."""

    record: JobRecord
    state: str


def status_command(arguments: Sequence[str]) -> int:
    """The command; exit code 0, or 2 with one sentence on stderr."""
    return run_command(arguments, USAGE, _show_status)


def _show_status(arguments: Sequence[str]) -> int:
    options = read_arguments(arguments, OPTIONS, "those are results=DIR and sweep=NAME").options
    text, sentences = status_text(Path(options["results"]), options["sweep"] or None)
    for sentence in sentences:
        complain(_plain(sentence))
    print(text)
    return 0


def status_text(results: Path, sweep: str | None = None) -> tuple[str, list[str]]:
    """What `USAGE` says, and sentences on records that cannot be read; no row is read.

    Raises
    ------
    UserError
        If there is no such sweep, or none at all.
    """
    names = sweep_names(results)
    if not names:
        raise UserError(f"There are no sweeps in {results}: start one with `make sweep`, or name another, results=DIR.")
    if sweep is not None and sweep not in names:
        raise UserError(f"There is no sweep '{sweep}' in {results}, the last is {names[-1]}.{near_match(sweep, names)}")
    found, sentences = states(results)
    by_sweep: dict[str, list[Job]] = {name: [] for name in names}
    for record, state in found:
        if record.sweep in by_sweep:  # and not of one that was just made
            by_sweep[record.sweep].append(Job(record, state))
    _mark_repeated(by_sweep)
    now = clock_of(results)
    shown = [name for name in names if _is_shown(name, by_sweep[name], sweep, names[-1])]
    texts = ["\n".join(_of_sweep(results, name, by_sweep[name], now)) for name in shown]
    hidden = [name for name in names if name not in shown] if sweep is None else []
    if hidden:
        counts = _counted([job for name in hidden for job in by_sweep[name]])
        texts.append(
            _cut(f"not shown: {_number(len(hidden), 'sweep')} without jobs left ({counts}); sweep={hidden[-1]}")
        )
    return "\n\n".join(texts), sentences


def _of_sweep(results: Path, name: str, jobs: list[Job], now: float) -> Iterator[str]:
    """The totals of a sweep, a line a job that runs, a line a reason of others, and the command for what is left."""
    sweep = read_sweep(results, name)
    engine = f", {sweep.engine}" if sweep else ""
    yield _cut(f"sweep {name}{engine}, {_number(len(jobs), 'job')}: {_counted(jobs) or 'no records yet'}")
    left = [job for job in jobs if job.state in ("failed", "lost")]
    running = [_running(results, job, now) for job in jobs if job.state == "running"]
    reasons = [list(_reasons([job for job in left if job.state == state])) for state in ("failed", "lost")]
    lines = [line for of_state in (running, *reasons) for line in of_state[:MOST_LINES]]
    if lines:
        yield from (_cut(f"  {line}") for line in aligned(lines))
    for of_state in (running, *reasons):
        if len(of_state) > MOST_LINES:
            yield f"  and {len(of_state) - MOST_LINES} more lines of {of_state[0][0]} jobs"
    if left:
        number = left[0].record.number
        yield _cut(f"  output of job {number}: {record_path(results, name, number).with_suffix('.log')}")
        if sweep is not None:
            yield f"run only those again: {_escaped(sweep.command)}"
        else:
            yield _cut(f"run the sweep again for those; its command is not in {sweep_folder(results, name)}/sweep.json")


def _running(results: Path, job: Job, now: float) -> list[str]:
    """Cells of a job: its number and work, where it runs, for how long, and how long ago its last heartbeat was."""
    record = job.record
    with_id = f"{record.host} ({record.job_id})" if record.job_id else record.host
    try:
        started = os.stat(record_path(results, record.sweep, record.number)).st_mtime
    except OSError:
        started = now
    beat = age_of(record, results, now)
    heartbeat = "" if beat is None else f", heartbeat {duration(beat)} ago"
    where = f"{_plain(with_id, LONGEST_HOST)}, {duration(now - started)}{heartbeat}"
    return ["running", f"job {record.number}", _work(record), where]


def _reasons(jobs: Sequence[Job]) -> Iterator[list[str]]:
    """Cells for each reason: the jobs, their work, and the sentence.

    Jobs are together whose sentences differ in their models, tasks, hosts and ids alone.
    """
    folded: dict[str, list[tuple[Job, str]]] = {}
    for job in jobs:
        sentence = _reason(job)
        folded.setdefault(_without_names(sentence, job.record), []).append((job, sentence))
    for own in sorted(folded.values(), key=len, reverse=True):
        numbers = [str(job.record.number) for job, _ in own]
        more = f" +{len(numbers) - MOST_NUMBERS}" if len(numbers) > MOST_NUMBERS else ""
        work = _work(own[0][0].record) + (" ..." if len(own) > 1 else "")
        named = f"job{'s' * (len(own) > 1)} {', '.join(numbers[:MOST_NUMBERS])}{more}"
        yield [own[0][0].state, named, work, own[0][1]]


def _reason(job: Job) -> str:
    if job.state == "lost":
        return _plain(f"{name_of(job.record)}: {why_lost(job.record)}")
    first, *others = job.record.failures or ("it did not say why",)
    sentence = _plain(first).removeprefix(f"{job.record.models[0]}: " if job.record.models else "")
    return f"(+{len(others)}) {sentence}" if others else sentence


def _without_names(sentence: str, record: JobRecord) -> str:
    """A sentence with the words of its job taken out, so that those of other jobs are equal to it."""
    own = {
        *record.models,
        record.task,
        record.job_id,
        record.host,
        record.started,
        record.sweep,
        str(record.number),
    } - {""}
    for word in sorted(own, key=len, reverse=True):
        sentence = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "*", sentence)
    return sentence


def _mark_repeated(by_sweep: dict[str, list[Job]]) -> None:
    """Set apart the failed and lost jobs whose work a later sweep has too, with the same settings."""
    later: set[tuple[object, ...]] = set()
    for name in sorted(by_sweep, reverse=True):
        own = by_sweep[name]
        for number, job in enumerate(own):
            if job.state in ("failed", "lost") and _identity(job.record) in later:
                own[number] = replace(job, state=RUN_AGAIN)
        later |= {_identity(job.record) for job in own}


def _identity(record: JobRecord) -> tuple[object, ...]:
    return record.task, record.models, record.part, record.settings


def _is_shown(name: str, jobs: Sequence[Job], sweep: str | None, last: str) -> bool:
    if sweep is not None:
        return name == sweep
    return name == last or any(job.state not in ("done", RUN_AGAIN) for job in jobs)


def _counted(jobs: Sequence[Job]) -> str:
    """Such as "30 done, 5 running", states without a job left out."""
    counts = Counter(job.state for job in jobs)
    return ", ".join(f"{counts[state]} {state}" for state in SHOWN if counts[state])


def _work(record: JobRecord) -> str:
    """Models, dataset and part, shortened where there are many models."""
    models = ", ".join(record.models[:2]) + (f" +{len(record.models) - 2}" if len(record.models) > 2 else "")
    part = f", part {record.part}" if record.part else ""
    return _plain(f"{models} on {record.task}{part}", LONGEST_WORK)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _cut(line: str, width: int = WIDTH) -> str:
    line = _escaped(line)
    return line if len(line) <= width else f"{line[: width - 4]} ..."


def _plain(text: str, width: int | None = None) -> str:
    """One line, whatever a record holds; not longer than `width`."""
    line = _escaped(" ".join(text.split()))
    return line if width is None else _cut(line, width)


def _escaped(text: str) -> str:
    """The text as a terminal can show it."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
