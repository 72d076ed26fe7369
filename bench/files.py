"""Atomic writing of files, and what identifies files and settings."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from registry.errors import UserError


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` when the block ends well and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        put_in_place(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def temporary_name(path: Path) -> Path:
    """A name beside `path` that no other writer has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # other nodes may have our process id


def put_in_place(temporary: Path, path: Path) -> None:
    """Flush a complete file to the disk and give it its name."""
    with open(temporary, "rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def file_system_now(folder: Path) -> float:
    """The time of the file system's own clock, in seconds since the epoch: modification times compare with it alone.

    The clock of this machine may differ from the server's, or from the one of a machine that touched a file.

    Raises
    ------
    OSError
        If no file can be made in the folder.
    """
    probe = temporary_name(folder / "clock")
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        os.utime(probe)  # without a time of this machine, so that a server writes its own
        return os.stat(probe).st_mtime
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def unwritable(path: Path, error: OSError, option: str) -> UserError:
    """The error of a full disk or a folder without permission; `option` is the setting that names another folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return UserError(
            f"The disk of {path.parent} is full: make room or name another folder with {option}; what is already "
            "written stays valid and is not done again."
        )
    return UserError(
        f"The folder {path.parent} cannot be written ({error.strerror or error}): name another with {option}."
    )


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
