"""A plan as text: what is up to date, what is to be done, and about how long it takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.embedding import missing_shards, times_of
from bench.runs.plan import Plan, TaskPlan, counted_samples

TIMINGS = 50  # files that a model's rate is taken from


@dataclass(frozen=True)
class Todo:
    """What one model still needs on one task.

    Attributes
    ----------
    tiles : int
        Tiles to embed, as far as they are known.
    slides : int
        Slides that have no grid of tiles yet.
    rate : float or None
        Tiles per second at which the model was embedded before, on any data of this cache; None if it never was.
    rows, pending : int
        Rows of the model, and those of them that are to be fitted.
    cached : int
        Tiles whose features are in the cache, as far as they are known.
    precomputed : bool
        Whether the features are precomputed.
    """

    model: str
    tiles: int
    slides: int
    rate: float | None
    rows: int
    pending: int
    precomputed: bool
    cached: int = 0

    @property
    def hours(self) -> float:
        """About what the embedding takes; 0 where no rate is known."""
        return self.tiles / self.rate / 3600 if self.rate else 0.0

    def __str__(self) -> str:
        hours = f", about {_duration(self.hours)}" if self.hours else ""
        slides = f" and those of {self.slides} slides" if self.slides else ""
        features = f"{self.tiles} tiles{slides} to embed{hours}" if self.tiles or self.slides else "embedded"
        rows = f"{self.pending} of {self.rows} rows to fit" if self.pending else f"all {self.rows} rows are up to date"
        return f"{self.model:<28} {'features are precomputed' if self.precomputed else features}; {rows}"


def plan_text(plan: Plan) -> str:
    """A block a task, a line a model, and the totals."""
    lines: list[str] = []
    every: list[Todo] = []
    for task in plan.tasks:
        lines.append(
            f"{task.task.name} [{task.cohort.manifest.cohort_hash}]  {counted_samples(task.cohort)}{task.left_out}"
        )
        own = list(todos_of(task))
        lines += [f"  {todo}" for todo in own]
        every += own
        for (model, error), _ in itertools.groupby(task.failed, key=lambda pair: (pair[0].model.name, str(pair[1]))):
            lines.append(f"  {model:<28} cannot be run: {error}")
    lines += [track.text() for track in plan.tracks]
    return "\n".join([*lines, *([_totals(plan, every)] if plan.tasks or not plan.tracks else [])])


def todos_of(task: TaskPlan) -> Iterator[Todo]:
    """What each model still needs on a task; nothing is laid, read or computed for it."""
    for part, work in task.passes:
        known = part.known()
        for own in work:
            pending = own.pending()
            needed = pending or own.tiles.tokens or not task.heads
            missing = missing_shards(own.tiles, known.shards) if needed else []
            tiles = sum(len(shard.tiles) for shard in missing)
            yield Todo(
                model=own.model.name,
                tiles=tiles,
                slides=known.unknown if needed else 0,
                rate=_rate(own.tiles.folder.parent),
                rows=len(own.runs),
                pending=len(pending),
                precomputed=not own.model.sees_pixels,
                cached=sum(len(shard.tiles) for shard in known.shards) - tiles,
            )


def _totals(plan: Plan, every: list[Todo]) -> str:
    tiles, hours = sum(todo.tiles for todo in every), sum(todo.hours for todo in every)
    unrated = sum(todo.tiles for todo in every if not todo.rate)
    slides = sum(todo.slides for todo in every)
    pending, rows = sum(todo.pending for todo in every), sum(todo.rows for todo in every)
    failed = sum(len(task.failed) for task in plan.tasks)
    return "".join(
        [
            f"total: {tiles} tiles to embed",
            f", about {_duration(hours)} at the rates measured here" if hours else "",
            f", {unrated} of them at a rate that is not known yet" if unrated else "",
            f", and the tiles of {slides} slides that have no grid yet" if slides else "",
            f"; {pending} rows to fit, {rows - pending} up to date, {failed} cannot be made",
        ]
    )


def _rate(of_model: Path) -> float | None:
    """Tiles a second of earlier embedding by a model, from the folder of its features; None where there was none."""
    try:
        changed = of_model.stat().st_mtime_ns
    except OSError:
        return None
    return _rate_measured(of_model.absolute(), changed)


@cache
def _rate_measured(of_model: Path, changed: int) -> float | None:
    return times_of(itertools.islice(of_model.glob("*/*.h5"), TIMINGS)).tiles_per_s


def _duration(hours: float) -> str:
    """As in "3 hours", "20 minutes", "5 s"."""
    if hours >= 1:
        return f"{hours:.2g} hours"
    return f"{hours * 60:.2g} minutes" if hours * 60 >= 1 else f"{max(hours * 3600, 1):.0f} s"
