"""Names in a sentence: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Iterable


def some(names: Iterable[object], shown: int = 3, between: str = ", ") -> str:
    """As in "a, b, c and 4 more"."""
    every = [str(name) for name in names]
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return between.join(every[:shown]) + more
