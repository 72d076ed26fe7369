"""The zip of a pack: the same bytes for the same content; read within limits and never outside a folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from bench.files import atomic_write
from bench.packs.layout import (
    FORMAT,
    HASHED,
    LARGEST_CONTENT,
    LARGEST_PACK,
    LARGEST_PREDICTIONS,
    LARGEST_RECORD,
    LARGEST_ROW,
    MOST_FILES,
    NAME,
    PLAIN,
    RECORD,
    SCHEMA,
    PackRecord,
)
from bench.rows import printable_text
from registry.errors import UserError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can tell
END = b"PK\x05\x06"
END_BYTES = 22
LONGEST_COMMENT = 2**16 - 1
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def write_pack(path: Path, record: PackRecord, content: Mapping[str, bytes]) -> None:
    """Write a pack whose bytes follow from its content alone: names in order, no times, one kind of compression.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    text = json.dumps(asdict(record), sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", allowZip64=False) as archive:
        for name, data in [(RECORD, text.encode()), *sorted(content.items())]:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data, compresslevel=9)


def read_pack(path: Path, folder: Path) -> tuple[PackRecord, list[str]]:
    """Unpack a pack into an empty folder; gives its record, and a sentence for each file that is not as recorded.

    Files that are not as recorded are not unpacked.

    Raises
    ------
    UserError
        If it is no pack, is of a newer schema, is larger than a pack may be, or holds what no pack holds: a name that
        leads out of it, a link, a folder, an encrypted or a repeated file.
    """
    with _errors_of_reading(path):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UserError(f"{path} is no file: name the zip that python -m bench submit wrote.")
        _check_size(path)
        opened = zipfile.ZipFile(path)
    with opened as archive:
        entries = {entry.filename: entry for entry in _checked(path, archive.infolist())}
        record = _record(path, _bytes(path, archive, entries.pop(RECORD)))
        faults = [f"{name} is in the pack's record and not in the pack" for name in record.files.keys() - entries]
        for name, entry in entries.items():
            data = _bytes(path, archive, entry)
            if record.files.get(name) != hashlib.sha256(data).hexdigest():
                why = "has other bytes than" if name in record.files else "is not listed in"
                faults.append(f"{name} {why} the record of the pack")
                continue
            try:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
            except OSError as error:
                raise UserError(
                    f"The pack {path} cannot be unpacked in {folder} ({error.strerror or error}): make room there, or "
                    "set TMPDIR to another folder."
                ) from error
    return record, sorted(faults)


