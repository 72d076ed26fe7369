"""What stain and centre alone predict: the mean colour of a sample, and the centre that it is of."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bench.audit.audited_task import AuditedTask, Features
from bench.audit.compared import against_models
from bench.audit.control_values import Control
from bench.audit.numbers import plain, scored
from bench.audit.rule import Rule
from bench.verdicts import LEVEL, Finding

ORDER = 30
RULES = (
    Rule(
        "stain reaches the models",
        "The mean of the three colour channels, which is stain and exposure alone, scores as much as the best model "
        f"with the same head (one-sided p of the paired difference above {LEVEL:g}).",
    ),
)
CHECK = "stain"
CHANNELS = 3
"""The colour baseline begins with the means of the three channels."""


def findings(task: AuditedTask) -> Iterator[Finding]:
    """Stain with each head, and the association of centre and label where there are centres."""
    colour = task.nulls.get("colour", ())
    if not colour:
        yield Finding(CHECK, "stain", "absent", "No colour features were made, so what stain predicts is not known.")
        return
    stain = mean_colour(colour[0])
    for head in task.heads:
        yield _finding(task, stain, head)
    yield from _centre(task)


def mean_colour(features: Features) -> np.ndarray:
    """The mean of each channel of each sample, encoded by its rank among the samples, float32 [sample, feature]."""
    means = np.stack(
        [np.asarray(bag, np.float64).reshape(-1, np.shape(bag)[-1]).mean(axis=0)[:CHANNELS] for bag in features]
    )
    columns = [Control(f"channel {channel}", means[:, channel]).encoded() for channel in range(CHANNELS)]
    return np.concatenate(columns, axis=1)


def _finding(task: AuditedTask, stain: np.ndarray, head: str) -> Finding:
    try:
        predicted = task.fit(head, [row[None] for row in stain] if head in task.takes_bags else stain, 0)
        found, p = task.replicates(predicted), task.p_of_chance(predicted)
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        return Finding(CHECK, "stain", "absent", f"{head} cannot be fitted to the stain: {reason}.", head=head)
    words, numbers = scored(task, found)
    numbers["p_above_chance"] = plain(p)
    text = f"Stain alone, the mean of each colour channel, scores {words} with {head}"
    if math.isnan(found.value):
        return Finding(CHECK, "stain", "clear", f"{text}: it predicts nothing.", head=head, numbers=numbers)
    against = against_models(task, head, found)
    numbers |= against.numbers
    if against.reached and p <= LEVEL:
        sentence = f"{text}, and the best model {against.words}: this task may measure stain."
        return Finding(CHECK, "stain", "warning", sentence, RULES[0].name, "stain reaches models", head, numbers)
    return Finding(CHECK, "stain", "clear", f"{text}{against.clause}.", "", "", head, numbers)


def _centre(task: AuditedTask) -> Iterator[Finding]:
    """How far centre and label go together over the samples; the controls test what centre predicts."""
    centre = task.columns.get("centre")
    if centre is None or task.kind not in ("classes", "ordinal") or len(np.unique(centre)) < 2:
        return
    n_centres, association = len(np.unique(centre)), cramers_v(centre, task.labels)
    yield Finding(
        CHECK,
        "centre and label",
        "clear",
        f"The samples are of {n_centres} centres, and Cramer's V of centre and label is {association:.2f} (0 is none, "
        "1 is a centre a label).",
        numbers={"n_centres": n_centres, "cramers_v": plain(association)},
    )


def cramers_v(a: np.ndarray, b: np.ndarray) -> float:
    """Association of two categories, 0 to 1; NaN where one is constant."""
    _, rows = np.unique(a, return_inverse=True)
    _, columns = np.unique(b, return_inverse=True)
    counts = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(counts, (rows, columns), 1)
    if min(counts.shape) < 2:
        return float("nan")
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / counts.sum()
    return float(np.sqrt(((counts - expected) ** 2 / expected).sum() / counts.sum() / (min(counts.shape) - 1)))
