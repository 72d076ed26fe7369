"""What a check of a task finds: its numbers, its test, and the sentence that a stated rule makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from bench.statistics import holm

LEVEL = 0.05
"""The chance of one false alarm or more over all tests of an audit."""

Verdict = Literal["clear", "absent", "note", "warning", "failure"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""From the mildest on. `absent`: the data lack what the check needs. From `warning` on it is an alarm."""
Number = float | int | str | None


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes
    ----------
    check : str
        The name of the check's module.
    subject : str
        What was looked at, as the page calls it: "number in the id", "random network".
    verdict : one of `VERDICTS`
        What the rule says; of a finding with a test, what it says where the test rejects.
    sentence : str
        One full sentence for people, made by the rule; of a finding with a test, the one where the test rejects.
    rule : str
        The name of the rule, one of the check's `RULES`.
    badge : str
        One to three words that stand beside the task in tables where the verdict is an alarm.
    head : str
        The protocol whose scores these are; empty where no head was fitted.
    numbers : mapping of str -> float, int, str or None
        What was measured, JSON values: ``value``, ``ci_low`` and ``ci_high`` of a score with its interval by group,
        ``chance`` of a score without information, and what else the check names.
    p : float or None
        Of the test whose rejection is an alarm, in 0..1; None where the finding is no test.
    p_adjusted : float or None
        By Holm over all tests of the audit; `adjusted` sets it.
    otherwise : str
        The sentence where the test does not reject.
    """

    check: str
    subject: str
    verdict: Verdict
    sentence: str
    rule: str = ""
    badge: str = ""
    head: str = ""
    numbers: Mapping[str, Number] = field(default_factory=dict)
    p: float | None = None
    p_adjusted: float | None = None
    otherwise: str = ""

    @property
    def is_alarm(self) -> bool:
        """Whether people should not rely on the task before they have looked at this."""
        return VERDICTS.index(self.verdict) >= VERDICTS.index("warning")


def adjusted(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with their p values adjusted by Holm, and without the alarms of tests that do not reject at `LEVEL`.

    The chance that an audit of a task without shortcuts has one alarm or more by its tests is at most `LEVEL`, whatever
    the number of checks, heads and controls (Holm 1979, Scand. J. Statist. 6, 65-70).
    """
    tested = [one.p for one in findings if one.p is not None]
    values = iter(holm(np.array(tested, np.float64)).tolist() if tested else [])
    found = []
    for one in findings:
        if one.p is None:
            found.append(one)
            continue
        p = next(values)
        one = replace(one, p_adjusted=p)
        found.append(one if p <= LEVEL else replace(one, verdict="clear", badge="", sentence=one.otherwise))
    return found
