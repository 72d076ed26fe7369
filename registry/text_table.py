"""Text for a terminal: aligned columns, and sentences in lines that fit."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

WIDTH = 120


def aligned(lines: Sequence[Sequence[str]], left: int | None = None) -> Iterator[str]:
    """Each line with its cells padded to the widths of the columns.

    Parameters
    ----------
    left : int, optional
        How many of the first columns are flush left; the others are flush right. All are flush left by default.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.ljust(width) if left is None or i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def wrapped(line: str, indent: str = "  ", width: int = WIDTH, *, break_words: bool = True) -> Iterator[str]:
    """A sentence as lines of at most `width` columns; those after the first stand further right by `indent`.

    Parameters
    ----------
    break_words : bool
        Whether a word that is longer than a line is broken, which a path that is to be copied should not be.
    """
    if len(line) <= width:
        yield line
        return
    start = line[: len(line) - len(line.lstrip())]
    yield from textwrap.wrap(
        line.strip(),
        width,
        initial_indent=start,
        subsequent_indent=start + indent,
        break_long_words=break_words,
        break_on_hyphens=False,
    )
