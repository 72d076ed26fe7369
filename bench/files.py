"""Atomic writing of files, and what identifies files and settings."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import stat
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from registry.errors import UserError

OF_HDF5 = re.compile("error message = '([^']*)'")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` when the block ends well and vanishes when it does not.

    The temporary file lies beside the final one, so that both are on one file system. An OSError of the block that
    names no file, as of a full disk, names `path` afterwards.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        put_in_place(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def temporary_name(path: Path) -> Path:
    """A name beside `path` that no other writer has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # other nodes may have our process id


def put_in_place(temporary: Path, path: Path) -> None:
    """Flush a complete file to the disk and give it its name."""
    with open(temporary, "rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def content_of(path: Path, largest: int, what: str) -> bytes:
    """The bytes of a file that somebody else may have put there.

    Parameters
    ----------
    largest : int
        Bytes that such a file has at most.
    what : str
        What it is, as in "a row".

    Raises
    ------
    ValueError
        If it is larger, or no file, such as a pipe, from which reading might never end.
    OSError
        If it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no file")
        if status.st_size > largest:
            raise ValueError(f"it has {status.st_size / 2**20:,.0f} MiB, and {what} has {largest >> 20} at most")
        with open(descriptor, "rb", closefd=False) as handle:
            return handle.read()
    finally:
        os.close(descriptor)


def file_system_now(folder: Path) -> float:
    """The time of the file system's own clock, in seconds since the epoch: modification times compare with it alone.

    The clock of this machine may differ from the server's, or from the one of a machine that touched a file.

    Raises
    ------
    OSError
        If no file can be made in the folder.
    """
    probe = temporary_name(folder / "clock")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.utime(probe)  # without a time of this machine, so that a server writes its own
        return os.stat(probe).st_mtime
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def unwritable(path: Path, error: OSError, option: str) -> UserError:
    """The error of a full disk or a folder without permission; `option` is the setting that names another folder."""
    own = OF_HDF5.search(str(error))  # whose errors have neither number nor message of their own
    reason = own[1] if own else error.strerror or str(error)
    full = {os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT)}
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or any(words in str(error) for words in full):
        return UserError(
            f"The disk of {path.parent} is full: make room or name another folder with {option}; what is already "
            "written stays valid and is not done again."
        )
    return UserError(f"The folder {path.parent} cannot be written ({reason}): name another with {option}.")


def file_name(name: str, safe: str = "@", longest: int = 80) -> str:
    """A name of a task, a model or a slide as that of a file or folder, which never leaves the folder that it is in.

    Parameters
    ----------
    name : str
    safe : str
        Characters that stand as they are, beside letters, digits and "_.-~"; the others are percent-encoded.
    longest : int
        Characters. A longer name is cut and ends in "," and its digest: no other name is encoded so.

    Returns
    -------
    str
        Without a slash and without a dot at its front, and never empty.
    """
    quoted = urllib.parse.quote(name, safe=safe, errors="surrogatepass")
    if len(quoted) > longest:
        quoted = quoted[: longest - 17] + "," + hashlib.sha256(quoted.encode()).hexdigest()[:16]
    return "%2E" + quoted[1:] if quoted.startswith(".") else quoted or "%"


def path_below(folder: Path, name: str) -> Path:
    """The path of a name below a folder of the user's, of which slashes may name folders.

    Raises
    ------
    UserError
        If the name leads out of the folder.
    """
    if os.path.isabs(name) or ".." in Path(name).parts or "\0" in name:
        raise UserError(
            f"{name!r} leads out of the folder {folder}: give ids without leading slashes and without `..`."
        )
    return folder / name


def stamp(path: str | Path) -> str:
    """Size and modification time of a file, which identify it, as for make and rsync.

    Raises
    ------
    UserError
        If there is no such file.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        raise UserError(f"The file {path} cannot be read ({error.strerror}): check the data folder.") from error
    return f"{found.st_size}-{found.st_mtime_ns}"


def digest(value: Any) -> str:
    """First 16 hex digits of the sha256 of a value as JSON; what JSON has no word for counts as its text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
