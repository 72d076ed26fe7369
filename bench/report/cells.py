"""Cells of CSV files that no spreadsheet executes, and their text again.

A spreadsheet takes a cell that starts with ``=``, ``+``, ``-``, ``@``, a tab or a line break for a formula, and the
name of a model or an error can start so. Such a cell has a ``'`` before it in the file. The rule can be undone without
loss: text that already starts with one or more ``'`` before such a character gets one more, and `text_of` takes one
away. Numbers stay numbers: ``-0.1`` is written as it is.
"""

from __future__ import annotations

import re

RULE = (
    "A cell whose text starts with = + - @, a tab or a line break, or with ' before one of these, has one ' put before "
    "it, unless it is a number; to read the text, take that ' away. An empty cell is a value that is not known."
)
_EXECUTED = "=+\\-@\t\r\n\uff0b\uff0d\uff1d\uff20"  # with their full-width forms, which some spreadsheets take for them
_STARTS = frozenset("'=+-@\t\r\n\uff0b\uff0d\uff1d\uff20")
_FORMULA = re.compile(rf"'*[{_EXECUTED}]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)


def safe_cell(text: str) -> str:
    """The cell for a text, with a ``'`` before what a spreadsheet would execute."""
    if text[:1] not in _STARTS:
        return text
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text


def text_of(cell: str) -> str:
    """The text of a cell that `safe_cell` made."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
