"""Markdown that a forge shows as it is meant: tables, and text of which nothing is taken for markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_MARKUP = re.compile(r"([\\`*{}\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_]))")  # an underscore within a word is none
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_LINK = re.compile(r"(https?:|ftp:|www\.|mailto:)", re.IGNORECASE)


def plain(text: str) -> str:
    """Text of which nothing is taken for markup, an HTML tag or a link, in one line."""
    one_line = _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], " ".join(text.split()))
    return _LINK.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", _MARKUP.sub(r"\\\1", one_line))


def markdown_table(heading: Sequence[str], rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> Iterator[str]:
    """The lines of a table; cells are Markdown already.

    Parameters
    ----------
    right : iterable of int
        The places of the columns that are set to the right.
    """
    numbers = set(right)
    yield _line(heading)
    yield _line("---:" if place in numbers else "---" for place in range(len(heading)))
    yield from (_line(row) for row in rows)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
