"""Which floors an entry is measured against: what the head does without a pretrained model."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from bench import targets
from bench.leaderboard.entries import Entry, Repeat
from registry import RANDOM


def floors_of(entry: Entry, entries: Iterable[Entry]) -> list[Entry]:
    """The floors of the same samples, protocol and settings that say something about this entry.

    A twin counts only for the model whose architecture it has, a floor behind a frontend only for entries behind the
    same.
    """
    return [
        other
        for other in entries
        if other.rows[0].floor
        and other.key.block == entry.key.block
        and other.key.frontend in ("", entry.key.frontend)
        and (not other.key.model.endswith(RANDOM) or other.key.model == entry.key.model + RANDOM)
        and _alike(other, entry)
    ]


def _alike(floor: Entry, entry: Entry) -> bool:
    """Whether no run of both lost other samples than its counterpart, as unreadable ones are left out of a run."""
    tested = {(row.seed, row.fold): (row.n_test, row.n_groups) for row in floor.whole}
    own = {(row.seed, row.fold): (row.n_test, row.n_groups) for row in entry.whole}
    return all(tested[repeat] == own[repeat] for repeat in tested.keys() & own.keys())


def best_floor(metric: str, floors: Iterable[Entry], repeats: Collection[Repeat]) -> tuple[float, Entry] | None:
    """The floor with the best mean of the metric over these seeds and folds, the first among equals, and that mean.

    A floor that lacks one of them is passed over: its mean would be of other runs.
    """
    means = [
        (math.fsum(values[repeat] for repeat in repeats) / len(repeats), floor)
        for floor in floors
        if repeats and (values := floor.values(metric)).keys() >= set(repeats)
    ]
    if not means:
        return None
    metrics = targets.get(means[0][1].rows[0].kind).metrics
    best = min if metrics.lower_is_better(metric) else max
    return best(means, key=lambda pair: pair[0])
