"""Which jobs Slurm still knows: what a record that says "queued" or "running" cannot tell by itself."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

LONGEST_S = 30.0  # that squeue may take: the controller of a busy site answers late
ITS_TURN = ("", "None", "Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit", "Cleaning")
"""Reasons to wait that end by themselves; https://slurm.schedmd.com/job_reason_codes.html."""
_ARRAY = re.compile(r"(?P<array>\d+)_\[(?P<tasks>[\d,-]+)(%\d+)?\]")


def slurm_queue() -> frozenset[str] | None:
    """The ids of this user's jobs that wait or run, tasks of arrays as "123_4"; None where Slurm cannot be asked."""
    printed = _squeue("--format=%i")
    return None if printed is None else frozenset(ids_of(printed))


def reasons_of_waiting() -> dict[str, str]:
    """By id, why Slurm has not started jobs of this user, in its word: those left out whose turn has not come yet."""
    found = {}
    for line in (_squeue("--format=%i %r", "--states=PENDING") or "").splitlines():
        ids, _, reason = line.partition(" ")
        if reason.strip() not in ITS_TURN:
            found.update(dict.fromkeys(ids_of(ids), reason.strip()))
    return found


def _squeue(*options: str) -> str | None:
    command = ["squeue", "--noheader", "--array", *options, f"--user={os.getuid()}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def ids_of(text: str) -> Iterator[str]:
    """The ids in the output of squeue, one a line; tasks that wait together (``123_[4-6,9%2]``) one by one."""
    for line in text.split():
        if found := _ARRAY.fullmatch(line):
            for part in found["tasks"].split(","):
                first, _, last = part.partition("-")
                yield from (f"{found['array']}_{task}" for task in range(int(first), int(last or first) + 1))
        else:
            yield line
