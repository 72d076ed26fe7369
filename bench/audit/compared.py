"""A score without tissue or training, set against the models that have rows on the task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from bench.audit.audited_task import AuditedTask, RowsOfModel
from bench.audit.chance import p_of_difference
from bench.audit.numbers import p_in_words, plain
from bench.metrics import Replicates
from bench.verdicts import LEVEL, Number


@dataclass(frozen=True)
class Against:
    """How a score stands against the best model with the same head.

    Attributes
    ----------
    reached : bool or None
        Whether the best model is not better than it beyond chance; None where there is no model to compare with.
    words : str
        As "uni scores 0.912 and is not better (p=0.310)".
    numbers : mapping
        ``best_model``, its ``model_value``, the paired ``difference`` and ``p_model_better``.
    """

    reached: bool | None = None
    words: str = ""
    numbers: Mapping[str, Number] = field(default_factory=dict)

    @property
    def clause(self) -> str:
        """For the end of a sentence; empty where there is no model."""
        return f"; the best model {self.words}" if self.words else ""


def best_models(task: AuditedTask, head: str) -> list[tuple[RowsOfModel, Replicates]]:
    """The models with rows of this head on the test samples of the audit, the best first."""
    ids = np.sort(task.ids[task.test])
    own = [one for one in task.models if one.head == head and np.array_equal(np.sort(one.predicted.ids), ids)]
    scored = [(one, task.replicates(one.predicted)) for one in own]
    valued = [(one, of) for one, of in scored if not math.isnan(of.value)]
    return sorted(valued, key=lambda pair: (-pair[1].value, pair[0].model))


def against_models(task: AuditedTask, head: str, score: Replicates) -> Against:
    """The paired difference of the best model to a score on the same test samples."""
    ranked = best_models(task, head)
    if not ranked:
        return Against()
    best, of_model = ranked[0]
    difference = task.difference(of_model, score)
    p = p_of_difference(difference)
    reached = difference.value <= 0 or (not math.isnan(p) and p > LEVEL)
    words = f"{best.model} scores {of_model.value:.3f} and is {'not better' if reached else 'better'}"
    numbers: dict[str, Number] = {
        "best_model": best.model,
        "model_value": plain(of_model.value),
        "difference": plain(difference.value),
        "p_model_better": plain(p),
    }
    return Against(reached, f"{words} ({p_in_words(p)})" if not math.isnan(p) else words, numbers)
