"""What a rule is: its name, and when it says something, in words with its threshold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A rule of a check; the page prints all of them.

    Attributes
    ----------
    name : str
        As findings and the page call it.
    definition : str
        One full sentence: when it says something, with its threshold.
    """

    name: str
    definition: str
