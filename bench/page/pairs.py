"""The paired differences of the page: by the primary metrics first, and by others as many as the page can have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.page.numbers import rounded, significant
from bench.results import Comparison, LeaderboardData, ResultKey

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 60_000


def differences(
    data: LeaderboardData, places: Mapping[ResultKey, int], metrics: Callable[[str], int]
) -> tuple[list[list[Any]], int]:
    """A list for each comparison, and how many comparisons there are.

    Each list is: number of a, of b, of the metric; difference a - b and its interval; p, p by Holm in the task and
    head, p by Holm over all tasks of the head, p by Benjamini and Hochberg; P(a better than b) over resamples; how p
    was found; pairs of runs; test samples; groups.

    Parameters
    ----------
    places : mapping of ResultKey -> int
        The number of each result.
    metrics : callable
        Gives the number of a metric.
    """
    every = sorted(data.differences.values(), key=lambda c: (not c.primary, places[c.a.key], places[c.b.key]))
    return [_record(data, c, places, metrics(c.metric)) for c in every[:MOST]], len(every)


def _record(data: LeaderboardData, c: Comparison, places: Mapping[ResultKey, int], metric: int) -> list[Any]:
    adjusted = data.adjusted[c.key]
    p_values = (c.p, adjusted.holm, adjusted.holm_suite, adjusted.benjamini_hochberg, c.p_better)
    return [
        places[c.a.key],
        places[c.b.key],
        metric,
        *(rounded(value) for value in (c.difference.difference, *c.difference.interval)),
        *(significant(value) for value in p_values),
        c.p_by,
        c.n_runs,
        c.n_test,
        c.n_groups,
    ]