@contextlib.contextmanager
def _errors_of_reading(path: Path) -> Iterator[None]:
    """What is raised while bytes of the zip are read, and nothing else, as one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EINVAL:  # its list of files leads to a place before its first byte
            raise _other_content(path, error) from error
        raise UserError(f"The pack {path} cannot be read ({error.strerror or error}).") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise _other_content(path, error) from error


def _other_content(path: Path, error: Exception) -> UserError:
    """The error of bytes that no pack has: damage and a zip of another program cannot be told apart."""
    why = printable_text(" ".join(str(error).split()))[:200]
    return UserError(
        f"The pack {path} is damaged or no zip that python -m bench submit wrote ({why}): get it anew from whoever "
        "made it."
    )


def _check_size(path: Path) -> None:
    """Refuse a zip whose list of files is too long before it is read."""
    size = os.stat(path).st_size
    if size > LARGEST_PACK:
        raise UserError(f"The pack {path} has {size / 2**20:,.0f} MiB, and a pack has {LARGEST_PACK >> 20} at most.")
    with open(path, "rb") as file:
        file.seek(max(0, size - END_BYTES - LONGEST_COMMENT))
        tail = file.read()
    place = tail.rfind(END)
    if place < 0 or len(tail) < place + END_BYTES:
        raise UserError(f"{path} is no zip, or its end is missing: name the file that python -m bench submit wrote.")
    n_files = int.from_bytes(tail[place + 10 : place + 12], "little")
    length = int.from_bytes(tail[place + 12 : place + 16], "little")
    if n_files > MOST_FILES or length > MOST_FILES * 1024:
        raise UserError(f"The pack {path} lists more than {MOST_FILES:,} files, which is the most that is read.")


def _checked(path: Path, entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The entries, all of them files that a pack may hold."""
    if len(entries) > MOST_FILES:
        raise UserError(f"The pack {path} has more than {MOST_FILES:,} files, which is the most that is read.")
    names: set[str] = set()
    for entry in entries:
        name = printable_text(entry.orig_filename)[:200]
        mode = entry.external_attr >> 16
        if entry.orig_filename != entry.filename or not (entry.filename == RECORD or NAME.fullmatch(entry.filename)):
            raise UserError(
                f"The pack {path} holds {name!r}, which is no name of a file of a pack or leads out of it: nothing of "
                "it is read."
            )
        if entry.is_dir() or stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise UserError(f"The pack {path} holds {name!r}, which is a link or no file: nothing of it is read.")
        if entry.flag_bits & 1 or entry.compress_type not in COMPRESSIONS:
            raise UserError(f"The pack {path} holds {name!r} encrypted or packed in a way that packs are not.")
        if entry.filename in names:
            raise UserError(f"The pack {path} holds {name!r} twice: nothing of it is read.")
        names.add(entry.filename)
        largest = _largest(entry.filename)
        if entry.file_size > largest:
            raise UserError(
                f"The pack {path} holds {name!r} of {entry.file_size / 2**20:,.0f} MiB unpacked, and such a file has "
                f"{largest / 2**20:,.0f} at most."
            )
    total = sum(entry.file_size for entry in entries)
    if total > LARGEST_CONTENT:
        raise UserError(
            f"The pack {path} has {total / 2**30:,.1f} GiB unpacked, and a pack has {LARGEST_CONTENT >> 30} at most."
        )
    if RECORD not in names:
        raise UserError(f"{path} is no pack, as it has no {RECORD}: name the file that python -m bench submit wrote.")
    return entries


def _largest(name: str) -> int:
    """The most bytes that a file of this name has."""
    if name == RECORD:
        return LARGEST_RECORD
    return LARGEST_ROW if name.startswith("rows/") else LARGEST_PREDICTIONS


def _bytes(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The content of a file, of which no more is unpacked than it says to have."""
    with _errors_of_reading(path), archive.open(entry) as file:
        data = file.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        name = printable_text(entry.filename)
        raise UserError(f"The pack {path} holds {name!r} of another size than it says: get it anew.")
    return data


def _record(path: Path, data: bytes) -> PackRecord:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UserError(f"The {RECORD} of {path} is no JSON: get the pack anew from whoever made it.") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if not isinstance(found, dict) or found.get("format") != FORMAT or type(schema) is not int:
        raise UserError(f"{path} is no pack, as its {RECORD} does not say so: name the file that submit wrote.")
    if schema > SCHEMA:
        version = printable_text(str(found.get("version", "")))[:40]
        raise UserError(
            f"The pack {path} is of schema {schema}, and this version reads up to {SCHEMA}: verify it with pfmbench "
            f"{version} or newer."
        )
    if not _is_record(found):
        raise UserError(f"The {RECORD} of {path} lacks a field or has one of another type: make the pack anew.")
    return PackRecord(**{one.name: found[one.name] for one in fields(PackRecord)})


def _is_record(found: Mapping[str, Any]) -> bool:
    """Whether it has the fields of a `PackRecord`, each of its type."""
    files = found.get("files")
    return (
        isinstance(found.get("version"), str)
        and found.get("ids") in (PLAIN, HASHED)
        and all(type(found.get(name)) is int and 0 <= found[name] < 2**63 for name in ("rows", "left_out"))
        and isinstance(files, dict)
        and all(isinstance(digest, str) for digest in files.values())
    )
