"""The restoration task: each restorer on each corruption against doing nothing and against the best filter of the case.

A case is a corruption at one severity. Two p values are told of a restorer on a case: of no difference to the tiles
that nothing restored, and of being no better than some filter. The latter is the largest over the filters, so that none
is chosen by its score (Berger 1982, Technometrics 24, 295-300). Each is adjusted over all restorers and cases of the
task (Holm 1979).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench import targets
from bench.results.aggregated_result import AggregatedResult, ResultKey
from bench.results.comparisons import Comparison
from bench.results.families import advantage, p_over_all
from bench.results.leaderboard_data import LeaderboardData
from bench.statistics import LEVEL, holm
from bench.targets import UNTOUCHED

KIND = "image_quality"


@dataclass(frozen=True)
class Against:
    """A restorer on a case against what it is measured by.

    Attributes
    ----------
    comparison : Comparison
        With the best of the entries that it is measured by.
    p, p_holm : float
        As above; NaN where they cannot be known.
    """

    comparison: Comparison
    p: float
    p_holm: float

    @property
    def better(self) -> bool:
        return self.comparison.a_is_better

    @property
    def beyond_chance(self) -> bool:
        return self.p_holm <= LEVEL


@dataclass(frozen=True)
class Restorers:
    """The results of one restoration task on the same tiles.

    Attributes
    ----------
    entries : sequence of AggregatedResult
        A restorer, or none, behind a corruption or on clean tiles.
    """

    data: LeaderboardData
    entries: Sequence[AggregatedResult]

    @cached_property
    def names(self) -> list[str]:
        """None first, then the filters, then the other restorers."""
        found = {(entry.key.model != UNTOUCHED, not entry.rows[0].baseline, entry.key.model) for entry in self.entries}
        return [name for *_, name in sorted(found)]

    @cached_property
    def cases(self) -> list[str]:
        """The corruptions with their severities."""
        return sorted({entry.key.frontend for entry in self.entries} - {""}, key=parted)

    @cached_property
    def metrics(self) -> list[str]:
        """Those that some row has a value of; LPIPS is one of them only where it was measured."""
        rows = [row for entry in self.entries for row in entry.successful]
        every = targets.get(KIND).metrics.metrics
        return [metric for metric in every if any(row.value(metric) is not None for row in rows)]

    @cached_property
    def by_name(self) -> dict[tuple[str, str], AggregatedResult]:
        """By restorer and corruption, "" for clean tiles; those that did not fail."""
        return {(entry.key.model, entry.key.frontend): entry for entry in self.entries if entry.successful}

    def value(self, restorer: str, frontend: str, metric: str) -> float | None:
        entry = self.by_name.get((restorer, frontend))
        return None if entry is None else self.data.value(entry, metric)

    def over_nothing(self, metric: str) -> dict[ResultKey, Against]:
        """Each restorer, the filters too, against the tiles that nothing restored."""
        return self._against(metric, lambda entry: entry.key.model == UNTOUCHED)

    def over_filters(self, metric: str) -> dict[ResultKey, Against]:
        """Each restorer that is no filter against the filters."""
        return self._against(metric, lambda entry: entry.key.model != UNTOUCHED)

    def _against(self, metric: str, chosen: Callable[[AggregatedResult], bool]) -> dict[ResultKey, Against]:
        own = {entry.key for entry in self.entries if entry.key.frontend}
        against = [
            comparison
            for (key, _, name), comparison in self.data.differences.items()
            if name == metric and key in own and comparison.b.rows[0].baseline and chosen(comparison.b)
        ]
        families: dict[ResultKey, list[Comparison]] = {}
        for comparison in against:
            families.setdefault(comparison.a.key, []).append(comparison)
        p_values = np.array([p_over_all(of_entry) for of_entry in families.values()])
        return {
            key: Against(min(of_entry, key=advantage), float(p), float(p_holm))
            for (key, of_entry), p, p_holm in zip(families.items(), p_values, holm(p_values), strict=True)
        }


def restorers_of(data: LeaderboardData, entries: Iterable[AggregatedResult]) -> Iterator[Restorers]:
    """The restoration tasks among the entries, which are ordered by their keys."""
    own = [entry for entry in entries if is_restoration(entry)]
    for _, block in itertools.groupby(own, key=lambda entry: entry.key.block):
        yield Restorers(data, list(block))


def is_restoration(entry: AggregatedResult) -> bool:
    return entry.rows[0].kind == KIND


def parted(frontend: str) -> tuple[str, int]:
    """Corruption and severity, from ``jpeg_3``; ("", 0) of clean tiles."""
    kind, _, severity = frontend.rpartition("_")
    return (kind, int(severity)) if severity.isdigit() else (frontend, 0)
