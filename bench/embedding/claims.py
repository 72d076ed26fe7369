"""Which process makes a feature file: claims, so that processes share the work of a cache and repeat none of it.

A claim is a file `SHARD.claim` beside the feature file `SHARD.h5`. The process that creates it makes the features and
removes it when they stand; meanwhile a thread touches it, which is its heartbeat. Claims only divide the work: a
feature file comes whole under its name, so that two processes that make the same one leave the same bytes.

No lock of the file system is used, only exclusive creation and renames. The claim of a process that ended is stale. On
the same machine the process is looked up. Of another machine the heartbeat decides, and nothing depends on clocks that
are set right: a claim that is old by the clock of the file system is still watched for as long as two beats, and one
that is young, or of the future, counts as stale when it is not touched while it is watched.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.embedding.claim_file import SUFFIX, called, create, holder_of, take_away
from bench.embedding.process import is_alive, this_process
from bench.files import file_system_now

BEAT_S = 20.0  # between two touches of a claim
STALE_S = 120.0  # without a touch, after which nobody holds a claim any more
BEATS_WATCHED = 2.25  # for which a claim that is older than that is seen unchanged before it is taken over
SURE_S = 3 * 3600.0  # an age that no wrong clock explains
NAMELESS_S = 5.0  # for which a claim that says nothing is watched: its process ended, or is about to write to it
POLL_S = (0.2, 5.0)  # the first and the longest pause between two looks at the files that others make
CLOCK_S = 60.0  # by which clocks may differ unnoticed


@dataclass(frozen=True)
class _Seen:
    """A claim of another process as it was first seen in this state."""

    text: bytes
    inode: int
    touched: float
    at: float  # of `time.monotonic`


class Claims:
    """The claims of a process; a context manager, which removes them however its block ends.

    Parameters
    ----------
    say : callable
        Takes a line where other processes are waited for, where the file of one that ended is made here, and where the
        clock of this machine is wrong.
    label : str
        What these lines call the dataset.
    beat_s : float
        Seconds between two touches of a claim.
    stale_s : float
        Seconds without a touch after which a claim is stale.
    """

    def __init__(
        self, say: Callable[[str], None], label: str = "", *, beat_s: float = BEAT_S, stale_s: float = STALE_S
    ):
        self._say, self._label, self._beat_s, self._stale_s = say, label, beat_s, stale_s
        self._text = json.dumps({**this_process(), "token": secrets.token_hex(8)}).encode()
        self._lock = threading.RLock()
        self._own: dict[Path, int | None] = {}  # with the inodes of the claims, None where none can be made
        self._aside: dict[Path, Callable[[], bool]] = {}
        self._seen: dict[Path, _Seen] = {}
        self._clock: tuple[float, float] | None = None  # of the file system and of `time.monotonic` at one moment
        self._lines: set[str] = set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Claims:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for path in list(self._own):
            self.release(path)
        if self._thread is not None:
            self._thread.join()

    def take(self, path: Path, stands: Callable[[], bool]) -> bool:
        """Whether this process is to make a feature file, which is then its own until it is released.

        Parameters
        ----------
        path : Path
            Of the feature file.
        stands : callable
            Tells whether the file is there and right.

        Returns
        -------
        bool
            False if the file stands, or if a process that lives makes it: then it is put aside. A claim that cannot be
            written, as in a folder without permission, keeps nobody from making the file.
        """
        with self._lock:
            if path in self._own:
                return True
            if stands():
                self._forget(path)
                return False
            if not self._claim(path):
                self._aside[path] = stands
                return False
            self._forget(path)
            if stands():  # another process finished it after the first look
                self.release(path)
                return False
            return True

    def is_aside(self, path: Path) -> bool:
        """Whether another process makes this feature file, as far as is known."""
        return path in self._aside

    def release(self, path: Path) -> None:
        """Remove the claim on a feature file that stands or that this process does not make after all."""
        with self._lock:
            if self._own.pop(path, None) is not None:
                claim = path.with_suffix(SUFFIX)
                with contextlib.suppress(OSError):
                    if claim.read_bytes() == self._text:
                        claim.unlink()

    def give_up(self, folder: Path) -> None:
        """Make no file of this folder any more, and wait for none: its model failed."""
        with self._lock:
            for path in [path for path in self._own if path.parent == folder]:
                self.release(path)
            for path in [path for path in self._aside if path.parent == folder]:
                del self._aside[path]

    def wait(self) -> bool:
        """Wait for the files that other processes make.

        Returns
        -------
        bool
            True as soon as one of them is to be made here, as its process ended without it; it is claimed then. False
            when all stand.
        """
        pause, longest = POLL_S
        while self._aside:
            for path, stands in list(self._aside.items()):
                if self.take(path, stands):
                    return True
            if self._aside:
                self._say_once("waiting", self._waiting())
                time.sleep(pause)
                pause = min(1.5 * pause, longest)
        return False

    def _forget(self, path: Path) -> None:
        """Look no more at what another process does with a feature file."""
        self._aside.pop(path, None)
        self._seen.pop(path, None)

    def _claim(self, path: Path) -> bool:
        """Whether nobody else has the claim: it is made, or cannot be made by anybody."""
        claim = path.with_suffix(SUFFIX)
        for _ in range(3):  # a claim that vanishes meanwhile is tried again
            try:
                self._own[path] = self._create(claim)
            except FileExistsError:
                pass
            except OSError:
                self._own[path] = None
            if path in self._own:
                return True
            try:
                seen = self._look(path, claim)
                if not self._is_stale(seen, claim):
                    return False
                self._take_away(seen, claim)
            except FileNotFoundError:
                continue
            except OSError:
                self._own[path] = None
                return True
        return False

    def _create(self, claim: Path) -> int:
        found = create(claim, self._text)
        self._check_clock(claim.parent, found.st_mtime - time.time())
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="claims", daemon=True)
            self._thread.start()
        return found.st_ino

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_s):
            for path, inode in list(self._own.items()):
                claim = path.with_suffix(SUFFIX)
                with contextlib.suppress(OSError):
                    if inode is not None and os.stat(claim).st_ino == inode:  # and not of a process that took it over
                        os.utime(claim)

    def _look(self, path: Path, claim: Path) -> _Seen:
        """The claim of another process, with the moment at which it was first seen as it is."""
        try:
            with open(claim, "rb") as file:  # which makes NFS ask the server for the time of the last touch
                text, found = file.read(), os.fstat(file.fileno())
        except PermissionError:
            text, found = b"?", os.stat(claim)
        now = _Seen(text, found.st_ino, found.st_mtime, time.monotonic())
        before = self._seen.get(path)
        if before is None or (before.text, before.inode, before.touched) != (text, now.inode, now.touched):
            self._seen[path] = before = now
        return before

    def _is_stale(self, seen: _Seen, claim: Path) -> bool:
        if (holder := holder_of(seen.text)) and is_alive(holder) is False:
            return True
        watched = time.monotonic() - seen.at
        if not seen.text:
            return watched > NAMELESS_S
        age = self._now(claim.parent) - seen.touched
        if age > self._stale_s:
            return age > SURE_S or watched > BEATS_WATCHED * self._beat_s
        return watched > self._stale_s

    def _now(self, folder: Path) -> float:
        """The time of the file system, which is looked up once a beat."""
        if self._clock is None or time.monotonic() - self._clock[1] > self._beat_s:
            self._clock = file_system_now(folder), time.monotonic()
        return self._clock[0] + time.monotonic() - self._clock[1]

    def _take_away(self, seen: _Seen, claim: Path) -> None:
        if take_away(claim, seen.text, seen.inode):
            self._say_once(
                "over", f"{called(seen.text)} ended before {claim.stem} was complete, which is made here instead"
            )

    def _waiting(self) -> str:
        with self._lock:
            others = {called(self._seen[path].text) for path in self._aside if path in self._seen}
            n = len(self._aside)
        who = " and ".join(sorted(others)) or "another process"
        return (
            f"a feature file is being made by {who}: waiting for it"
            if n == 1
            else f"{n} feature files are being made by {who}: waiting for them"
        )

    def _check_clock(self, folder: Path, ahead: float) -> None:
        if abs(ahead) > CLOCK_S:
            self._say_once(
                "clock",
                f"the clock of this machine is {abs(ahead) / 60:.0f} minutes {'behind' if ahead > 0 else 'ahead of'} "
                f"that of the file system of {folder}: features do not depend on it, but times in logs and rows do",
            )

    def _say_once(self, what: str, line: str) -> None:
        if what not in self._lines:
            self._lines.add(what)
            self._say(f"{self._label}: {line}" if self._label else line)
