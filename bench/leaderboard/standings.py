"""All that the tables say and has to be computed: every run resampled once, block by block."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.leaderboard.comparisons import Comparison, compare, pairs
from bench.leaderboard.entries import Entry, Key, entries_of
from bench.leaderboard.resampling import Resampled, compared, recomputable, resampled
from bench.leaderboard.rows import MOST_NAMED, Run, read_rows, warn_once
from bench.metrics import Interval


@dataclass(frozen=True)
class Standings:
    """The entries of a results folder, the intervals of their means, and how they differ.

    Attributes
    ----------
    entries : list of Entry
        Ordered by their keys.
    intervals : dict of (Key, metric) -> Interval
        Without metrics that are undefined or cannot be resampled.
    differences : dict of (Key of a, Key of b, metric) -> Comparison
        Each model against each floor that applies to it, and any two models once.
    """

    entries: list[Entry]
    intervals: dict[tuple[Key, str], Interval]
    differences: dict[tuple[Key, Key, str], Comparison]


def read_standings(results: Path) -> Standings:
    """Read the rows of a results folder and resample their predictions."""
    standings = Standings(entries_of(read_rows(results)), {}, {})
    unread: list[str] = []
    for _, block in itertools.groupby(standings.entries, key=lambda entry: entry.key.block):  # bounds the draws held
        own = list(block)
        found = _resampled(results, own, unread)
        standings.intervals.update(_intervals(own, found))
        standings.differences.update({(c.a.key, c.b.key, c.metric): c for c in compare(pairs(own), found)})
    if unread:
        more = f" And {len(unread) - MOST_NAMED} more." if len(unread) > MOST_NAMED else ""
        warn_once(f"Left out of means' intervals and paired differences: {' '.join(unread[:MOST_NAMED])}{more}")
    return standings


def _resampled(results: Path, entries: Sequence[Entry], unread: list[str]) -> dict[Run, Resampled]:
    """What models are compared by of all runs, and of those that make up a mean whatever their predictions tell."""
    several = {row.run for entry in entries if len(entry.whole) > 1 for row in entry.whole}
    whole = [row for entry in entries for row in entry.whole]
    return resampled(results, whole, lambda row: recomputable(row) if row.run in several else compared(row), unread)


def _intervals(entries: Sequence[Entry], found: Mapping[Run, Resampled]) -> dict[tuple[Key, str], Interval]:
    intervals = {}
    for entry in entries:
        for metric in {metric for row in entry.whole for metric in row.metrics}:
            interval = entry.interval(metric, found)
            if interval is not None:
                intervals[entry.key, metric] = interval
    return intervals
