"""Text in aligned columns, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


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
