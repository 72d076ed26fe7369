"""What the stages took to make feature files: not in them, as the same tiles give the same file however long they took.

Each process appends a line a feature file to a log of its own in the folder ``times`` beside them. So a folder of
11,000 slides has a few files more and not 11,000, and no two processes ever write to one file.

A line ends in its checksum. Times are worth less than the features that they are of: a log that cannot be written and
lines that are damaged are times that nobody knows, and never an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import zlib
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

from bench.embedding.times import StageTimes


def write_times(file: Path, times: StageTimes) -> None:
    """Note what the stages took to make a feature file, if that can be noted; what is noted last of a file counts."""
    log = file.parent / "times" / _log_name(os.getpid())
    text = json.dumps({"file": file.name, **times.as_dict()})
    with contextlib.suppress(OSError):
        _append(log, f"{text}\t{_checksum(text)}")


def read_times(file: Path) -> StageTimes:
    """What the stages took to make a feature file; zero where nothing recorded it."""
    return times_of([file])


def times_of(files: Iterable[Path]) -> StageTimes:
    """What the stages took to make some feature files."""
    found, noted = StageTimes(), dict[Path, Mapping[str, StageTimes]]()
    for file in files:
        if file.parent not in noted:
            noted[file.parent] = _times_in(file.parent)
        found += noted[file.parent].get(file.name, StageTimes())
    return found


@cache
def _log_name(process: int) -> str:
    """Of the log of this process; a forked one has another id, and so another log."""
    return f"{secrets.token_hex(8)}.jsonl"


def _append(log: Path, line: str) -> None:
    log.parent.mkdir(exist_ok=True)
    with open(log, "a", encoding="utf-8") as opened:
        opened.write(f"{line}\n")


def _times_in(folder: Path) -> dict[str, StageTimes]:
    """All that is noted of the files of a folder, the older logs first."""
    logs = []
    for log in folder.joinpath("times").glob("*.jsonl"):
        try:
            stat = log.stat()
        except OSError:
            continue
        logs.append((stat.st_mtime_ns, str(log), stat.st_size))
    found: dict[str, StageTimes] = {}
    for changed, path, size in sorted(logs):
        found |= _noted(path, changed, size)
    return found


@lru_cache(maxsize=64)
def _noted(log: str, changed: int, size: int) -> dict[str, StageTimes]:
    """The lines of a log of this time and size; the last one of a killed process may be half a line."""
    found = {}
    try:
        lines = Path(log).read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        text, _, checksum = line.partition("\t")
        if checksum != _checksum(text):
            continue
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            fields = json.loads(text)
            found[str(fields["file"])] = StageTimes.of(fields)
    return found


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode(errors='replace')):08x}"
