"""Text that a terminal, a table and a UTF-8 file can show as it is.

It has no control characters, lone surrogates, separators of lines, or marks that turn the direction of what follows.
"""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with a space for each line break or tab, and an escape sequence in letters for other such characters."""
    return _UNPRINTABLE.sub(lambda found: " " if found[0].isspace() else ascii(found[0])[1:-1], text)


def is_printable(text: str) -> bool:
    """Whether the text is its own `printable`."""
    return _UNPRINTABLE.search(text) is None
