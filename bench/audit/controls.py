"""Controls that see no tissue: what the file, its name and its acquisition predict of the label through the heads."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bench.audit.audited_task import AuditedTask
from bench.audit.compared import against_models
from bench.audit.control_values import Control
from bench.audit.numbers import scored
from bench.audit.rule import Rule
from bench.verdicts import LEVEL, Finding

ORDER = 10
RULES = (
    Rule(
        "control above chance",
        "A control that sees no tissue scores above chance, one-sided p of a permutation test over groups at most "
        f"{LEVEL:g} after Holm over all tests of the audit: a shortcut to the label. Of a control that pixels move, "
        "such as the size of a compressed file, it is a note.",
    ),
    Rule(
        "control reaches the models",
        "A control is above chance as above, and the best model with the same head is not better than it (one-sided p "
        f"of the paired difference above {LEVEL:g}): this task does not measure tissue.",
    ),
)
CHECK = "controls"


def findings(task: AuditedTask) -> Iterator[Finding]:
    """Each control with each head, and a sentence for each control that the data do not have."""
    for control in task.controls:
        if control.is_constant:
            yield Finding(
                CHECK,
                control.name,
                "absent",
                f"The {control.name} is the same for all samples, so it predicts nothing.",
            )
            continue
        for head in task.heads:
            yield _finding(task, control, head)
    for name, sentence in task.absent.items():
        yield Finding(CHECK, name, "absent", sentence)


def _finding(task: AuditedTask, control: Control, head: str) -> Finding:
    features = control.encoded()
    try:
        predicted = task.fit(head, [row[None] for row in features] if head in task.takes_bags else features, 0)
        found, p = task.replicates(predicted), task.p_of_chance(predicted)
    except Exception as error:  # a head may refuse what it cannot be fitted to, and the other controls stand
        reason = " ".join(str(error).split()).rstrip(".")
        return Finding(
            CHECK, control.name, "absent", f"{head} cannot be fitted to the {control.name}: {reason}.", head=head
        )
    words, numbers = scored(task, found)
    text = f"The {control.name} alone scores {words} with {head}"
    otherwise = f"{text}, which is not above chance ({task.chance:.3f}) after all tests of the audit are adjusted for."
    if math.isnan(found.value):
        return Finding(CHECK, control.name, "clear", f"{text}: it predicts nothing.", head=head, numbers=numbers)
    against = against_models(task, head, found)
    numbers |= against.numbers
    if against.reached:
        return Finding(
            CHECK,
            control.name,
            "failure",
            f"{text}, and the best model {against.words}: a control reaches the models, so this task does not measure "
            "tissue.",
            RULES[1].name,
            "control reaches models",
            head,
            numbers,
            p,
            otherwise=otherwise,
        )
    if control.follows_pixels:
        sentence = (
            f"{text}, above the {task.chance:.3f} of chance; it grows with the detail of the image, so this alone is "
            f"no shortcut{against.clause}."
        )
        return Finding(CHECK, control.name, "note", sentence, RULES[0].name, "", head, numbers, p, otherwise=otherwise)
    sentence = (
        f"{text}, above the {task.chance:.3f} of chance: it sees no tissue, so whatever made it goes with the label"
        f"{against.clause}."
    )
    return Finding(
        CHECK, control.name, "warning", sentence, RULES[0].name, "shortcut", head, numbers, p, otherwise=otherwise
    )
