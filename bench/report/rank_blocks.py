"""What the entries of one block are ranked by: their primary metric on the same runs, test samples and resamples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench import targets
from bench.metrics import Replicates
from bench.report.resampling import Resampled, mean_replicates
from bench.report.results import AggregatedResult, Repeat, ResultKey
from bench.rows import RunKey
from bench.statistics import TaskRanks, task_ranks

Block = tuple[str, str, str, str]


@dataclass(frozen=True)
class RankedBlock:
    """The entries of a block that can be ranked against each other, and why the others cannot.

    Attributes
    ----------
    block : (task, cohort, protocol, head)
        As in `ResultKey.block`.
    metric : str
        The primary metric.
    replicates : dict of ResultKey -> Replicates
        Means over the same seeds and folds, on the same test samples, draw by draw on the same resamples.
    baselines : set of ResultKey
        Which entries are baselines, of those left out too.
    left_out : dict of ResultKey -> str
        Why an entry is not among the replicates, as the end of a sentence of which it is the subject.
    """

    block: Block
    metric: str
    lower_is_better: bool
    replicates: dict[ResultKey, Replicates]
    baselines: frozenset[ResultKey]
    left_out: dict[ResultKey, str]

    def ranks(self, keys: Sequence[ResultKey]) -> TaskRanks:
        """The ranks of these entries among each other, in their order."""
        own = [self.replicates[key] for key in keys]
        n_draws = max((len(one.draws) for one in own), default=0)
        draws = np.full((len(own), n_draws), np.nan)
        for line, one in zip(draws, own, strict=True):
            if len(one.draws) == n_draws:
                line[:] = one.draws
        return task_ranks(np.array([one.value for one in own], float), draws, lower_is_better=self.lower_is_better)


def ranked_block(entries: Sequence[AggregatedResult], resampled: Mapping[RunKey, Resampled]) -> RankedBlock:
    """The primary metric of the entries of one block, as means over the runs that most of them have.

    These are the seeds and folds that more than half of the entries with a value have. An entry that lacks one of them
    is left out, as its mean would be of other runs; so is one that was tested on other samples than most, as unreadable
    files are left out of a run. What further runs an entry has does not count here.

    Parameters
    ----------
    entries : sequence of AggregatedResult
        Of one block; one at least.
    resampled : dict of RunKey -> Resampled
        As of `bench.report.resampling.resampled`.
    """
    row = next((row for entry in entries for row in entry.successful), entries[0].rows[0])
    metric = row.primary_metric
    runs = {entry.key: _runs(entry, metric, resampled) for entry in entries}
    having = Counter(repeat for own in runs.values() for repeat in own)
    most = sum(bool(own) for own in runs.values()) / 2
    repeats = sorted(repeat for repeat, count in having.items() if count > most)
    samples = {repeat: _common_samples([own[repeat] for own in runs.values() if repeat in own]) for repeat in repeats}
    replicates, left_out = {}, {}
    for entry in entries:
        own = runs[entry.key]
        why = _why_not(entry, metric, own, samples)
        if why:
            left_out[entry.key] = why
        else:
            replicates[entry.key] = mean_replicates([own[repeat].replicates[metric] for repeat in repeats])
    return RankedBlock(
        entries[0].key.block,
        metric,
        targets.get(row.kind).metrics.lower_is_better(metric),
        replicates,
        frozenset(entry.key for entry in entries if entry.rows[0].baseline),
        left_out,
    )


def _runs(entry: AggregatedResult, metric: str, resampled: Mapping[RunKey, Resampled]) -> dict[Repeat, Resampled]:
    """The runs of an entry whose metric is defined and has been computed from their predictions."""
    found = {(row.seed, row.fold): resampled[row.key] for row in entry.successful if row.key in resampled}
    return {
        repeat: run
        for repeat, run in found.items()
        if metric in run.replicates and not math.isnan(run.replicates[metric].value)
    }


def _common_samples(runs: Sequence[Resampled]) -> str:
    """The digest of the test samples that most of the runs have; of equally many, the one with the most samples."""
    count = Counter(run.samples for run in runs)
    return max((count[run.samples], run.n_test, run.samples) for run in runs)[-1]


def _why_not(
    entry: AggregatedResult, metric: str, own: Mapping[Repeat, Resampled], samples: Mapping[Repeat, str]
) -> str:
    if not entry.successful:
        return "failed in all its runs"
    if not own:
        valued = any(row.value(metric) is not None for row in entry.successful)
        return "has no predictions to resample" if valued else f"has no value of {metric}"
    if not samples:
        return "shares no seed and fold with most other entries"
    absent = [repeat for repeat in samples if repeat not in own]
    if absent:
        first = f"seed {absent[0][0]}" + (f" fold {absent[0][1]}" if absent[0][1] else "")
        return f"lacks {len(absent)} of {len(samples)} runs that most entries have, such as {first}"
    if any(own[repeat].samples != digest for repeat, digest in samples.items()):
        return "was tested on other samples than the entries that are ranked"
    return ""
