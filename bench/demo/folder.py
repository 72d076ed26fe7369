"""A folder that is whole or not there: built beside its final place and renamed."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.files import unwritable
from registry.errors import UserError

GENERATOR = 3
"""Version of the phantom; a new number whenever a pixel or a table of the cohort changes."""

MARKER = "synthetic.json"
_ABANDONED_S = 6 * 3600


def build_folder(root: Path, recipe: Mapping[str, object], fill: Callable[[Path], None]) -> None:
    """Make `root` by `fill`, unless it was made by the same recipe.

    Parameters
    ----------
    recipe
        All that decides the content, as JSON can hold it; the folder's marker holds it with the generator's version.
    fill
        Writes the files into the folder that it is given.

    Raises
    ------
    UserError
        If the place cannot be written, the disk is full, or `root` holds something that is not a built-in cohort.
    """
    marker = json.dumps({"synthetic": True, "generator": GENERATOR, **recipe}, indent=1) + "\n"
    if _marker(root) == marker:
        return
    if root.exists() and (not root.is_dir() or (_marker(root) is None and any(root.iterdir()))):
        raise UserError(
            f"{root} is needed for the built-in cohort but holds something else: move that away or name another folder "
            "with cache=DIR."
        )
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        building = Path(tempfile.mkdtemp(prefix=f".{root.name}.", suffix=".partial", dir=root.parent))
    except OSError as error:
        raise unwritable(root, error, "cache=DIR") from error
    try:
        building.chmod(0o777 & ~_umask())
        fill(building)
        write(building / MARKER, marker.encode())
        _put(building, root, marker)
    except OSError as error:
        raise unwritable(root, error, "cache=DIR") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def write(path: Path, content: bytes) -> None:
    """Write a file of a folder in the making and flush it to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def write_csv(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write a table, the same bytes on every system; the first row's keys are the columns."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(path, text.getvalue().encode())


def _marker(root: Path) -> str | None:
    try:
        return (root / MARKER).read_text("utf-8")
    except OSError:
        return None


def _put(building: Path, root: Path, marker: str) -> None:
    """Rename into place; another process may have been faster, and an older cohort may be in the way."""
    for _ in range(10):
        try:
            building.rename(root)
        except OSError:
            if not root.is_dir():
                raise
        else:
            return
        if _marker(root) == marker:
            return
        old = Path(tempfile.mkdtemp(prefix=f".{root.name}.", suffix=".partial", dir=root.parent))
        with contextlib.suppress(FileNotFoundError):
            root.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    raise UserError(f"Another process keeps writing {root}: end it, or name another folder with cache=DIR.")


def _sweep(root: Path) -> None:
    """Remove what builds that were killed left behind."""
    for folder in root.parent.glob(f".{root.name}.*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
