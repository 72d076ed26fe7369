"""The exception that a user is meant to read, parts of its sentence, and the sentence for any other exception."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path


class Interruption(BaseException):
    """What a signal raises: code that catches whatever other people's code raises must let it pass."""


class UserError(Exception):
    """Something the user can mend: one plain sentence that says what is wrong, where, and what to do.

    The command line prints it on stderr without a traceback and exits with code 2.
    """


def first_few(names: Iterable[object], shown: int = 3, between: str = ", ") -> str:
    """As in "a, b, c and 4 more"."""
    every = [str(name) for name in names]
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return between.join(every[:shown]) + more


def near_match(name: object, known: Iterable[str]) -> str:
    """A question to end a sentence with, " Is label meant?", or nothing where no known name is near."""
    near = get_close_matches(str(name), list(known), 1)
    return f" Is {near[0]} meant?" if near else ""


def fault_of(error: BaseException) -> str:
    """The sentence for an exception that nothing foresaw: its type and message, and the file and line that it is of.

    A file outside this package and the installed ones is the user's: a plugin, or a head or target of their own.
    """
    what = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_absolute()]
    own = [frame for frame in frames if not _within(frame.filename, _harness() + _installed())]
    harness = [frame for frame in frames if _within(frame.filename, _harness())]
    debug = "PFMBENCH_DEBUG=1 prints the whole traceback"
    if own:
        return f"{what} ({_place(own[-1])}, which is a file of yours: mend it there; {debug})"
    at = f" at {_place(harness[-1])}" if harness else ""
    return (
        f"{what} (a fault of the harness or its libraries{at}: please report it, or mend it if that file is yours; "
        f"{debug})"
    )


def _place(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename} line {frame.lineno}, in {frame.name}"


def _within(file: str, folders: tuple[str, ...]) -> bool:
    return str(Path(file).resolve()).startswith(folders)


@cache
def _harness() -> tuple[str, ...]:
    here = Path(__file__).resolve().parents[1]
    return tuple(f"{here / name}/" for name in ("bench", "registry"))


@cache
def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({f"{Path(paths[name]).resolve()}/" for name in ("stdlib", "platstdlib", "purelib", "platlib")})
