"""Which files of a results folder are rows, each folder listed once."""

from __future__ import annotations

import os
from pathlib import Path


def row_file_names(results: Path, closed: list[tuple[Path, str]]) -> tuple[list[str], list[str]]:
    """Names in the results folder of the files of rows, and of those of the layout before this one; ordered by parts.

    Each folder is listed once; those that cannot be are added to `closed`. Names are text: that many paths as objects
    take longer than to read the rows.
    """
    folders, files = ["rows"], []
    for _ in range(3):  # tasks, cohorts, models; the earlier layout had no cohorts
        listed = [(f"{at}/{entry.name}", entry) for at in folders for entry in _entries(results / at, closed)]
        folders = [name for name, entry in listed if _is_folder(entry, closed)]
        others = {name for name, _ in listed}.difference(folders)
        files = [name for name, entry in listed if name.endswith(".json") and name in others and _is_file(entry)]
    names = (f"{folder}/{entry.name}" for folder in folders for entry in _entries(results / folder, closed))
    rows = [name for name in names if name.endswith(".json")]
    return sorted(rows, key=lambda name: name.split("/")), sorted(files)


def _entries(folder: Path, closed: list[tuple[Path, str]]) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it is not there or cannot be listed, which is added to `closed`."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        closed.append((folder, error.strerror or str(error)))
        return []


def _is_folder(entry: os.DirEntry[str], closed: list[tuple[Path, str]]) -> bool:
    """Whether it is a folder; a link that leads to itself is none, and is added to `closed`."""
    try:
        return entry.is_dir()
    except OSError as error:
        closed.append((Path(entry.path), error.strerror or str(error)))
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
