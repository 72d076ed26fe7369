"""How a command is left before its end: signals that stop it, and the sentence on what stands and what to run."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


class Terminated(KeyboardInterrupt):
    """SIGTERM, as of `kill`, a scheduler or a machine that goes down: what Ctrl-C does is done."""


@dataclass
class Folders:
    """The folders of a run's rows and features."""

    results: str
    cache: str


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Within, SIGTERM raises `Terminated` in the main thread, so that files are closed and processes ended."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def exit_code(stop: KeyboardInterrupt) -> int:
    """As shells give it: 128 and the number of the signal."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


def what_stands(stop: KeyboardInterrupt, arguments: Sequence[str], folders: Folders, since: float) -> str:
    """What a stopped command has made and by which command it goes on.

    Parameters
    ----------
    since : float
        When it started, in seconds since the epoch.
    """
    rows = _made_since(os.path.join(folders.results, "rows"), ".json", since)
    files = _made_since(os.path.join(folders.cache, "features"), ".h5", since)
    name = "SIGTERM" if isinstance(stop, Terminated) else "Ctrl-C"
    return (
        f"Stopped by {name}: {_counted(rows, 'row')} in {folders.results} and {_counted(files, 'feature file')} in "
        f"{folders.cache} were written by this command; they stand, with all from before, and are not made again. "
        f"To go on: {shlex.join(['python', '-m', 'bench', *arguments])}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _made_since(folder: str, ending: str, since: float) -> int:
    """Files below a folder that are not older than a time; what cannot be looked at is not counted."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found += name.endswith(ending) and os.stat(os.path.join(place, name)).st_mtime >= since
    return found
