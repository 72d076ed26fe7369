"""Whether a model saw the cohorts of a task in pretraining, and by whose word that is known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict

from bench.rows import EVIDENCE, NO_CONTAMINATION, Contamination
from registry import ModelCard


def contamination(cards: Sequence[ModelCard], cohorts: Collection[str], *, baseline: bool) -> dict[str, str]:
    """The level and its evidence, as `info.contamination` of a row has them.

    Parameters
    ----------
    cards : sequence of ModelCard
        Of the model and, where it is a slide encoder, of its tile encoder.
    cohorts : collection of str
        Of the task, by the names that cards use.
    baseline : bool
        Whether the model has seen nothing of any cohort.
    """
    return asdict(_found(cards, sorted(cohorts), baseline=baseline))


def _found(cards: Sequence[ModelCard], cohorts: Sequence[str], *, baseline: bool) -> Contamination:
    if baseline:
        return Contamination(NO_CONTAMINATION, "A baseline was trained on no cohort.")
    if not cohorts:
        return Contamination(NO_CONTAMINATION, "The task names no public cohort.")
    seen = [(one.evidence, one.name, card.name) for card in cards for one in card.pretraining.cohorts]
    shared = sorted((EVIDENCE.index(evidence), name, model) for evidence, name, model in seen if name in cohorts)
    if shared:
        best = shared[0][0]
        names = ", ".join(dict.fromkeys(f"{name} (by {model})" for of, name, model in shared if of == best))
        return Contamination(EVIDENCE[best], _SEEN[EVIDENCE[best]].format(names))
    words = [card.pretraining.evidence for card in cards]
    names = ", ".join(cohorts)
    if "unknown" in words or not words:
        return Contamination("unknown", f"Nobody says whether pretraining saw {names}.")
    how = "inferred" if "inferred" in words else "stated by the authors"
    return Contamination(NO_CONTAMINATION, f"The cohorts of pretraining are {how}, and {names} is not among them.")


_SEEN = {
    "stated": "The authors state that pretraining saw {}.",
    "inferred": "What the authors say implies that pretraining saw {}.",
    "unknown": "Pretraining may have seen {}, of which nobody gives a source.",
}
