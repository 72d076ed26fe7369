"""Robustness tasks: each encoder with each head and restorer over all of its cases, and what harms beyond chance.

A case is a corruption at one severity. A restorer changes a case beyond chance if the paired difference to the same
case without it has a p of 5 % at most, adjusted over all restorers and cases of the encoder and head (Holm 1979).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bench.results.aggregated_result import AggregatedResult
from bench.results.comparisons import Comparison
from bench.results.conditions import (
    BEST_CLASSICAL,
    Condition,
    best_classical,
    clean_of,
    conditions,
    grouped,
    left_out,
)
from bench.results.contrasts import Contrast
from bench.results.leaderboard_data import LeaderboardData
from bench.results.robustness_measures import (
    corruption_errors,
    mean_corruption_error,
    mean_over_cases,
    recovery,
    relative_error,
    same_cases,
    score_recovery,
)
from bench.statistics import LEVEL, holm
from bench.targets import UNTOUCHED


@dataclass(frozen=True)
class Change:
    """What a restorer changes on a case, or on clean tiles, against the same tiles without it."""

    comparison: Comparison
    p_holm: float

    @property
    def beyond_chance(self) -> bool:
        return self.p_holm <= LEVEL

    @property
    def harms(self) -> bool:
        """Beyond chance."""
        return self.beyond_chance and not self.comparison.a_is_better

    @property
    def helps(self) -> bool:
        """Beyond chance."""
        return self.beyond_chance and self.comparison.a_is_better


@dataclass(frozen=True)
class Summary:
    """One encoder with one head behind one restorer, over all cases that it has.

    Attributes
    ----------
    cases : list of Condition
        Corrupted tiles.
    corrupted : list of Condition
        The same cases without the restorer.
    clean, on_clean : Condition or None
        Clean tiles without and with the restorer.
    contrast : Contrast or None
        The means with their intervals; None without predictions.
    changes : dict of (corruption, severity) -> Change
        Against no restorer; ("", 0) is on clean tiles.
    """

    restorer: str
    cases: Sequence[Condition]
    corrupted: Sequence[Condition]
    clean: Condition | None
    on_clean: Condition | None
    contrast: Contrast | None
    changes: dict[tuple[str, int], Change] = field(default_factory=dict)

    @property
    def first(self) -> Condition:
        """A condition that has the task, model, protocol and head of all."""
        return self.cases[0]

    @cached_property
    def mean(self) -> float | None:
        """The primary metric, over corruptions of the means over severities."""
        return mean_over_cases(self.cases, self.first.primary)

    @cached_property
    def mce(self) -> float | None:
        return mean_corruption_error(corruption_errors(self.cases))

    @property
    def mce_unrestored(self) -> float | None:
        """That of the same cases without the restorer."""
        return mean_corruption_error(corruption_errors(self.corrupted))

    @property
    def rce(self) -> float | None:
        return relative_error(self.mce, self.clean.error if self.clean else None)

    @cached_property
    def recovery(self) -> float | None:
        """Of features by their distance, of heads by their error."""
        if self.restorer == UNTOUCHED:
            return None
        if self.first.of_features:
            return recovery(self.cases, self.corrupted)
        return score_recovery(self.cases, self.corrupted, self.clean.error if self.clean else None)

    @property
    def helped(self) -> int:
        """Cases that are better than without the restorer, beyond chance."""
        return sum(change.helps for case, change in self.changes.items() if case[0])

    @property
    def harmed(self) -> int:
        """Cases that are worse."""
        return sum(change.harms for case, change in self.changes.items() if case[0])


@dataclass(frozen=True)
class Robustness:
    """One robustness task on the same tiles."""

    data: LeaderboardData
    conditions: Sequence[Condition]
    left_out: Sequence[AggregatedResult]

    @property
    def block(self) -> tuple[str, str]:
        """Task and cohort."""
        return self.conditions[0].task, self.conditions[0].cohort

    @cached_property
    def best(self) -> list[Condition]:
        """The best filter of each case."""
        return best_classical(self.conditions)

    @cached_property
    def changes(self) -> dict[Condition, Change]:
        """Of each condition behind a restorer that can be paired with the one without it."""
        found: dict[Condition, Change] = {}
        for own in grouped(self.conditions).values():
            without = {one.case: one.entry.key for one in own if one.restorer == UNTOUCHED}
            compared = []
            for one in own:
                if one.restorer != UNTOUCHED and one.case in without:
                    key = one.entry.key, without[one.case], one.primary
                    compared += [(one, self.data.differences[key])] if key in self.data.differences else []
            adjusted = holm(np.array([comparison.p for _, comparison in compared]))
            found |= {one: Change(of, float(p)) for (one, of), p in zip(compared, adjusted, strict=True)}
        return found

    @cached_property
    def summaries(self) -> list[Summary]:
        """By encoder, head and restorer; without a restorer first, the best filter of each case among them."""
        found = []
        for (task, cohort, model, protocol, head), own in grouped([*self.conditions, *self.best]).items():
            none = [one for one in own if one.restorer == UNTOUCHED]
            for restorer in dict.fromkeys(one.restorer for one in sorted(own, key=_restorer_order)):
                behind = [one for one in own if one.restorer == restorer]
                cases = [one for one in behind if not one.clean]
                if not cases:
                    continue
                on_clean = None if restorer == UNTOUCHED else next((one for one in behind if one.clean), None)
                changes = (
                    {} if restorer == BEST_CLASSICAL else {c.case: self.changes[c] for c in behind if c in self.changes}
                )
                contrast = self.data.contrasts.get(((task, cohort, protocol, head), model, restorer))
                found.append(
                    Summary(restorer, cases, same_cases(none, cases), clean_of(none), on_clean, contrast, changes)
                )
        return found


def robustness_of(data: LeaderboardData, entries: Iterable[AggregatedResult] | None = None) -> Iterator[Robustness]:
    """The robustness tasks that have conditions; of these entries only, where they are given."""
    wanted = None if entries is None else {entry.key for entry in entries}
    found = [one for one in conditions(data) if wanted is None or one.entry.key in wanted]
    others = left_out(data)
    for block, own in itertools.groupby(found, key=lambda one: (one.task, one.cohort)):
        yield Robustness(data, list(own), [entry for entry in others if (entry.key.task, entry.key.cohort) == block])


def to_clean(data: LeaderboardData, one: Condition, clean: Condition | None) -> Comparison | None:
    """The paired difference of a condition to that on clean tiles without a restorer, by the primary metric."""
    return None if clean is None else data.differences.get((one.entry.key, clean.entry.key, one.primary))


def known(value: float | None) -> float | None:
    """None for NaN."""
    return None if value is None or math.isnan(value) else value


def _restorer_order(one: Condition) -> tuple[bool, bool, str]:
    return one.restorer != UNTOUCHED, one.restorer != BEST_CLASSICAL, one.restorer
