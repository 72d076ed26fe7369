"""Files that are whole or not there: written to a temporary name, flushed and renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from registry.errors import UserError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name to write to, which becomes `path` when the block ends well and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # other nodes may have our process id
    try:
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def unwritable(path: Path, error: OSError, option: str) -> UserError:
    """What to tell a user whose disk is full or whose folder is closed; `option` is the way to name another."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return UserError(
            f"The disk of {path.parent} is full: make room or name another folder with {option}; what is already "
            "written stays valid and is not done again."
        )
    return UserError(
        f"The folder {path.parent} cannot be written ({error.strerror or error}): name another with {option}."
    )
