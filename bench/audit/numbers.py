"""Numbers of findings: a score with its interval in words and as JSON values."""

from __future__ import annotations

import math

from bench.audit.audited_task import AuditedTask
from bench.metrics import Interval, Replicates
from bench.verdicts import Number

DIGITS = 6


def scored(task: AuditedTask, of: Replicates) -> tuple[str, dict[str, Number]]:
    """A score as "balanced_accuracy 0.512 [0.480, 0.544]", and the numbers of its finding."""
    interval = of.interval()
    numbers: dict[str, Number] = {
        "metric": task.scored_by,
        "value": plain(interval.value),
        "ci_low": plain(interval.ci_low),
        "ci_high": plain(interval.ci_high),
        "chance": plain(task.chance),
    }
    return f"{task.scored_by} {in_words(interval)}", numbers


def in_words(interval: Interval) -> str:
    """As "0.512 [0.480, 0.544]"; without bounds where they are not known."""
    if math.isnan(interval.value):
        return "undefined"
    bounds = "" if math.isnan(interval.ci_low) else f" [{interval.ci_low:.3f}, {interval.ci_high:.3f}]"
    return f"{interval.value:.3f}{bounds}"


def p_in_words(p: float) -> str:
    """As "p=0.031" or "p<0.001"."""
    return "p<0.001" if p < 0.001 else f"p={p:.3f}"


def plain(value: float) -> Number:
    """A number for JSON; None for one that is not known."""
    return None if math.isnan(value) or math.isinf(value) else round(float(value), DIGITS)
