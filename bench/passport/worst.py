"""Which tiles are shown: those that the worst conditions move farthest from their clean features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.passport.evidence import Case, Encoder, Evidence
from bench.results import Condition
from bench.rows import RowInfo, read_predictions
from bench.targets import UNTOUCHED
from registry.errors import UserError

CONDITIONS = 3
TILES = 2


@dataclass(frozen=True)
class WorstCase:
    """A tile behind one of the worst conditions of an encoder.

    Attributes
    ----------
    task : str
        As rows call it.
    tile : str
        Its id.
    corrupted, restored : str
        Front-ends as rows call them; `restored` is empty where no restorer was measured.
    cosine, cosine_restored : float or None
        Of the feature to that of the clean tile.
    identities : dict of str to str
        What the rows say of each front-end's parameters and weights, by its name.
    """

    task: str
    tile: str
    corrupted: str
    restored: str
    cosine: float
    cosine_restored: float | None
    identities: dict[str, str]


@dataclass(frozen=True)
class Drawn:
    """The pictures of a case as PNG files; `restored` is None where there is none, and `remark` may say why."""

    case: WorstCase
    clean: bytes
    corrupted: bytes
    restored: bytes | None = None
    remark: str = ""


Draw = Callable[[Sequence[WorstCase]], Sequence[Drawn]]
"""Makes the pictures of cases, in their order. Raises UserError where their tiles are not to be had."""


def worst_cases(results: Path, encoder: Encoder) -> list[WorstCase]:
    """The tiles with the lowest cosine behind the conditions with the largest loss, one of a corruption at most.

    Of several heads on the same tiles the first one says which conditions these are.

    Raises
    ------
    UserError
        If the predictions of a condition cannot be read.
    """
    found, tasks = [], set()
    for evidence in encoder.evidence:
        of = evidence.of_head[0]
        if (of.task, of.cohort) not in tasks:
            tasks.add((of.task, of.cohort))
            for case in worst_conditions(evidence):
                found += _tiles(results, evidence, case)
    return found


def worst_conditions(evidence: Evidence) -> list[Case]:
    """The cases with the largest loss that nothing restored, of which the features were measured too."""
    losses = {case: loss for case, loss in evidence.losses().items() if loss > 0 and evidence.features_at(case)}
    worst: dict[str, Case] = {}
    for case in sorted(losses, key=lambda case: (-losses[case], case)):
        worst.setdefault(case[0], case)
    return list(worst.values())[:CONDITIONS]


def _tiles(results: Path, evidence: Evidence, case: Case) -> list[WorstCase]:
    before, restorer = evidence.features_at(case), _best_restorer(evidence, case)
    assert before is not None
    after = evidence.features_at(case, restorer) if restorer else None
    cosines = _cosines(results, before)
    cosines_after = _cosines(results, after) if after else {}
    identities = {of.entry.key.frontend: _identity(of) for of in (before, after) if of is not None}
    return [
        WorstCase(
            before.task,
            tile,
            before.entry.key.frontend,
            after.entry.key.frontend if after else "",
            cosines[tile],
            cosines_after.get(tile),
            identities,
        )
        for tile in sorted(cosines, key=lambda tile: (cosines[tile], tile))[:TILES]
    ]


def _best_restorer(evidence: Evidence, case: Case) -> str:
    """The one with the lowest loss on this case; empty where there is none."""
    losses = {name: evidence.loss(evidence.at(case, name)) for name in evidence.restorers if name != UNTOUCHED}
    known = {name: loss for name, loss in losses.items() if loss is not None and evidence.features_at(case, name)}
    return min(known, key=lambda name: (known[name], name), default="")


def _cosines(results: Path, of: Condition) -> dict[str, float]:
    row = of.entry.successful[0]
    saved = read_predictions(results / row.predictions)
    if "cosine" not in saved.classes:
        raise UserError(f"{results / row.predictions} holds no cosines of features: delete its row and run again.")
    values = saved.scores[:, saved.classes.index("cosine")]
    return {str(name): float(value) for name, value in zip(saved.ids, values, strict=True) if not np.isnan(value)}


def _identity(of: Condition) -> str:
    return RowInfo(of.entry.successful[0]).frontend
