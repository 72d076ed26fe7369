"""What the tables are made of: results, intervals of their values, and paired differences."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.metrics import Interval
from bench.report.chains import robustness_tasks
from bench.report.comparisons import Comparison, compare, pairs, pairs_of_conditions
from bench.report.contrasts import Contrast, ContrastKey, contrasts
from bench.report.estimates import estimate
from bench.report.families import Adjusted, ComparisonKey, OverBaselines, adjusted, over_baselines
from bench.report.rank_blocks import RankedBlock, ranked_block, ranked_together
from bench.report.resampling import Passes, compared, recomputable
from bench.report.results import AggregatedResult, Block, ResultKey, aggregated
from bench.rows import MOST_NAMED, Row, RunKey, SavedRows, rows_of, warn_once


@dataclass(frozen=True)
class LeaderboardData:
    """The entries of one or several results folders, the intervals of their values, and how they differ.

    Attributes
    ----------
    entries : list of AggregatedResult
        Ordered by their keys.
    intervals : dict of (ResultKey, metric) -> Interval
        Without metrics that are undefined or cannot be resampled.
    differences : dict of (ResultKey of a, of b, metric) -> Comparison
        Each model against each baseline that applies to it, and any two models once.
    adjusted : dict of the same keys -> Adjusted
        The p values of the differences, adjusted for how many there are.
    over_baselines : dict of ResultKey -> OverBaselines
        By the primary metric, of models with baselines on the same samples.
    ranked : list of RankedBlock
        What the entries of each block are ranked by, models and baselines alike; of what is measured, a part of the
        block for each front-end.
    repeats : dict of ResultKey -> int
        How often the entry tests the same samples with heads of other training patients; without those of one time.
    contrasts : dict of (block, model, restorer) -> Contrast
        Of robustness tasks.
    """

    entries: list[AggregatedResult]
    intervals: dict[tuple[ResultKey, str], Interval]
    differences: dict[ComparisonKey, Comparison]
    adjusted: dict[ComparisonKey, Adjusted]
    over_baselines: dict[ResultKey, OverBaselines]
    ranked: list[RankedBlock]
    repeats: dict[ResultKey, int]
    contrasts: dict[ContrastKey, Contrast] = field(default_factory=dict)

    @cached_property
    def detectable(self) -> dict[Block, float]:
        """The true difference in the primary metric that is found with 80 % power: the median over a block's pairs.

        Without pairs of which it is not known, and blocks that have no others.
        """
        found: dict[Block, list[float]] = defaultdict(list)
        for comparison in self.differences.values():
            if comparison.primary and not math.isnan(detectable := comparison.difference.detectable):
                found[comparison.a.key.block].append(detectable)
        return {block: statistics.median(values) for block, values in found.items()}

    def value(self, entry: AggregatedResult, metric: str) -> float | None:
        """The metric over all runs of an entry: of the predictions of all folds together where it is such a metric.

        The mean over the runs where predictions cannot be read; None if no run has a value.
        """
        interval = self.intervals.get((entry.key, metric))
        return entry.mean(metric) if interval is None else interval.value


def read_leaderboard(
    results: Path | SavedRows, keys: Collection[RunKey] | None = None, warn: Callable[[str], None] = warn_once
) -> LeaderboardData:
    """Read the rows of a results folder and resample their predictions.

    Parameters
    ----------
    results : Path or SavedRows
        The folder, or rows of several folders as `bench.rows.merged_rows` gives them.
    keys : collection of RunKey
        The runs to read; all that there are if None.
    warn : callable
        Takes a sentence that names what cannot be read; the default prints it once to stderr.
    """
    saved = rows_of(results) if isinstance(results, Path) else results
    sentences = list(saved.sentences)
    entries = aggregated(row for row in saved.rows if keys is None or row.key in keys)
    intervals: dict[tuple[ResultKey, str], Interval] = {}
    comparisons: list[Comparison] = []
    ranked: list[RankedBlock] = []
    repeats: dict[ResultKey, int] = {}
    found: dict[ContrastKey, Contrast] = {}
    faulty: list[str] = []
    robust = robustness_tasks(entries)
    for _, block in itertools.groupby(entries, key=lambda entry: entry.key.block):  # bounds the draws in memory
        own = list(block)
        passes = _resampled(saved.predictions_path, own)
        faulty += passes.faulty
        intervals |= _intervals(own, passes)
        of_track = (own[0].key.task, own[0].key.cohort) in robust
        comparisons += compare(pairs_of_conditions(own) if of_track else pairs(own), passes)
        ranked += [ranked_block(part, passes) for part in ranked_together(own)]
        found |= contrasts(own, passes) if of_track else {}
        repeats |= {key: n for key, of in passes.of.items() if (n := 1 + max((r for _, r in of), default=0)) > 1}
    if faulty:
        more = f" And {len(faulty) - MOST_NAMED} more." if len(faulty) > MOST_NAMED else ""
        sentences.append(f"Left out of means' intervals and paired differences: {' '.join(faulty[:MOST_NAMED])}{more}")
    for sentence in sentences:
        warn(sentence)
    differences = {comparison.key: comparison for comparison in comparisons}
    against_baselines = over_baselines(comparisons)
    return LeaderboardData(
        entries, intervals, differences, adjusted(comparisons), against_baselines, ranked, repeats, found
    )


def _resampled(predictions_path: Callable[[Row], Path], entries: Sequence[AggregatedResult]) -> Passes:
    """Resample the metrics that models are compared by, and of the runs of a mean all that predictions tell."""
    several = {row.key for entry in entries if len(entry.successful) > 1 for row in entry.successful}
    passes = Passes(predictions_path, entries)
    passes.resample(lambda row: recomputable(row) if row.key in several else compared(row))
    return passes


def _intervals(entries: Sequence[AggregatedResult], passes: Passes) -> dict[tuple[ResultKey, str], Interval]:
    intervals = {}
    for entry in entries:
        for metric in {metric for row in entry.successful for metric in row.metrics}:
            interval = estimate(entry, metric, passes)
            if interval is not None:
                intervals[entry.key, metric] = interval
    return intervals
