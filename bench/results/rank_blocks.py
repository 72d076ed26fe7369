"""What the entries of one block are ranked by: their primary metric on the same runs, test samples and resamples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench import targets
from bench.metrics import Replicates
from bench.results.aggregated_result import AggregatedResult, Block, ResultKey
from bench.results.baselines import track_of
from bench.results.estimates import averaged, definition, moved
from bench.results.resampling import Number, Pass, Passes
from bench.statistics import TaskRanks, task_ranks


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
    measured : bool
        Whether it is of what is measured behind one front-end, which is no task of a suite.
    """

    block: Block
    metric: str
    lower_is_better: bool
    replicates: dict[ResultKey, Replicates]
    baselines: frozenset[ResultKey]
    left_out: dict[ResultKey, str]
    measured: bool = False

    def ranks(self, keys: Sequence[ResultKey]) -> TaskRanks:
        """The ranks of these entries among each other, in their order."""
        own = [self.replicates[key] for key in keys]
        n_draws = max((len(one.draws) for one in own), default=0)
        draws = np.full((len(own), n_draws), np.nan)
        for line, one in zip(draws, own, strict=True):
            if len(one.draws) == n_draws:
                line[:] = one.draws
        return task_ranks(np.array([one.value for one in own], float), draws, lower_is_better=self.lower_is_better)


def ranked_block(entries: Sequence[AggregatedResult], passes: Passes) -> RankedBlock:
    """The primary metric of the entries of one block, as means over the seeds and repeats that most of them have.

    These are the seeds and repeats that more than half of the entries with a value have. An entry that lacks one of
    them is left out, as its mean would be of other runs; so is one that was tested on other samples than most, as
    unreadable files are left out of a run, or a fold failed. What further runs an entry has does not count here.

    Parameters
    ----------
    entries : sequence of AggregatedResult
        Of one block; one at least.
    passes : Passes
        Of these entries.
    """
    row = next((row for entry in entries for row in entry.successful), entries[0].rows[0])
    metric = row.primary_metric
    runs = {entry.key: _runs(entry, metric, passes) for entry in entries}
    having = Counter(number for own in runs.values() for number in own)
    most = sum(bool(own) for own in runs.values()) / 2
    numbers = sorted(number for number, count in having.items() if count > most)
    samples = {number: _common_samples([own[number] for own in runs.values() if number in own]) for number in numbers}
    replicates, left_out = {}, {}
    for entry in entries:
        own = runs[entry.key]
        why = _why_not(entry, metric, own, samples)
        if why:
            left_out[entry.key] = why
        else:
            replicates[entry.key] = _mean(entry, metric, [own[number] for number in numbers], passes)
    return RankedBlock(
        entries[0].key.block,
        metric,
        targets.get(row.kind).metrics.lower_is_better(metric),
        replicates,
        frozenset(entry.key for entry in entries if entry.rows[0].baseline),
        left_out,
        bool(track_of(entries[0])),
    )


def ranked_together(entries: Sequence[AggregatedResult]) -> Iterator[Sequence[AggregatedResult]]:
    """The parts of a block that are ranked: all of it, or of what is measured the entries behind each front-end."""
    if not track_of(entries[0]):
        yield entries
        return
    for frontend in sorted({entry.key.frontend for entry in entries}):
        yield [entry for entry in entries if entry.key.frontend == frontend]


def _runs(entry: AggregatedResult, metric: str, passes: Passes) -> dict[Number, Pass]:
    """The passes of an entry whose metric is defined and has been computed from their predictions."""
    found = {}
    for number, one in passes.of[entry.key].items():
        replicates = passes.replicates(one).get(metric)
        if replicates is not None and not math.isnan(replicates.value):
            found[number] = one
    return found


def _mean(entry: AggregatedResult, metric: str, own: Sequence[Pass], passes: Passes) -> Replicates:
    mean = averaged([passes.replicates(one)[metric] for one in own])
    if len(own[0].runs) > 1 and not definition(entry, metric).pooled:
        values = [value for one in own for row in one.rows if (value := row.value(metric)) is not None]
        return moved(mean, float(np.mean(values))) if values else mean
    return mean


def _common_samples(runs: Sequence[Pass]) -> str:
    """The digest of the test samples that most of the passes have; of equally many, the one with the most samples."""
    count = Counter(one.samples for one in runs)
    return max((count[one.samples], len(one.predictions.ids), one.samples) for one in runs)[-1]


def _why_not(entry: AggregatedResult, metric: str, own: Mapping[Number, Pass], samples: Mapping[Number, str]) -> str:
    if not entry.successful:
        return "failed in all its runs"
    if not own:
        valued = any(row.value(metric) is not None for row in entry.successful)
        return "has no predictions to resample" if valued else f"has no value of {metric}"
    if not samples:
        return "shares no seed with most other entries"
    absent = [number for number in samples if number not in own]
    if absent:
        first = f"seed {absent[0][0]}" + (f" repeat {absent[0][1] + 1}" if absent[0][1] else "")
        return f"lacks {len(absent)} of {len(samples)} runs that most entries have, such as {first}"
    if any(own[number].samples != digest for number, digest in samples.items()):
        return "was tested on other samples or folds than the entries that are ranked"
    return ""
