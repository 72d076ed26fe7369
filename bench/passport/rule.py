"""What a rule is: a condition on numbers with its threshold, and the sentence that follows where it holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.passport.evidence import Encoder, Evidence


@dataclass(frozen=True)
class Rule:
    """A rule of the page.

    Attributes
    ----------
    name : str
        As the page calls it.
    definition : str
        When it says something, with its threshold, as the page prints it.
    of_head : function or None
        From what is known of an encoder with one head on one task to sentences; none where it does not hold.
    of_encoder : function or None
        Likewise from all that is known of an encoder.
    """

    name: str
    definition: str
    of_head: Callable[[Evidence], Sequence[str]] | None = None
    of_encoder: Callable[[Encoder], Sequence[str]] | None = None
