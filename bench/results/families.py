"""P values adjusted for how many comparisons are made, and whether a model is better than all of its baselines."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bench.results.aggregated_result import ResultKey
from bench.results.comparisons import Comparison
from bench.statistics import LEVEL, benjamini_hochberg, holm

Key = TypeVar("Key", bound=Hashable)
ComparisonKey = tuple[ResultKey, ResultKey, str]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Adjusted p values of a comparison.

    Attributes
    ----------
    holm : float
        Among all pairs of the task, head and metric (Holm 1979).
    holm_suite : float
        Among all pairs of the head by the primary metric of each task; NaN for other metrics.
    benjamini_hochberg : float
        Of the same pairs as `holm`: the share of false discoveries and not the chance of one.
    """

    holm: float
    holm_suite: float
    benjamini_hochberg: float


@dataclass(frozen=True)
class OverBaselines:
    """A model against all of its baselines by the primary metric.

    Attributes
    ----------
    comparison : Comparison
        With the baseline against which the model does worst.
    p : float
        Two-sided p that it is better than every baseline, or worse than every one: the largest over them. So no
        baseline is chosen by its score (an intersection-union test: Berger 1982, Technometrics 24, 295-300).
    p_holm : float
        Adjusted for the models of the task and head.
    n_baselines : int
    """

    comparison: Comparison
    p: float
    p_holm: float
    n_baselines: int

    @property
    def mark(self) -> str:
        """``*+`` where the model is better than every baseline by the adjusted p, ``*-`` where it is worse."""
        if not self.p_holm <= LEVEL:
            return ""
        return "*+" if self.comparison.a_is_better else "*-"


def adjusted(comparisons: Collection[Comparison]) -> dict[ComparisonKey, Adjusted]:
    """The adjusted p values of all comparisons of a results folder."""
    of_block = _families(comparisons, lambda c: (*c.a.key.block, c.metric))
    of_suite = _families([c for c in comparisons if c.primary], lambda c: (c.a.key.protocol, c.a.key.head))
    within, discoveries = _of(of_block, holm), _of(of_block, benjamini_hochberg)
    over_tasks = _of(of_suite, holm)
    return {key: Adjusted(within[key], over_tasks.get(key, math.nan), discoveries[key]) for key in within}


def over_baselines(comparisons: Collection[Comparison]) -> dict[ResultKey, OverBaselines]:
    """Each model that has baselines on its samples against them, adjusted within its task and head."""
    found: dict[ResultKey, OverBaselines] = {}
    against = (c for c in comparisons if c.primary and c.b.rows[0].baseline)
    with_baselines = [c for c in against if c.a.key.model != c.b.key.model]
    for own in _families(with_baselines, lambda c: c.a.key.block).values():
        models = _families(own, lambda c: c.a.key)
        p_values = np.array([p_over_all(of_model) for of_model in models.values()])
        for (key, of_model), p, p_holm in zip(models.items(), p_values, holm(p_values), strict=True):
            hardest = min(of_model, key=advantage)
            found[key] = OverBaselines(hardest, float(p), float(p_holm), len(of_model))
    return found


def p_over_all(comparisons: Sequence[Comparison]) -> float:
    """The largest p where all differences have one direction; 1 where they have not, NaN where one is not known."""
    if any(math.isnan(c.p) for c in comparisons):
        return math.nan
    alike = len({c.a_is_better for c in comparisons}) == 1
    return max(c.p for c in comparisons) if alike else 1.0


def advantage(comparison: Comparison) -> float:
    """By how much the first is better; below 0 where it is worse."""
    difference = abs(comparison.difference.difference)
    return difference if comparison.a_is_better else -difference


def _families(comparisons: Collection[Comparison], family: Callable[[Comparison], Key]) -> dict[Key, list[Comparison]]:
    found: dict[Key, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        found[family(comparison)].append(comparison)
    return found


def _of(
    families: Mapping[Key, Sequence[Comparison]], adjust: Callable[[np.ndarray], np.ndarray]
) -> dict[ComparisonKey, float]:
    found: dict[ComparisonKey, float] = {}
    for own in families.values():
        p_values = adjust(np.array([c.p for c in own]))
        found |= {c.key: float(p) for c, p in zip(own, p_values, strict=True)}
    return found
