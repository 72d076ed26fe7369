"""What the stages took to make feature files: not in them, as the same tiles give the same file however long they took.

Each process appends a line a feature file to a log of its own in the folder ``times`` beside them. So a folder of
11,000 slides has a few files more and not 11,000, and no two processes ever write to one file.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

from bench.embedding.times import StageTimes
from bench.files import unwritable


def write_times(file: Path, times: StageTimes) -> None:
    """Note what the stages took to make a feature file; what is noted last of a file is what counts.

    Raises
    ------
    UserError
        If the disk is full or the folder cannot be written.
    """
    log = file.parent / "times" / _log_name(os.getpid())
    try:
        _append(log, json.dumps({"file": file.name, **times.as_dict()}))
    except OSError as error:
        raise unwritable(log, error, "cache=DIR") from error


def read_times(file: Path) -> StageTimes:
    """What the stages took to make a feature file; zero where nothing recorded it."""
    return times_of([file])


def times_of(files: Iterable[Path]) -> StageTimes:
    """What the stages took to make some feature files."""
    found, noted = StageTimes(), dict[Path, Mapping[str, StageTimes]]()
    for file in files:
        if file.parent not in noted:
            noted[file.parent] = _times_in(file.parent)
        found += noted[file.parent].get(file.name) or _beside(file)
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
        try:
            fields = json.loads(line)
            found[str(fields["file"])] = StageTimes.of(fields)
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _beside(file: Path) -> StageTimes:
    """What an earlier version wrote in a file of its own."""
    try:
        return StageTimes.of(json.loads(file.with_suffix(".timing.json").read_text("utf-8")))
    except (OSError, ValueError, KeyError):
        return StageTimes()
