"""A claim as a file: it comes with its text under its name, and goes without taking away that of another process."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from bench.files import temporary_name

SUFFIX = ".claim"


def create(claim: Path, text: bytes) -> os.stat_result:
    """Make a claim, whose text is there as soon as its name is, so that whoever finds it knows whose it is.

    Raises
    ------
    FileExistsError
        If there is one.
    OSError
        If none can be made.
    """
    claim.parent.mkdir(parents=True, exist_ok=True)
    written = temporary_name(claim)
    try:
        found = _write(written, text)
        try:
            os.link(written, claim)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            found = _write(claim, text)
    finally:
        with contextlib.suppress(OSError):
            written.unlink()
    return found


def _write(path: Path, text: bytes) -> os.stat_result:
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        os.write(handle, text)
        return os.fstat(handle)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(handle)


def take_away(claim: Path, text: bytes, inode: int) -> bool:
    """Remove the claim that was found with this text and inode; False if another one stands in its place, and stays.

    Raises
    ------
    OSError
        If there is none, or it cannot be renamed.
    """
    away = temporary_name(claim)
    os.rename(claim, away)
    try:
        if (away.read_bytes(), os.stat(away).st_ino) != (text, inode):
            os.link(away, claim)
            return False
    except OSError:  # unreadable, or no links here: at worst two processes make the same file
        pass
    finally:
        with contextlib.suppress(OSError):
            away.unlink()
    return True


def holder_of(text: bytes) -> dict[str, str | int]:
    """What the text of a claim says of its process; nothing where it cannot be read."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def called(text: bytes) -> str:
    """The process of a claim, in words."""
    holder = holder_of(text)
    if not holder:
        return "a process that cannot be named"
    job = f", job {holder['job']}" if holder.get("job") else ""
    return f"the process {holder.get('pid')} on {holder.get('host')}{job}"
