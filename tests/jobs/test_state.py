"""Which jobs are lost: by their heartbeat on the clock of the file system, and by what Slurm knows."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job_records import SWEEP, add, add_many, age_heartbeat, record_of, running

from bench.jobs import (
    declare_dead,
    queue,
    read_records,
    reasons_of_waiting,
    slurm_queue,
    state,
    state_of,
    states,
    write_record,
)
from bench.jobs.queue import ids_of
from bench.jobs.record import alive_path, record_path
from bench.jobs.state import LOST_AFTER_S


@pytest.mark.parametrize("ended", ["done", "failed"])
def test_a_job_that_has_ended_is_never_lost(tmp_path: Path, ended: str) -> None:
    record = add(tmp_path, running(state=ended), beat=10_000)
    assert state_of(record, tmp_path) == ended
    assert state_of(record, tmp_path, set()) == ended


@pytest.mark.parametrize(
    ("record", "beat", "queue", "expected"),
    [
        (running(), 0, None, "running"),
        (running(), LOST_AFTER_S / 2, None, "running"),
        (running(), LOST_AFTER_S + 10, None, "lost"),
        (running(), -3600, None, "running"),
        (running(), 0, {"12_0"}, "running"),
        (running(), 10_000, {"12_0"}, "queued"),
        (running(), 0, {"12_1", "12"}, "lost"),
        (running(engine="local"), 0, {"12_1"}, "running"),
        (running(engine="laptop"), 10_000, {"12_0"}, "lost"),
        (running(job_id=""), 0, {"12_1"}, "running"),
        (record_of(job_id="12_0"), None, None, "queued"),
        (record_of(job_id="12_0"), None, {"12_0"}, "queued"),
        (record_of(job_id="12_0"), None, {"12_1"}, "lost"),
        (record_of(), None, {"12_1"}, "queued"),
        (record_of(engine="laptop"), None, {"12_1"}, "queued"),
    ],
)
def test_the_state_of_a_job(tmp_path: Path, record: Any, beat: float | None, queue: Any, expected: str) -> None:
    add(tmp_path, record, beat)
    assert state_of(record, tmp_path, queue) == expected


def test_a_heartbeat_that_was_removed_is_as_old_as_the_record(tmp_path: Path) -> None:
    record = add(tmp_path, running())
    assert not alive_path(tmp_path, record).exists()
    assert state_of(record, tmp_path) == "running"
    path = record_path(tmp_path, SWEEP, 0)
    os.utime(path, (os.stat(path).st_mtime - 500,) * 2)
    assert state_of(record, tmp_path) == "lost"


@pytest.mark.parametrize("wrong_by", [3600, -3600])
def test_the_clock_of_this_machine_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong_by: float
) -> None:
    lives, died = add(tmp_path, running(0), beat=60), add(tmp_path, running(1), beat=200)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong_by)
    assert [state_of(one, tmp_path) for one in (lives, died)] == ["running", "lost"]


@pytest.mark.parametrize("wrong_by", [3600, -3600])
def test_the_clock_of_the_file_system_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong_by: float
) -> None:
    """A server an hour off dates heartbeats and the file that tells its time alike."""
    record = add(tmp_path, running(), beat=60 - wrong_by)
    now = os.stat(record_path(tmp_path, SWEEP, 0)).st_mtime
    monkeypatch.setattr(state, "file_system_now", lambda folder: now + wrong_by)
    assert state_of(record, tmp_path) == "running"
    age_heartbeat(tmp_path, record, 200 - wrong_by)
    assert state_of(record, tmp_path) == "lost"


def test_times_in_the_record_are_for_people(tmp_path: Path) -> None:
    record = add(tmp_path, running(started="1999-01-01T00:00:00+00:00", submitted="2999-01-01T00:00:00+00:00"), beat=1)
    assert state_of(record, tmp_path) == "running"


def test_where_the_folder_cannot_be_written_this_machines_clock_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(folder: Path) -> float:
        raise PermissionError(13, "Permission denied")

    record = add(tmp_path, running(), beat=0)
    monkeypatch.setattr(state, "file_system_now", refused)
    assert state_of(record, tmp_path) == "running"
    age_heartbeat(tmp_path, record, 500)
    assert state_of(record, tmp_path) == "lost"


def test_a_job_that_ends_before_squeue_is_read_is_not_lost(tmp_path: Path) -> None:
    """It was running when its record was read, and gone when the queue was."""
    before = add(tmp_path, running(), beat=0)
    write_record(tmp_path, replace(before, state="done"))
    assert state_of(before, tmp_path, set()) == "done"
    write_record(tmp_path, replace(before, starts=2))
    assert state_of(before, tmp_path, set()) == "running", "started again since"


def test_slurm_says_nothing_of_the_jobs_of_other_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = add(tmp_path, running(), beat=0)
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    assert state_of(record, tmp_path, set()) == "running"
    age_heartbeat(tmp_path, record, 500)
    assert state_of(record, tmp_path, set()) == "lost"


@pytest.mark.parametrize("record", [running(engine="local"), record_of(engine="local"), record_of(job_id="12_0")])
def test_a_job_that_is_known_to_be_dead_is_lost_at_once(tmp_path: Path, record: Any) -> None:
    add(tmp_path, record, beat=0)
    declare_dead(tmp_path, record)
    assert state_of(record, tmp_path) == "lost"


def test_squeue_is_called_once_and_only_for_unfinished_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[str] = []

    def known() -> frozenset[str]:
        times.append("")
        return frozenset({"12_1"})

    monkeypatch.setattr(state, "slurm_queue", known)
    add(tmp_path, running(0, engine="local"), beat=0)
    add(tmp_path, running(5, state="done"))
    assert [one for _, one in states(tmp_path)[0]] == ["running", "done"]
    assert times == []
    for number in (1, 2, 3):
        add(tmp_path, running(number), beat=0)
    assert [one for _, one in states(tmp_path)[0]] == ["running", "running", "lost", "lost", "done"]
    assert times == [""]


def fake_squeue(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    command = folder / "squeue"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_queue_of_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_squeue(tmp_path, monkeypatch, f'echo "$@" >{tmp_path}/arguments; echo 123_4; echo "123_5  "; echo 130')
    assert slurm_queue() == {"123_4", "123_5", "130"}
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments == ["--noheader", "--array", "--format=%i", f"--user={os.getuid()}"]


def test_an_empty_queue_differs_from_a_failing_squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_squeue(tmp_path, monkeypatch, "exit 0")
    assert slurm_queue() == frozenset()
    fake_squeue(tmp_path, monkeypatch, "echo 123_4; echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    assert slurm_queue() is None
    fake_squeue(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(queue, "LONGEST_S", 0.2)
    assert slurm_queue() is None


def test_without_slurm_there_is_no_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm_queue() is None
    record = add(tmp_path, running(), beat=0)
    assert states(tmp_path) == ([(record, "running")], [])


def test_reasons_to_wait_that_do_not_end_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "123_1 Priority",
        "123_2 PartitionConfig",
        "9 ReqNodeNotAvail, UnavailableNodes:n7",
        "8_[1-2] None",
        "7 Resources",
    )
    fake_squeue(tmp_path, monkeypatch, "\n".join(f"echo '{line}'" for line in lines))
    assert reasons_of_waiting() == {"123_2": "PartitionConfig", "9": "ReqNodeNotAvail, UnavailableNodes:n7"}
    fake_squeue(tmp_path, monkeypatch, "exit 1")
    assert reasons_of_waiting() == {}


def test_tasks_that_wait_together_are_ids_of_their_own() -> None:
    assert list(ids_of("123_[4-6,9%2]\n7_1\n\n  8_[2]  \n12+1\n")) == [
        *("123_4", "123_5", "123_6", "123_9", "7_1", "8_2", "12+1"),
    ]


def test_many_records_are_read(tmp_path: Path) -> None:
    """How long that takes, `benchmarks/many_rows.py` measures."""
    add_many(tmp_path, 200)
    found, sentences = states(tmp_path)
    assert len(found) == len(read_records(tmp_path)[0]) == 200
    assert not sentences
