"""The lines of models.csv: what each model is, what it costs, and what it saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.report.tables import Record, number
from bench.results import ModelFacts, tasks_seen


def model_records(models: Iterable[ModelFacts]) -> list[Record]:
    """A line a model; the columns are `bench.report.leaderboard_columns.MODELS`."""
    return [_record(model) for model in models]


def cohorts_seen(card: Mapping[str, Any]) -> str:
    """The public cohorts of a card with their evidence, such as ``TCGA (stated); CAMELYON16 (inferred)``."""
    cohorts = card.get("cohorts")
    named = [one for one in cohorts if isinstance(one, Mapping)] if isinstance(cohorts, Sequence) else []
    return "; ".join(f"{_text(one, 'name')} ({_text(one, 'evidence') or 'unknown'})" for one in named)


def _record(model: ModelFacts) -> Record:
    card = model.card
    return {
        "model": model.name,
        "title": _text(card, "title"),
        "family": _text(card, "family"),
        "baseline": str(int(model.baseline)),
        "params_m": number(model.params_m, 2),
        "gmacs": _decimal(card, "gmacs", 3),
        "dim": "" if model.dim is None else str(model.dim),
        "tile_size": _decimal(card, "tile_size", 0),
        "mpp": _decimal(card, "mpp", 3),
        "tiles_per_s": number(model.tiles_per_s, 1),
        "peak_memory_mib": number(model.peak_memory_mib, 0),
        "device": model.device,
        "licence": _text(card, "licence"),
        "gated": str(int(card["gated"])) if isinstance(card.get("gated"), bool) else "",
        "cohorts_seen": cohorts_seen(card),
        "cohorts_evidence": _text(card, "cohorts_evidence"),
        "contaminated": tasks_seen(model.contaminated),
        "n_tasks": str(model.n_tasks),
        "n_runs": str(model.n_runs),
        "url": _text(card, "url"),
        "paper": _text(card, "paper"),
    }


def _text(card: Mapping[str, Any], name: str) -> str:
    value = card.get(name)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _decimal(card: Mapping[str, Any], name: str, digits: int) -> str:
    value = card.get(name)
    return number(value, digits) if isinstance(value, int | float) and not isinstance(value, bool) else ""
