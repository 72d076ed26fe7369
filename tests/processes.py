"""What is made once for all processes of a run of the tests."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_process_at_a_time(folder: Path) -> Iterator[None]:
    """Let other processes that want to make the same folder wait until this one has left."""
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
