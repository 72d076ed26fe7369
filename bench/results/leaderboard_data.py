"""What the tables are made of: results, intervals of their values, and paired differences."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from bench.metrics import Interval
from bench.results.aggregated_result import AggregatedResult, Block, ResultKey, aggregated
from bench.results.chains import robustness_tasks
from bench.results.comparisons import Comparison
from bench.results.contamination import Contamination, LeftOut, contamination_of, without_contaminated
from bench.results.contrasts import Contrast, ContrastKey
from bench.results.families import Adjusted, ComparisonKey, OverBaselines, adjusted, over_baselines
from bench.results.frozen_tasks import without_other_tasks
from bench.results.rank_blocks import RankedBlock
from bench.results.saved_blocks import SavedBlocks
from bench.rows import MOST_NAMED, RunKey, SavedRows, rows_of, warn_once
from bench.verdicts import merged_audits

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


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
    left_out : LeftOut
        The rows that are in none of these, as their models saw the task's cohorts in pretraining.
    folders : mapping of RunKey -> Path
        The results folder that has the predictions of a run.
    other_tasks : list of str
        A sentence for each task that has the name and samples of another and is left out.
    audits : mapping of (task, cohort hash) -> str
        The badge of each audited task: its alarms, or "clear" (`bench.verdicts`).
    audit_folders : mapping of the same keys -> sequence of Path
        The results folders that have an audit of it.
    """

    entries: list[AggregatedResult]
    intervals: dict[tuple[ResultKey, str], Interval]
    differences: dict[ComparisonKey, Comparison]
    adjusted: dict[ComparisonKey, Adjusted]
    over_baselines: dict[ResultKey, OverBaselines]
    ranked: list[RankedBlock]
    repeats: dict[ResultKey, int]
    contrasts: dict[ContrastKey, Contrast] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)
    folders: Mapping[RunKey, Path] = field(default_factory=dict)
    other_tasks: list[str] = field(default_factory=list)
    audits: Mapping[tuple[str, str], str] = field(default_factory=dict)
    audit_folders: Mapping[tuple[str, str], Sequence[Path]] = field(default_factory=dict)

    @cached_property
    def contaminated(self) -> dict[ResultKey, Contamination]:
        """Whether the model of each entry saw the task's cohorts in pretraining."""
        return {entry.key: contamination_of(entry.rows) for entry in self.entries}

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
    results: Path | SavedRows,
    keys: Collection[RunKey] | None = None,
    warn: Callable[[str], None] = warn_once,
    contaminated: str = "keep",
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
    contaminated : str
        A key of `bench.results.LEAVE_OUT`: whether rows of models that saw the task's cohorts in pretraining are read.

    Raises
    ------
    UserError
        If there is no such choice.
    """
    rows, left_out = without_contaminated(rows_of(results) if isinstance(results, Path) else results, contaminated)
    rows, other_tasks = without_other_tasks(rows)
    sentences = [*rows.sentences, *other_tasks]
    entries = aggregated(row for row in rows.rows if keys is None or row.key in keys)
    robust = robustness_tasks(entries)
    saved = SavedBlocks(rows)
    found = []
    for _, block in itertools.groupby(entries, key=lambda entry: entry.key.block):  # bounds the draws in memory
        own = list(block)
        found.append(saved.results_of(own, robust=(own[0].key.task, own[0].key.cohort) in robust))
    if keys is None and not left_out.rows:  # the blocks of all rows are wanted again
        saved.remove_others()
    faulty = [sentence for block in found for sentence in block.faulty]
    if faulty:
        more = f" And {len(faulty) - MOST_NAMED} more." if len(faulty) > MOST_NAMED else ""
        sentences.append(f"Left out of means' intervals and paired differences: {' '.join(faulty[:MOST_NAMED])}{more}")
    audits = merged_audits(rows.sources)
    sentences += audits.sentences
    for sentence in sentences:
        warn(sentence)
    comparisons = [comparison for block in found for comparison in block.comparisons]
    return LeaderboardData(
        entries,
        intervals=_merged(block.intervals for block in found),
        differences={comparison.key: comparison for comparison in comparisons},
        adjusted=adjusted(comparisons),
        over_baselines=over_baselines(comparisons),
        ranked=[ranked for block in found for ranked in block.ranked],
        repeats=_merged(block.repeats for block in found),
        contrasts=_merged(block.contrasts for block in found),
        left_out=left_out,
        folders=rows.folders,
        other_tasks=other_tasks,
        audits=audits.badges,
        audit_folders=audits.folders,
    )


def _merged(parts: Iterable[dict[Key, Value]]) -> dict[Key, Value]:
    return {key: value for part in parts for key, value in part.items()}
