"""What is computed of one block: intervals of its values, paired differences, and what its entries are ranked by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.metrics import Interval
from bench.results.aggregated_result import AggregatedResult, ResultKey
from bench.results.comparisons import Comparison, compare, pairs, pairs_of_conditions
from bench.results.contrasts import Contrast, ContrastKey, contrasts
from bench.results.estimates import estimate
from bench.results.rank_blocks import RankedBlock, ranked_block, ranked_together
from bench.results.resampling import Passes, compared, recomputable
from bench.rows import Row


@dataclass(frozen=True)
class BlockResults:
    """What the tables tell of the entries of one block beyond their rows; it follows from rows and predictions alone.

    Attributes
    ----------
    intervals : dict of (ResultKey, metric) -> Interval
        Without metrics that are undefined or cannot be resampled.
    comparisons : list of Comparison
    ranked : list of RankedBlock
    repeats : dict of ResultKey -> int
        Of entries whose samples were tested several times, how often.
    contrasts : dict of (block, model, restorer) -> Contrast
        Of a robustness task.
    faulty : list of str
        A sentence for each file of predictions that cannot be read.
    """

    intervals: dict[tuple[ResultKey, str], Interval]
    comparisons: list[Comparison]
    ranked: list[RankedBlock]
    repeats: dict[ResultKey, int]
    contrasts: dict[ContrastKey, Contrast] = field(default_factory=dict)
    faulty: list[str] = field(default_factory=list)


def block_results(
    predictions_path: Callable[[Row], Path], entries: Sequence[AggregatedResult], *, robust: bool
) -> BlockResults:
    """Read the predictions of the entries of one block, resample and compare them.

    Parameters
    ----------
    predictions_path : callable
        Tells where the predictions of a row lie.
    robust : bool
        Whether the block is of a robustness task.
    """
    passes = _resampled(predictions_path, entries)
    return BlockResults(
        intervals=_intervals(entries, passes),
        comparisons=compare(pairs_of_conditions(entries) if robust else pairs(entries), passes),
        ranked=[ranked_block(part, passes) for part in ranked_together(entries)],
        repeats={key: n for key, of in passes.of.items() if (n := 1 + max((r for _, r in of), default=0)) > 1},
        contrasts=contrasts(entries, passes) if robust else {},
        faulty=passes.faulty,
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
