"""What rows say of each model: its card, its cost where it was measured, and what it saw of the tasks."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.results.aggregated_result import AggregatedResult
from bench.results.contamination import Contamination, contamination_of
from bench.rows import Row


@dataclass(frozen=True)
class ModelFacts:
    """One model or baseline, from its rows.

    Attributes
    ----------
    card : mapping
        ``info["model_card"]`` of its rows, that of most of them where they differ; empty where none has one.
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
    card: Mapping[str, Any]
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
    peaks = [peak for row in measured if (peak := _number(row.info.get("peak_memory_mib"))) is not None]
    params = _number(card.get("params_m"))
    dim = _number(card.get("dim"))
    dims = {row.feature_dim for row in own if row.feature_dim is not None}
    of_task: dict[str, list[Row]] = {}
    for row in rows:
        of_task.setdefault(row.task, []).append(row)
    found = {task: contamination_of(of_one) for task, of_one in of_task.items()}
    return ModelFacts(
        name=name,
        card=card,
        baseline=own[0].baseline,
        params_m=next((row.params_m for row in own if row.params_m is not None), None) if params is None else params,
        dim=int(dim) if dim is not None else dims.pop() if len(dims) == 1 else None,
        device=device,
        tiles_per_s=statistics.median(speeds) if speeds else None,
        peak_memory_mib=max(peaks, default=None),
        contaminated={task: one for task, one in found.items() if one.level},
        n_tasks=len({row.task for row in rows if row.ok}),
        n_runs=sum(row.ok for row in rows),
    )


def _card(rows: Iterable[Row]) -> Mapping[str, Any]:
    """The card of most rows; of equally many the last by its text."""
    texts = Counter(
        json.dumps(card, sort_keys=True) for row in rows if isinstance(card := row.info.get("model_card"), Mapping)
    )
    found = max(texts, key=lambda text: (texts[text], text), default="{}")
    return dict(json.loads(found))


def _measured(rows: Iterable[Row]) -> tuple[str, list[Row]]:
    """The device on which most embeddings were measured, and the rows of these."""
    of_device: dict[str, list[Row]] = {}
    for row in rows:
        if row.tiles_per_s is not None or _number(row.info.get("peak_memory_mib")) is not None:
            device = row.info.get("device")
            of_device.setdefault(device if isinstance(device, str) else "", []).append(row)
    if not of_device:
        return "", []
    return max(of_device.items(), key=lambda item: (len(item[1]), item[0]))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
