"""What rows say of each model: its card, its cost where it was measured, and what it saw of the tasks."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.results.aggregated_result import AggregatedResult
from bench.results.contamination import Contamination, contamination_of
from bench.rows import CardInfo, Row, RowInfo


@dataclass(frozen=True)
class ModelFacts:
    """One model or baseline, from its rows.

    Attributes
    ----------
    card : CardInfo
        That of most of its rows where they differ; without content where none has one.
    baseline : bool
    params_m : float or None
        Millions of parameters.
    dim : int or None
        Length of its feature vector.
    device : str
        What `tiles_per_s` and `peak_memory_mib` were measured on: of several devices the one with most rows.
    tiles_per_s : float or None
        Of the embedding, the median over these rows.
    peak_memory_mib : float or None
        Of the embedding, the largest of these rows.
    contaminated : mapping of str -> Contamination
        By task, of those whose rows say something.
    n_tasks, n_runs : int
        With a result.
    """

    name: str
    card: CardInfo
    baseline: bool
    params_m: float | None
    dim: int | None
    device: str
    tiles_per_s: float | None
    peak_memory_mib: float | None
    contaminated: Mapping[str, Contamination]
    n_tasks: int
    n_runs: int


def models_of(entries: Iterable[AggregatedResult]) -> list[ModelFacts]:
    """The models of these entries, in the order of their names; those of which every run failed too."""
    rows: dict[str, list[Row]] = {}
    for entry in entries:
        rows.setdefault(entry.key.model, []).extend(entry.rows)
    return [_facts(name, own) for name, own in sorted(rows.items())]


def tasks_seen(contaminated: Mapping[str, Contamination]) -> str:
    """The tasks whose cohorts a model saw, such as ``pcam: stated; tcga_brca: inferred``; empty of none."""
    return "; ".join(f"{task}: {one.level}" for task, one in sorted(contaminated.items()) if one.seen)


def _facts(name: str, rows: Sequence[Row]) -> ModelFacts:
    own = [row for row in rows if not row.frontend] or rows  # a front-end has a speed and a memory of its own
    card = _card(own)
    device, measured = _measured(own)
    speeds = [row.tiles_per_s for row in measured if row.tiles_per_s is not None]
    peaks = [peak for row in measured if (peak := RowInfo(row).peak_memory_mib) is not None]
    dims = {row.feature_dim for row in own if row.feature_dim is not None}
    of_task: dict[str, list[Row]] = {}
    for row in rows:
        of_task.setdefault(row.task, []).append(row)
    found = {task: contamination_of(of_one) for task, of_one in of_task.items()}
    return ModelFacts(
        name=name,
        card=card,
        baseline=own[0].baseline,
        params_m=next((n for n in (card.params_m, *(row.params_m for row in own)) if n is not None), None),
        dim=dims.pop() if card.dim is None and len(dims) == 1 else card.dim,
        device=device,
        tiles_per_s=statistics.median(speeds) if speeds else None,
        peak_memory_mib=max(peaks, default=None),
        contaminated={task: one for task, one in found.items() if one.level},
        n_tasks=len({row.task for row in rows if row.ok}),
        n_runs=sum(row.ok for row in rows),
    )


def _card(rows: Iterable[Row]) -> CardInfo:
    """The card of most rows; of equally many the last by its text."""
    cards = [RowInfo(row).card for row in rows if RowInfo(row).has_card]
    times = Counter(map(repr, cards))
    return max(cards, key=lambda card: (times[repr(card)], repr(card)), default=CardInfo())


def _measured(rows: Iterable[Row]) -> tuple[str, list[Row]]:
    """The device on which most embeddings were measured, and the rows of these."""
    of_device: dict[str, list[Row]] = {}
    for row in rows:
        if row.tiles_per_s is not None or RowInfo(row).peak_memory_mib is not None:
            of_device.setdefault(RowInfo(row).device, []).append(row)
    if not of_device:
        return "", []
    return max(of_device.items(), key=lambda item: (len(item[1]), item[0]))
