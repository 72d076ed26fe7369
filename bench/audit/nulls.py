"""What needs no training: a random network, once a seed, and colour, through the heads of the models."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.audit.audited_task import AuditedTask
from bench.audit.compared import against_models, best_models
from bench.audit.numbers import plain, scored
from bench.audit.rule import Rule
from bench.metrics import Replicates
from bench.verdicts import LEVEL, Finding, Number

ORDER = 20
RULES = (
    Rule(
        "null reaches the models",
        "The best model is not better than the mean of the random networks, or than colour, with the same head "
        f"(one-sided p of the paired difference above {LEVEL:g}), or one of the seeds scores as much as it: this "
        "task does not show what pretraining adds, or has too few groups to show it.",
    ),
)
CHECK = "nulls"


def findings(task: AuditedTask) -> Iterator[Finding]:
    """For each head a finding on each null."""
    if not task.nulls:
        yield Finding(
            CHECK, "random network", "absent", "No features were made, so there are no nulls to compare with."
        )
    for name, of_seeds in task.nulls.items():
        for head in task.heads:
            yield _finding(task, name, of_seeds, head)


def mean_over_seeds(replicates: Sequence[Replicates]) -> Replicates:
    """The mean score of several seeds on the same test samples, with the influence of each group on it."""
    return replace(
        replicates[0],
        value=float(np.mean([one.value for one in replicates])),
        centre=float(np.mean([one.centre for one in replicates])),
        draws=np.mean([one.draws for one in replicates], axis=0),
        influence=np.mean([one.influence for one in replicates], axis=0),
    )


def _finding(task: AuditedTask, name: str, of_seeds: Sequence[object], head: str) -> Finding:
    try:
        found = [task.score(head, features, seed) for seed, features in enumerate(of_seeds)]
    except Exception as error:  # a head may refuse what it cannot be fitted to
        reason = " ".join(str(error).split()).rstrip(".")
        return Finding(CHECK, name, "absent", f"{head} cannot be fitted to the {name}: {reason}.", head=head)
    found = [one for one in found if not math.isnan(one.value)]
    if not found:
        sentence = f"{name.capitalize()} has no defined {task.scored_by} with {head}: it predicts nothing."
        return Finding(CHECK, name, "clear", sentence, head=head)
    mean, values = mean_over_seeds(found), [one.value for one in found]
    words, numbers = scored(task, mean)
    numbers |= {"n_seeds": len(values), "lowest": plain(min(values)), "highest": plain(max(values))}
    if len(values) > 1:
        numbers["sd"] = plain(statistics.stdev(values))
        spread = f" in the mean of {len(values)} seeds (from {min(values):.3f} to {max(values):.3f})"
    else:
        spread = ""
    text = f"{name.capitalize()} scores {words} with {head}{spread}"
    ranked = best_models(task, head)
    if not ranked:
        return Finding(
            CHECK,
            name,
            "clear",
            f"{text}; there is no row of a model with this head to compare with.",
            "",
            "",
            head,
            numbers,
        )
    against = against_models(task, head, mean)
    reaching = sum(value >= ranked[0][1].value for value in values)
    more: dict[str, Number] = {**numbers, **against.numbers, "seeds_that_reach": reaching}
    if against.reached or reaching:
        seeds = f"; {reaching} of {len(values)} seeds score as much as it" if reaching and len(values) > 1 else ""
        sentence = f"{text}, and the best model {against.words}{seeds}: {_consequence(name)}"
        return Finding(CHECK, name, "warning", sentence, RULES[0].name, f"{name} reaches models", head, more)
    return Finding(CHECK, name, "clear", f"{text}, and the best model {against.words}.", "", "", head, more)


def _consequence(name: str) -> str:
    what = "what pretraining adds" if name != "colour" else "that models see more than the stain"
    return f"this task does not show {what}, or has too few groups to show it."
