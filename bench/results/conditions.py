"""The results of robustness tasks as conditions: an encoder with a head, behind a corruption and a restorer.

A robustness task is one with rows of feature similarity. `bench.results.robustness_measures` summarises conditions.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from bench import targets
from bench.results.aggregated_result import AggregatedResult
from bench.results.chains import SIMILARITY, parse, robustness_tasks
from bench.results.contrasts import BEST_CLASSICAL, CLASSICAL
from bench.results.leaderboard_data import LeaderboardData
from bench.rows import RowInfo
from bench.targets import UNTOUCHED

AUGMENTED = "-augmented"
OPERATING_POINT = "sensitivity_at_95_specificity"
"""The metric of the threshold whose shift is told."""

Group = tuple[str, str, str, str, str]
"""Task, cohort, model, protocol and head."""


@dataclass(frozen=True, eq=False)
class Condition:
    """One encoder with one head, or its features alone, on tiles behind a corruption and a restorer.

    Attributes
    ----------
    task, cohort, model, protocol, head : str
        As in `ResultKey`; the protocol is ``similarity`` for what is measured of features.
    baseline : bool
        Whether the model is a baseline.
    kind : str
        Of the task's target, ``feature_similarity`` for what is measured of features.
    corruption : str
        Such as ``jpeg``; empty for clean tiles.
    severity : int
        1 to 5; 0 for clean tiles.
    restorer : str
        ``none`` where nothing restores; `BEST_CLASSICAL` of what `best_classical` gives.
    metrics : dict of name -> {"value", "ci_low", "ci_high"}
        Over all seeds and folds; each a float, or None where it is undefined.
    entry : AggregatedResult
        The rows.
    """

    task: str
    cohort: str
    model: str
    baseline: bool
    protocol: str
    head: str
    kind: str
    corruption: str
    severity: int
    restorer: str
    metrics: Mapping[str, Mapping[str, float | None]]
    entry: AggregatedResult

    @property
    def group(self) -> Group:
        """What the conditions of one encoder with one head have in common."""
        return self.task, self.cohort, self.model, self.protocol, self.head

    @property
    def case(self) -> tuple[str, int]:
        """Corruption and severity; ("", 0) of clean tiles."""
        return self.corruption, self.severity

    @property
    def clean(self) -> bool:
        """Whether no corruption stands before the encoder."""
        return not self.corruption

    @property
    def of_features(self) -> bool:
        """Whether features are measured, and no head predicts."""
        return self.kind == SIMILARITY

    @property
    def primary(self) -> str:
        """The name of the metric that the task is ranked by; ``cosine`` of features."""
        return self.entry.successful[0].primary_metric

    @property
    def score(self) -> float | None:
        """The primary metric."""
        return self.value(self.primary)

    @property
    def error(self) -> float | None:
        """1 - score, of a head whose score is better the higher and 1 at most; None for others and for features."""
        metric = targets.get(self.kind).metrics.every.get(self.primary)
        bounded = metric is not None and metric.scale is not None and metric.scale.high == 1
        if self.of_features or not bounded or metric is None or metric.lower_is_better or self.score is None:
            return None
        return 1 - self.score

    @property
    def threshold_shift(self) -> float | None:
        """By how much the threshold at 95 % specificity would have to move, the mean over the runs; None where unknown.

        To have on these tiles the specificity that it has on clean ones.
        """
        found = [RowInfo(row).threshold_shifts for row in self.entry.successful]
        shifts = [one.get(OPERATING_POINT, one.get("")) for one in found]
        known = [shift for shift in shifts if shift is not None]
        return statistics.fmean(known) if known else None

    def value(self, metric: str) -> float | None:
        return self.metrics.get(metric, {}).get("value")


def conditions(data: LeaderboardData) -> list[Condition]:
    """The conditions of all robustness tasks, ordered by task, model, protocol, restorer, corruption and severity.

    Entries of which every run failed, and chains that do not fit (`left_out`), are none.
    """
    found = []
    for entry in _entries(data):
        parsed = parse(entry.key.frontend)
        if parsed is not None and entry.successful:
            row, key = entry.successful[0], entry.key
            names = dict.fromkeys(name for row in entry.successful for name in row.metrics)
            metrics = {name: _measured(data, entry, name) for name in names}
            common = (key.task, key.cohort, key.model, row.baseline, key.protocol, key.head, row.kind)
            found.append(Condition(*common, *parsed, metrics, entry))
    return sorted(found, key=_order)


def left_out(data: LeaderboardData) -> list[AggregatedResult]:
    """The entries of robustness tasks behind chains that are no condition."""
    return [entry for entry in _entries(data) if parse(entry.key.frontend) is None]


def grouped(found: Iterable[Condition]) -> dict[Group, list[Condition]]:
    """The conditions of each encoder with each head."""
    groups: dict[Group, list[Condition]] = {}
    for condition in found:
        groups.setdefault(condition.group, []).append(condition)
    return groups


def clean_of(found: Iterable[Condition]) -> Condition | None:
    """Of one group, the condition on clean tiles that nothing restored."""
    return next((one for one in found if one.clean and one.restorer == UNTOUCHED), None)


def best_classical(found: Iterable[Condition]) -> list[Condition]:
    """For each group and case the filter with the best score (of features the best cosine), called `BEST_CLASSICAL`.

    It is chosen on the tiles that it is reported on. So it is an upper bound of what a choice among the filters can
    give: no user who does not know the answer could choose as well. The entry of a condition says which filter it is.
    Clean tiles have none: filters are for degraded ones.
    """
    own = sorted((one for one in found if one.restorer in CLASSICAL and not one.clean), key=_best_first)
    chosen = []
    for _, of_case in itertools.groupby(own, key=lambda one: (one.group, one.case)):
        scored = [one for one in of_case if one.score is not None]
        if scored:
            lower = targets.get(scored[0].kind).metrics.lower_is_better(scored[0].primary)
            best = (min if lower else max)(scored, key=lambda one: one.score or 0.0)
            chosen.append(replace(best, restorer=BEST_CLASSICAL))
    return chosen


def _entries(data: LeaderboardData) -> Iterator[AggregatedResult]:
    tasks = robustness_tasks(data.entries)
    return (entry for entry in data.entries if (entry.key.task, entry.key.cohort) in tasks)


def _measured(data: LeaderboardData, entry: AggregatedResult, metric: str) -> dict[str, float | None]:
    interval = data.intervals.get((entry.key, metric))
    if interval is None:
        return {"value": entry.mean(metric), "ci_low": None, "ci_high": None}
    values = {"value": interval.value, "ci_low": interval.ci_low, "ci_high": interval.ci_high}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _order(one: Condition) -> tuple[object, ...]:
    return *one.group, one.restorer != UNTOUCHED, one.restorer, one.corruption, one.severity


def _best_first(one: Condition) -> tuple[object, ...]:
    return one.group, one.case, CLASSICAL.index(one.restorer)
