"""The lines of models.csv: what each model is, what it costs, and what it saw."""

from __future__ import annotations

from collections.abc import Iterable

from bench.report.tables import Record, number
from bench.results import ModelFacts, tasks_seen
from bench.rows import CardInfo


def model_records(models: Iterable[ModelFacts]) -> list[Record]:
    """A line a model; the columns are `bench.report.leaderboard_columns.MODELS`."""
    return [_record(model) for model in models]


def cohorts_seen(card: CardInfo) -> str:
    """The public cohorts of a card with their evidence, such as ``TCGA (stated); CAMELYON16 (inferred)``."""
    return "; ".join(f"{name} ({evidence})" for name, evidence in card.cohorts.items())


def _record(model: ModelFacts) -> Record:
    card = model.card
    return {
        "model": model.name,
        "title": _text(card.title),
        "family": _text(card.family),
        "baseline": str(int(model.baseline)),
        "params_m": number(model.params_m, 2),
        "gmacs": number(card.gmacs, 3),
        "dim": _integer(model.dim),
        "tile_size": _integer(card.tile_size),
        "mpp": number(card.mpp, 3),
        "tiles_per_s": number(model.tiles_per_s, 1),
        "peak_memory_mib": number(model.peak_memory_mib, 0),
        "device": model.device,
        "licence": _text(card.licence),
        "gated": "" if card.gated is None else str(int(card.gated)),
        "cohorts_seen": cohorts_seen(card),
        "cohorts_evidence": card.cohorts_evidence if card != CardInfo() else "",
        "contaminated": tasks_seen(model.contaminated),
        "n_tasks": str(model.n_tasks),
        "n_runs": str(model.n_runs),
        "url": _text(card.url),
        "paper": _text(card.paper),
    }


def _text(value: str) -> str:
    return " ".join(value.split())


def _integer(value: int | None) -> str:
    return "" if value is None else str(value)
