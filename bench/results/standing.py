"""Which model is best on a task with a head, and from which models and baselines it differs beyond chance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench import targets
from bench.results.aggregated_result import AggregatedResult, Block
from bench.results.baselines import baselines_of
from bench.results.comparisons import Comparison
from bench.results.families import OverBaselines
from bench.results.leaderboard_data import LeaderboardData
from bench.rows import INTERVALS
from bench.statistics import LEVEL


@dataclass(frozen=True)
class Rival:
    """A model or baseline beside the best model.

    Attributes
    ----------
    value : float
        The primary metric.
    comparison : Comparison or None
        Of the two by the primary metric; None where they were not compared.
    p : float
        Of no difference, adjusted for all pairs of the task and head (Holm); NaN where it is not known.
    behind : bool
        Whether the best model is better by this p.
    """

    entry: AggregatedResult
    value: float
    comparison: Comparison | None
    p: float
    behind: bool


@dataclass(frozen=True)
class Standing:
    """The models of one task and head by the primary metric.

    Attributes
    ----------
    block : Block
    metric : str
    entries : tuple of AggregatedResult
        Of the block, failed ones and baselines too.
    best : AggregatedResult or None
        The model with the best value, among those that have all runs if there are any; None without a value.
    rivals : tuple of Rival
        The other models that have as many runs, best first.
    baselines : tuple of Rival
        The baselines that apply to the best model, best first.
    over_baselines : OverBaselines or None
        The best model against all of its baselines; None where they were not compared.
    incomplete : tuple of AggregatedResult
        Models that lack runs and were therefore not considered.
    """

    block: Block
    metric: str
    entries: tuple[AggregatedResult, ...]
    best: AggregatedResult | None
    rivals: tuple[Rival, ...] = ()
    baselines: tuple[Rival, ...] = ()
    over_baselines: OverBaselines | None = None
    incomplete: tuple[AggregatedResult, ...] = ()

    @property
    def alike(self) -> tuple[Rival, ...]:
        """The models that cannot be told apart from the best one."""
        return tuple(rival for rival in self.rivals if not rival.behind and not math.isnan(rival.p))

    @property
    def few_shot(self) -> bool:
        """Whether the scores are means over draws of training samples, of which models are not compared."""
        return over_draws(self.entries)


def over_draws(entries: Iterable[AggregatedResult]) -> bool:
    """Whether the primary metric of these entries is a mean over draws of training samples."""
    intervals = {entry.interval_of(entry.successful[0].primary_metric) for entry in entries if entry.successful}
    return bool(intervals - {""}) and INTERVALS[0] not in intervals


def standings(data: LeaderboardData, entries: Iterable[AggregatedResult]) -> Iterator[Standing]:
    """The standing of each block of these entries, which are ordered by their keys."""
    for block, own in itertools.groupby(entries, key=lambda entry: entry.key.block):
        yield _standing(data, block, tuple(own))


def best_first(
    data: LeaderboardData, entries: Sequence[AggregatedResult], metric: str
) -> list[tuple[float | None, AggregatedResult]]:
    """The entries of one kind with their values, the best value first and those without one last."""
    if not entries:
        return []
    lower = targets.get(entries[0].rows[0].kind).metrics.lower_is_better(metric)
    sign = 1.0 if lower else -1.0

    def place(pair: tuple[float | None, AggregatedResult]) -> tuple[object, ...]:
        value, entry = pair
        return value is None, sign * (value or 0.0), entry.key.model, entry.key.frontend, entry.key

    return sorted(((_known(data.value(entry, metric)), entry) for entry in entries), key=place)


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _standing(data: LeaderboardData, block: Block, entries: tuple[AggregatedResult, ...]) -> Standing:
    row = next((row for entry in entries for row in entry.successful), entries[0].rows[0])
    metric = row.primary_metric
    ordered = best_first(data, [e for e in entries if e.successful and not e.rows[0].baseline], metric)
    models = [entry for value, entry in ordered if value is not None]
    complete = [entry for entry in models if len(entry.values(metric)) >= entry.n_expected] or models
    if not complete:
        return Standing(block, metric, entries, None)
    best, *others = complete
    baselines = [entry for _, entry in best_first(data, baselines_of(best, entries), metric)]
    return Standing(
        block,
        metric,
        entries,
        best,
        rivals=tuple(_rivals(data, best, others, metric)),
        baselines=tuple(_rivals(data, best, baselines, metric)),
        over_baselines=data.over_baselines.get(best.key),
        incomplete=tuple(entry for entry in models if entry not in complete),
    )


def _rivals(
    data: LeaderboardData, best: AggregatedResult, others: Iterable[AggregatedResult], metric: str
) -> Iterator[Rival]:
    for other in others:
        value = _known(data.value(other, metric))
        if value is None:
            continue
        key = next(
            (key for key in ((best.key, other.key, metric), (other.key, best.key, metric)) if key in data.differences),
            None,
        )
        if key is None:
            yield Rival(other, value, None, math.nan, behind=False)
            continue
        comparison, p = data.differences[key], data.adjusted[key].holm
        better = comparison.a_is_better == (comparison.a.key == best.key)
        yield Rival(other, value, comparison, p, behind=better and p <= LEVEL)
