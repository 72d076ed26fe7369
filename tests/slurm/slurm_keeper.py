"""The process that holds the daemons of a private Slurm: they, and all that they start, end with it.

`python slurm_keeper.py FOLDER` starts the daemons of the configuration in FOLDER. A line on stdin, `stop` or `start`,
is for slurmd; at the end of stdin, or at a signal, every descendant is killed by its pid. A process whose parent ends
becomes a child of the keeper, so that none is missed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

STARTUP_S = 180.0
_BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = 600.0, every_s: float = 0.1) -> None:
    """Return once the condition holds.

    Raises
    ------
    TimeoutError
        If it does not within `limit_s`.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s:
            raise TimeoutError(f"After {limit_s:g} s it is still not so: {what}.")
        time.sleep(every_s)


def descendants(pid: int) -> list[int]:
    """Pids of the children of a process, of their children and so on; of processes that have not ended."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        found += (new := children.get(todo.pop(), []))
        todo += new
    return found


def _keep(root: Path) -> None:
    """Run the daemons until stdin ends, then kill every descendant."""
    if ctypes.CDLL(None, use_errno=True).prctl(_BECOME_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "a process that its parent left does not become the keeper's child")
    with _ends_all():
        run, log = root / "run", root / "log"
        munge = {"socket": run / "munge.sock", "key-file": run / "munge.key", "pid-file": run / "munged.pid"}
        munge |= {"log-file": log / "munged.log", "seed-file": run / "munged.seed"}
        _start(root, "munged", "--foreground", "--force", *(f"--{name}={path}" for name, path in munge.items()))
        wait_for(munge["socket"].exists, "munged listens", STARTUP_S)
        _start(root, "slurmctld", "-D", "-c")
        node = _start(root, "slurmd", "-D")
        for word in _lines():
            if word == "stop":
                node.terminate()
            elif word == "start":
                node = _start(root, "slurmd", "-D")


def _start(root: Path, *command: str) -> subprocess.Popen[bytes]:
    with (root / "log" / f"{command[0]}.out").open("ab") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=root)


def _lines() -> Iterator[str]:
    """The lines of stdin until it ends; in between, processes that have ended leave the table of processes."""
    while True:
        if select.select([sys.stdin], [], [], 0.1)[0]:
            if not (line := sys.stdin.readline()):
                return
            yield line.strip()
        _reap()


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@contextlib.contextmanager
def _ends_all() -> Iterator[None]:
    """Kill every descendant at the end, also where a signal is the end."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _exit)
    try:
        yield
    finally:
        while left := descendants(os.getpid()):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
            _reap()


def _exit(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
