"""This process, as another one can look it up, and whether one that is described so still lives."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path


def this_process() -> dict[str, str | int]:
    """Its host and number, the machine that it runs on, when it started, and its job in Slurm."""
    own = os.getpid()
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID", "")
    return {
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": own,
        "job": job,
        **({"started": found[1]} if (found := _state(own)) else {}),
    }


def is_alive(process: Mapping[str, str | int]) -> bool | None:
    """Whether a process lives; None where that cannot be known, as of another machine.

    Parameters
    ----------
    process : mapping
        As of `this_process`; a mapping that lacks something is of a process that nothing is known of.
    """
    pid = process.get("pid")
    if os.name != "posix" or process.get("machine") != _machine() or not isinstance(pid, int) or pid <= 0:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user: it is there
        pass
    found = _state(pid)
    if found is None:
        return True
    state, started = found
    return state not in ("Z", "X") and started == process.get("started", started)


@cache
def _machine() -> str:
    """Of the kernel that runs and its table of processes: names of hosts are not unique, and containers share them."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _state(pid: int) -> tuple[str, str] | None:
    """The state of a process and when it started, in ticks since the machine did; None where it is not told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return None
