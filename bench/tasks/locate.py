"""Finding a dataset under the data folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from bench.tasks.config import TaskConfig
from registry.errors import UserError, first_few


def locate(task: TaskConfig, root: Path | None, lacking: Callable[[Path], list[str]]) -> Path:
    """The folder that holds the dataset: the first of ``root/folder`` and ``root`` where nothing is lacking.

    Parameters
    ----------
    task : TaskConfig
    root : path or None
        What the user set as ``data``; ``task.data`` goes before it.
    lacking : function
        Gives the names that a folder lacks of the reader's layout.

    Raises
    ------
    UserError
        If no data folder is named, it is not there or is empty, or it lacks the layout.
    """
    root = data_root(task, root)
    if not root.is_dir():
        raise UserError(f"The data of {task.name} are to be a folder and {root} is a file{_wanted(task)}.")
    candidates = [root / name for name in task.folder if (root / name).is_dir()] + [root]
    short = {folder: lacking(folder) for folder in candidates}
    for folder, names in short.items():
        if not names:
            return folder
    folder, names = min(short.items(), key=lambda item: len(item[1]))
    raise UserError(f"The folder {folder} lacks {first_few(names)} of the task {task.name}{_wanted(task)}.")


def data_root(task: TaskConfig, root: Path | None) -> Path:
    """What the user named as the task's data, which must be there and not empty."""
    named = Path(task.data) if task.data else root
    if named is None:
        raise UserError(f"The task {task.name} needs data: set data=PATH{_wanted(task)}.")
    named = named.expanduser().absolute()
    check_utf8([str(named)])
    try:
        there = named.exists()
    except OSError as error:  # of a folder above it, or links that lead to each other
        raise UserError(f"The data {named} cannot be read ({error.strerror}): see to its permissions.") from error
    if not there:
        raise UserError(f"The data {named} of the task {task.name} are not there: set data=PATH{_wanted(task)}.")
    try:
        empty = named.is_dir() and not any(named.iterdir())
    except OSError as error:
        raise UserError(f"The folder {named} cannot be read ({error.strerror}): see to its permissions.") from error
    if empty:
        raise UserError(f"The data folder {named} of the task {task.name} is empty{_wanted(task)}.")
    return named


def check_utf8(paths: Iterable[str]) -> None:
    """Refuse names of files that are not UTF-8, as no table and no feature file could name them.

    Raises
    ------
    UserError
        With the first of them.
    """
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            raise UserError(f"The name of {shown} is not UTF-8: rename it (convmv -f latin1 -t utf8).") from error


def _wanted(task: TaskConfig) -> str:
    layout = f"; expected is {task.layout}" if task.layout else ""
    return layout + (f"; to be had at {task.url}" if task.url else "")
