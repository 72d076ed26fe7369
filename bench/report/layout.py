"""Lines that fit a terminal: shortened names that stay distinct, columns by their importance, shortened sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

GAP = 2
"""Spaces between two columns, as `registry.text_table.aligned` puts them."""
DOTS = "..."


def short_names(names: Iterable[str], width: int, suffix: str = "") -> dict[str, str]:
    """A form of each name with at most `width` characters and the suffix; two names never get the same.

    A long name loses its middle, because families begin alike and sizes and variants stand at the end. All lose it at
    the same place, which is chosen so that they stay distinct.

    Parameters
    ----------
    width : int
        At least 10.
    suffix : str
        An ending such as ``@random`` that is not shortened: with it, a name is that much longer than `width`.
    """
    bodies = {name: name.removesuffix(suffix) if suffix else name for name in names}
    long = sorted({body for body in bodies.values() if len(body) > width})
    short = {body: body for body in bodies.values() if len(body) <= width} | _cut(long, width)
    taken: set[str] = set(short) - set(long)
    for body in long:
        number = 2
        while short[body] in taken:
            mark = f"{DOTS}#{number}"
            short[body] = f"{body[: width - len(mark)]}{mark}"
            number += 1
        taken.add(short[body])
    return {name: short[body] + name[len(body) :] for name, body in bodies.items()}


def _cut(names: Sequence[str], width: int) -> dict[str, str]:
    """The middle taken out of each, where most of them stay distinct."""
    room = width - len(DOTS)
    tails = sorted(range(1, room), key=lambda tail: abs(tail - room // 2))
    forms = ([f"{name[: room - tail]}{DOTS}{name[len(name) - tail :]}" for name in names] for tail in tails)
    return dict(zip(names, max(forms, key=lambda found: len(set(found))), strict=True)) if names else {}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
    importance : int
        0 is always shown; of the others those with the least numbers that fit.
    """

    title: str
    importance: int = 0


def fitting(columns: Sequence[Column], lines: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """The numbers of the columns that fit `width` together, in their order; all of them where it is None."""
    if width is None:
        return list(range(len(columns)))
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    shown = [i for i, column in enumerate(columns) if column.importance == 0]
    total = sum(widths[i] + GAP for i in shown) - GAP
    for i in sorted(set(range(len(columns))) - set(shown), key=lambda i: (columns[i].importance, i)):
        if total + GAP + widths[i] <= width:
            shown.append(i)
            total += GAP + widths[i]
    return sorted(shown)


def stacked(lines: Sequence[Sequence[str]], width: int) -> Iterator[list[list[str]]]:
    """A table as several of at most `width` columns each, which share the first column."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    chosen: list[int] = []
    for i in range(1, len(widths)):
        if chosen and widths[0] + sum(GAP + widths[one] for one in (*chosen, i)) > width:
            yield [[line[0], *(line[one] for one in chosen)] for line in lines]
            chosen = []
        chosen.append(i)
    yield [[line[0], *(line[one] for one in chosen)] for line in lines]


def shortened(sentence: str, most: int) -> str:
    """The sentence on one line, cut off at `most` characters."""
    line = " ".join(sentence.split())
    return line if len(line) <= most else f"{line[: most - len(DOTS) - 1]} {DOTS}"
