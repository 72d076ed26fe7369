"""What the tables are made of: results, intervals of their means, and paired differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.metrics import Interval
from bench.report.comparisons import Comparison, compare, pairs
from bench.report.resampling import Resampled, compared, recomputable, resampled
from bench.report.results import AggregatedResult, ResultKey, aggregated
from bench.rows import MOST_NAMED, RunKey, read_rows, warn_once


@dataclass(frozen=True)
class LeaderboardData:
    """The entries of a results folder, the intervals of their means, and how they differ.

    Attributes
    ----------
    entries : list of AggregatedResult
        Ordered by their keys.
    intervals : dict of (ResultKey, metric) -> Interval
        Without metrics that are undefined or cannot be resampled.
    differences : dict of (ResultKey of a, of b, metric) -> Comparison
        Each model against each baseline that applies to it, and any two models once.
    """

    entries: list[AggregatedResult]
    intervals: dict[tuple[ResultKey, str], Interval]
    differences: dict[tuple[ResultKey, ResultKey, str], Comparison]


def read_leaderboard(
    results: Path, keys: Collection[RunKey] | None = None, warn: Callable[[str], None] = warn_once
) -> LeaderboardData:
    """Read the rows of a results folder and resample their predictions.

    Parameters
    ----------
    keys : collection of RunKey
        The runs to read; all that there are if None.
    warn : callable
        Takes a sentence that names what cannot be read; the default prints it once to stderr.
    """
    rows, sentences = read_rows(results)
    data = LeaderboardData(aggregated(row for row in rows if keys is None or row.key in keys), {}, {})
    faulty: list[str] = []
    for _, block in itertools.groupby(data.entries, key=lambda entry: entry.key.block):  # bounds the draws in memory
        own = list(block)
        found, problems = _resampled(results, own)
        faulty += problems
        data.intervals.update(_intervals(own, found))
        data.differences.update({(c.a.key, c.b.key, c.metric): c for c in compare(pairs(own), found)})
    if faulty:
        more = f" And {len(faulty) - MOST_NAMED} more." if len(faulty) > MOST_NAMED else ""
        sentences.append(f"Left out of means' intervals and paired differences: {' '.join(faulty[:MOST_NAMED])}{more}")
    for sentence in sentences:
        warn(sentence)
    return data


def _resampled(results: Path, entries: Sequence[AggregatedResult]) -> tuple[dict[RunKey, Resampled], list[str]]:
    """Resample the metrics that models are compared by, and of the runs of a mean all that predictions tell."""
    several = {row.key for entry in entries if len(entry.successful) > 1 for row in entry.successful}
    successful = [row for entry in entries for row in entry.successful]
    return resampled(results, successful, lambda row: recomputable(row) if row.key in several else compared(row))


def _intervals(
    entries: Sequence[AggregatedResult], found: Mapping[RunKey, Resampled]
) -> dict[tuple[ResultKey, str], Interval]:
    intervals = {}
    for entry in entries:
        for metric in {metric for row in entry.successful for metric in row.metrics}:
            interval = entry.interval(metric, found)
            if interval is not None:
                intervals[entry.key, metric] = interval
    return intervals
