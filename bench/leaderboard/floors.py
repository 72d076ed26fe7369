"""Which floor rows a row is measured against: what the head does without a pretrained model."""

from __future__ import annotations

from collections.abc import Iterable

from bench.leaderboard.rows import Row
from bench.metrics import LOWER_IS_BETTER

TWIN = "@random"  # NAME@random: the architecture of NAME with seeded random weights


def floors_of(row: Row, rows: Iterable[Row]) -> list[Row]:
    """The whole floor rows of the same task, protocol and seed that say something about this row.

    A twin counts only for the model whose architecture it has, a floor behind a frontend only for rows behind the same.
    """
    return [
        floor
        for floor in rows
        if floor.floor
        and floor.ok
        and (floor.task, floor.protocol, floor.seed) == (row.task, row.protocol, row.seed)
        and floor.frontend in ("", row.frontend)
        and (not floor.model.endswith(TWIN) or floor.model == row.model + TWIN)
    ]


def best_floor(row: Row, metric: str, rows: Iterable[Row]) -> Row | None:
    """The floor with the best value of the metric; the first by name among equals."""
    valued = [(value, floor) for floor in floors_of(row, rows) if (value := floor.value(metric)) is not None]
    best = min if metric in LOWER_IS_BETTER else max
    return best(valued, key=lambda pair: pair[0])[1] if valued else None
