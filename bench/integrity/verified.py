"""Which files agree with their checksums: each is read once as long as its size, times and inode stay what they are.

That is remembered in the process and, by `remember_verified`, in ``verified.json`` beside the files, so that a cache is
read through once and not by every process. A file that is copied, replaced or changed has other times or another inode
(the time of the last change of an inode cannot be set), and is read again. What the note says is lost without harm.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bench.files import atomic_write
from bench.integrity.footer import CHUNK, DamagedFileError, Footer

NOTE = "verified.json"


class FileStamp(NamedTuple):
    """What a file has as long as nobody changes it: bytes, times in ns of its data and of its inode, and the inode."""

    size: int
    modified: int
    changed: int
    inode: int


def stamp_of(found: os.stat_result) -> FileStamp:
    """The stamp in what the operating system says of a file."""
    return FileStamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


_lock = threading.Lock()
_verified: dict[str, dict[str, FileStamp]] = {}  # by folder and name
_noted: dict[str, dict[str, FileStamp]] = {}  # what the notes of the folders say, as far as is known


def check_content(file: BinaryIO, path: Path, footer: Footer) -> FileStamp:
    """Check the content of an open file against its footer, unless this file was checked before; gives its stamp.

    Raises
    ------
    DamagedFileError
        If the content is not that of the footer.
    OSError
        If it cannot be read.
    """
    folder, name = os.path.split(path)
    stamp = stamp_of(os.fstat(file.fileno()))
    known = _known(folder)
    if known.get(name) != stamp:
        file.seek(0)
        left, checksum = footer.content_bytes, 0
        while left and (chunk := file.read(min(CHUNK, left))):
            left, checksum = left - len(chunk), zlib.crc32(chunk, checksum)
        if left or checksum != footer.content_crc:
            raise DamagedFileError("its data are changed")
        with _lock:
            known[name] = stamp
    return stamp


def remember_verified(folder: Path) -> None:
    """Note beside the files of a folder which of them were checked; one that cannot be written remembers nothing."""
    place = str(folder)
    with _lock:
        found = dict(_verified.get(place, {}))
        if found == _noted.get(place, {}):
            return
    with contextlib.suppress(OSError):
        there = set(os.listdir(folder))
        merged = {name: stamp for name, stamp in {**_read(folder / NOTE), **found}.items() if name in there}
        with atomic_write(folder / NOTE) as temporary:
            temporary.write_text(json.dumps(merged, sort_keys=True, indent=0) + "\n", "utf-8")
        with _lock:
            _noted[place] = found


def _known(folder: str) -> dict[str, FileStamp]:
    with _lock:
        if folder not in _verified:
            _verified[folder] = _read(Path(folder) / NOTE)
            _noted[folder] = dict(_verified[folder])
        return _verified[folder]


def _read(note: Path) -> dict[str, FileStamp]:
    """What a note says; one that is missing or damaged says nothing, and a wrong stamp is that of no file."""
    try:
        found = json.loads(note.read_text("utf-8"))
        return {str(name): FileStamp(*map(int, stamp)) for name, stamp in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}
