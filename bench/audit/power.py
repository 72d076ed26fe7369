"""What the test side can show: the smallest true difference it finds, and the groups that the two best models need."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bench.audit.audited_task import AuditedTask
from bench.audit.compared import best_models
from bench.audit.numbers import plain
from bench.audit.rule import Rule
from bench.metrics import Replicates, degrees_of_freedom, standard_error
from bench.statistics import Studentised
from bench.verdicts import Finding

ORDER = 40
FEWEST_GROUPS = 8
"""From which on intervals were simulated (``python -m benchmarks.coverage``)."""
MOST_GROUPS = 10**9
RULES = (
    Rule(
        "too small",
        f"The test samples are of fewer than {FEWEST_GROUPS} groups: no interval of this task can be relied on.",
    ),
    Rule(
        "cannot tell the best apart",
        "The measured difference of the two best models with one head is below the true difference that the test side "
        "finds with 80 % power at the 5 % level: a note, with the groups that would be needed.",
    ),
)
CHECK = "power"


def findings(task: AuditedTask) -> Iterator[Finding]:
    """For each head the difference that the test side finds, and the groups that the two best models would need."""
    n_groups = len(np.unique(task.groups[task.test]))
    for head in task.heads:
        pair = _pair(task, head)
        if pair is None:
            yield Finding(
                CHECK,
                "two best models",
                "absent",
                f"There are no two results with {head} whose difference could be looked at.",
                head=head,
            )
        else:
            yield _finding(n_groups, head, pair)


def too_small(n_groups: int) -> Finding | None:
    """The one finding of a task whose test samples are of too few groups for any test; None where there are enough."""
    if n_groups < FEWEST_GROUPS:
        return Finding(
            CHECK,
            "test groups",
            "warning",
            f"The test samples are of {n_groups} groups (patients), and of fewer than {FEWEST_GROUPS} no interval can "
            "be relied on: this task is too small to audit or to compare models.",
            RULES[0].name,
            "too small",
            numbers={"n_groups": n_groups},
        )
    return None


def groups_needed(difference: Studentised, n_groups: int) -> float:
    """Groups of a test side like this one that find a difference of this size with 80 % power.

    The standard error falls with the root of the number of groups; infinity for no difference.
    """
    if not difference.difference:
        return math.inf
    return n_groups * (difference.detectable / abs(difference.difference)) ** 2


class _Pair(NamedTuple):
    """Two results and their difference; `stand_ins` says whether they are no models but nulls of this audit."""

    a: str
    b: str
    difference: Replicates
    stand_ins: bool = False


def _pair(task: AuditedTask, head: str) -> _Pair | None:
    """The two best models of the results folder; else colour and a random network of this audit."""
    ranked = best_models(task, head)
    if len(ranked) > 1:
        (a, of_a), (b, of_b) = ranked[:2]
        return _Pair(a.model, b.model, task.difference(of_a, of_b))
    found = []
    for name, features in task.nulls.items():
        try:
            found.append((name, task.score(head, features[0])))
        except Exception:  # the nulls have said so
            continue
    found = [(name, of) for name, of in found if not math.isnan(of.value)]
    if len(found) < 2:
        return None
    (a_name, of_a), (b_name, of_b) = sorted(found, key=lambda one: -one[1].value)[:2]
    return _Pair(a_name, b_name, task.difference(of_a, of_b), stand_ins=True)


def _finding(n_groups: int, head: str, pair: _Pair) -> Finding:
    a, b, difference = pair.a, pair.b, pair.difference
    error = standard_error(difference.influence)
    of = Studentised(difference.value, error, degrees_of_freedom(difference.influence, difference.n_added))
    numbers = {"a": a, "b": b, "difference": plain(of.difference), "n_groups": n_groups}
    if math.isnan(error):
        sentence = f"{a} and {b} predict alike with {head}, so the spread of their difference is not known."
        return Finding(CHECK, "two best models", "absent", sentence, head=head, numbers=numbers)
    needed = groups_needed(of, n_groups)
    numbers |= {
        "detectable": plain(of.detectable),
        "groups_needed": plain(min(float(math.ceil(min(needed, MOST_GROUPS))), MOST_GROUPS)),
    }
    text = (
        f"With {head}, the {n_groups} test groups find a true difference of {of.detectable:.3f} or more with 80 % "
        f"power; {a} and {b} differ by {abs(of.difference):.3f}"
    )
    if pair.stand_ins:
        text += " (there are no two models with rows, so these stand for them)"
    if abs(of.difference) >= of.detectable:
        return Finding(CHECK, "two best models", "clear", f"{text}.", "", "", head, numbers)
    if needed < MOST_GROUPS:
        sentence = f"{text}: about {math.ceil(needed):,} groups would be needed to tell these two apart."
    else:
        sentence = f"{text}: they score alike, and no number of groups is known that would tell them apart."
    return Finding(CHECK, "two best models", "note", sentence, RULES[1].name, "", head, numbers)
