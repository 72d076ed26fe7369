"""What is known of one encoder: its conditions with each head, what was measured of centres, and what it costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench import targets
from bench.results import AggregatedResult, Condition, clean_of
from bench.rows import RowInfo
from bench.targets import UNTOUCHED

Case = tuple[str, int]
"""Corruption and severity."""

CENTRE, SCANNER = "robustness_index", "consistency"
"""The metrics that rows of centre robustness and of consistency between scanners have, and no others."""


@dataclass(frozen=True)
class Evidence:
    """One encoder with one head on one robustness task.

    Attributes
    ----------
    task, protocol : str
        What the page calls them.
    of_head : sequence of Condition
        Those of the encoder with the head; of the features where the task has no head.
    of_features : sequence of Condition
        What was measured of the features on the same tiles.
    augmented : sequence of Condition
        Of the head that was trained on corrupted tiles too.
    others : mapping of str to sequence of Condition
        Of the other models with the same head on the same tiles, baselines among them.
    """

    task: str
    protocol: str
    of_head: Sequence[Condition]
    of_features: Sequence[Condition] = ()
    augmented: Sequence[Condition] = ()
    others: Mapping[str, Sequence[Condition]] | None = None

    @cached_property
    def primary(self) -> str:
        """The name of the score."""
        return self.of_head[0].primary

    @cached_property
    def sign(self) -> int:
        """1 where a higher score is the better one, -1 otherwise."""
        return -1 if targets.get(self.of_head[0].kind).metrics.lower_is_better(self.primary) else 1

    @cached_property
    def clean(self) -> float | None:
        """The score on clean tiles; the cosine of features to themselves is 1."""
        found = clean_of(self.of_head)
        if found is not None:
            return found.score
        return 1.0 if self.of_head[0].of_features else None

    @cached_property
    def cases(self) -> list[Case]:
        return sorted({one.case for one in self.of_head if not one.clean})

    @cached_property
    def kinds(self) -> list[str]:
        return sorted({kind for kind, _ in self.cases})

    @cached_property
    def severities(self) -> list[int]:
        return sorted({severity for _, severity in self.cases})

    @cached_property
    def restorers(self) -> list[str]:
        """Those that were tried, without none."""
        return sorted({one.restorer for one in self.of_head} - {UNTOUCHED})

    def at(self, case: Case, restorer: str = UNTOUCHED) -> Condition | None:
        return self._by_place.get((case, restorer))

    def features_at(self, case: Case, restorer: str = UNTOUCHED) -> Condition | None:
        return next((one for one in self.of_features if one.case == case and one.restorer == restorer), None)

    def loss(self, one: Condition | None) -> float | None:
        """How much of the score on clean tiles is lost, in its own unit; negative where the score is better."""
        if one is None or one.score is None or self.clean is None:
            return None
        return self.sign * (self.clean - one.score)

    def losses(self, restorer: str = UNTOUCHED) -> dict[Case, float]:
        """The loss on each corruption and severity behind a restorer, of those that have one."""
        found = {case: self.loss(self.at(case, restorer)) for case in self.cases}
        return {case: loss for case, loss in found.items() if loss is not None}

    @cached_property
    def best_restorers(self) -> dict[str, str]:
        """For each corruption the restorer with the lowest mean loss over the severities that all of them have."""
        found = {}
        for kind in self.kinds:
            of = {name: {c: v for c, v in self.losses(name).items() if c[0] == kind} for name in self.restorers}
            of = {name: losses for name, losses in of.items() if losses}
            common = set.intersection(*map(set, of.values())) if of else set()
            if common:
                means = {name: statistics.fmean(losses[case] for case in common) for name, losses in of.items()}
                found[kind] = min(means, key=means.__getitem__)
        return found

    @cached_property
    def models(self) -> dict[str, Sequence[Condition]]:
        """The conditions of the other models, without baselines."""
        return {name: of for name, of in (self.others or {}).items() if of and not of[0].baseline}

    @cached_property
    def baselines(self) -> dict[str, Sequence[Condition]]:
        """The conditions of the baselines."""
        return {name: of for name, of in (self.others or {}).items() if of and of[0].baseline}

    @cached_property
    def _by_place(self) -> dict[tuple[Case, str], Condition]:
        return {(one.case, one.restorer): one for one in self.of_head}


@dataclass(frozen=True)
class Centres:
    """What was measured of centres, or of scanners, behind a front-end.

    Attributes
    ----------
    task, protocol : str
    frontend : str
        Empty for none.
    metrics : mapping of str to (value, low, high)
        Each None where it is undefined.
    chance : float or None
        The accuracy of a guess at the centre.
    """

    task: str
    protocol: str
    frontend: str
    metrics: Mapping[str, tuple[float | None, float | None, float | None]]
    chance: float | None = None

    @property
    def of_scanners(self) -> bool:
        return SCANNER in self.metrics

    def value(self, metric: str) -> float | None:
        return self.metrics[metric][0] if metric in self.metrics else None


@dataclass(frozen=True)
class Encoder:
    """All that the page of one encoder is made of.

    Attributes
    ----------
    model : str
    evidence : sequence of Evidence
        One at least.
    centres : sequence of Centres
    params_m : float or None
        Millions of parameters.
    tiles_per_s : float or None
        The median over its rows without a front-end, of those that were embedded in their run.
    restorer_speeds : mapping of str to float
        Tiles a second of each restorer that a restoration task measured, the median over its rows.
    failed : sequence of str
        What failed, in words.
    version : str
        Of the program that made the rows; several are joined.
    """

    model: str
    evidence: Sequence[Evidence]
    centres: Sequence[Centres] = ()
    params_m: float | None = None
    tiles_per_s: float | None = None
    restorer_speeds: Mapping[str, float] | None = None
    failed: Sequence[str] = ()
    version: str = ""


def centres_of(entry: AggregatedResult) -> Centres | None:
    """What an entry measured of centres or scanners; None of any other entry, or of one that failed."""
    rows = [row for row in entry.successful if row.metrics.keys() & {CENTRE, SCANNER}]
    if not rows:
        return None
    metrics = {}
    for name in dict.fromkeys(name for row in rows for name in row.metrics):
        of = rows[0].metrics.get(name, {})
        low, high = (of.get("ci_low"), of.get("ci_high")) if len(rows) == 1 else (None, None)
        metrics[name] = (entry.mean(name), low, high)
    key = entry.key
    chance = RowInfo(rows[0]).number("chance_centre_accuracy")
    return Centres(key.task, key.protocol, key.frontend, metrics, chance)


def median_of(values: Iterable[float | None]) -> float | None:
    """The median of those that are known; None if none is."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def shifts_of(one: Condition | None) -> dict[str, float]:
    """By how much thresholds would have to move to have the specificity of clean tiles: the means over the runs.

    By the name of the metric that is computed with the threshold, "" where a row tells of one threshold only.
    """
    found: dict[str, list[float]] = {}
    for row in one.entry.successful if one else ():
        for name, value in RowInfo(row).threshold_shifts.items():
            found.setdefault(name, []).append(value)
    return {name: statistics.fmean(values) for name, values in found.items()}


def shifted_thresholds(evidence: Evidence) -> list[str]:
    """The thresholds whose shift is known behind any condition."""
    return sorted({name for one in evidence.of_head for name in shifts_of(one)})
