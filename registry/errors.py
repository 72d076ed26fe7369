"""The exception that a user is meant to read, and parts of its sentence: the first few of many names, a near name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
