"""Copies of slides on the node's own disk, made just before their tiles are read and removed when they have been read.

Each process has a folder of its own, named by process and host, so that copies do not collide and what a killed process
left behind is known. The files together never exceed a bound.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import socket
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.slides.slide_files import slide_files

PREFIX = "pfmbench-slides"
CHUNK = 4 << 20  # bytes that are copied at once
LOOK_S = 0.2  # between two looks whether the run ends while a slide waits for room
GIB = 2**30


@dataclass(frozen=True, eq=False)
class Copy:
    """The copy of a slide.

    Attributes
    ----------
    path : Path
        Of its own file; other files lie beside it as they do in the original.
    drop : callable
        Removes it; a second call does nothing.
    """

    path: Path
    drop: Callable[[], None]


class Scratch:
    """A folder of a node-local disk for copies of slides. Safe to use from several threads.

    Nothing is written before the first copy.

    Parameters
    ----------
    folder : Path
        Several processes and runs may share it.
    limit : int
        Bytes that the copies of this object take at most.
    say : callable
        Takes a line, said once, on slides that are read in place.
    """

    def __init__(self, folder: Path, limit: int, say: Callable[[str], None]):
        self.folder, self.limit, self._say = folder, limit, say
        self._own: Path | None = None
        self._used = self._number = 0
        self._told: set[str] = set()
        self._changed = threading.Condition()

    def copy(self, slide: str, stopped: threading.Event) -> Copy | None:
        """Copy a slide with all its files; waits for room where other copies take it.

        Parameters
        ----------
        slide : str
            Path of its own file.
        stopped : threading.Event
            Set when the copy is not wanted any more; ends the waiting and the copying.

        Returns
        -------
        Copy or None
            None where the slide is to be read in place: it is larger than the limit, the folder cannot take it, it
            cannot be read, or the run ends.
        """
        try:
            files = slide_files(slide)
            size = sum(file.stat().st_size for file in files)
        except OSError:  # the reader of the slide says why
            return None
        if size > self.limit:
            self._tell(
                "size",
                f"the slide {slide} takes {size / GIB:.3g} GiB and scratch_gib is {self.limit / GIB:.3g}: larger "
                "slides are read where they are",
            )
            return None
        if not self._reserve(size, stopped):
            return None
        target: Path | None = None
        try:
            target = self._new_folder()
            for file in files:
                there = target / file.relative_to(files[0].parent)
                if not _copy_file(file, there, stopped):
                    self._drop(target, size)
                    return None
        except OSError as error:
            self._drop(target, size)
            if error.errno != errno.ENOENT or Path(slide).exists():
                self._tell(
                    "disk",
                    f"the scratch folder {self.folder} does not take the slide {slide} ({error.strerror or error}): "
                    "slides that it does not take are read where they are",
                )
            return None
        once = threading.Lock()  # is taken by the first who drops the copy, and never given back

        def drop() -> None:
            if once.acquire(blocking=False):
                self._drop(target, size)

        return Copy(target / files[0].name, drop)

    def sweep(self) -> None:
        """Remove what processes of this host left behind that were killed."""
        for other in self.folder.glob(f"{PREFIX}-*"):
            if _is_abandoned(other.name):
                shutil.rmtree(other, ignore_errors=True)

    def _reserve(self, size: int, stopped: threading.Event) -> bool:
        with self._changed:
            while self._used + size > self.limit:
                if stopped.is_set():
                    return False
                self._changed.wait(LOOK_S)
            self._used += size
        return True

    def _new_folder(self) -> Path:
        with self._changed:
            self._number += 1
            if self._own is None:
                self._own = self.folder / f"{_owner(os.getpid())}-{secrets.token_hex(4)}"
            found = self._own / str(self._number)
            found.mkdir(parents=True)
        return found

    def _drop(self, target: Path | None, size: int) -> None:
        """Remove a copy, then count its room as free; the last one takes the folder of this process with it."""
        if target is not None:
            shutil.rmtree(target, ignore_errors=True)
        with self._changed:
            self._used -= size
            if self._own is not None:
                with contextlib.suppress(OSError):
                    self._own.rmdir()
            self._changed.notify_all()

    def _tell(self, what: str, line: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._say(line)


def _copy_file(file: Path, there: Path, stopped: threading.Event) -> bool:
    """Whether all of a file was copied before the run ended."""
    there.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "rb", buffering=0) as source, open(there, "wb", buffering=0) as copy:
        while chunk := source.read(CHUNK):
            if stopped.is_set():
                return False
            rest = memoryview(chunk)
            while rest:
                rest = rest[copy.write(rest) or 0 :]
    return True


def _owner(process: int) -> str:
    """The name of a process's folders: process id, when it was started, the namespace of the id, and the host."""
    return f"{PREFIX}-{process}-{_start_of(process)}-{_namespace()}-{urllib.parse.quote(socket.gethostname(), safe='')}"


def _is_abandoned(name: str) -> bool:
    """Whether a folder is of a process of this host that lives no more."""
    fields = name.removeprefix(f"{PREFIX}-").split("-", 1)
    if not fields[0].isdigit() or len(fields) != 2:
        return False
    process = int(fields[0])
    here = f"-{_namespace()}-{urllib.parse.quote(socket.gethostname(), safe='')}"
    if not name.rpartition("-")[0].endswith(here):
        return False
    return not name.startswith(f"{_owner(process)}-")


def _start_of(process: int) -> str:
    """When a process was started, in ticks since the boot, as ids are used again; "" for one that is not there.

    Where the system does not tell, "0" for a living process.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
        return stat.rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "0"


def _namespace() -> str:
    """The namespace that process ids of this container count in; "0" where there is none."""
    try:
        return "".join(filter(str.isdigit, os.readlink("/proc/self/ns/pid")))
    except OSError:
        return "0"
