"""What is lost behind corruptions and given back by restorers, over several conditions; numbers in, numbers out.

The conditions of a call are of one group (encoder and head) and one restorer. docs/ROBUSTNESS.md has the sources.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Collection, Iterable, Mapping

from bench.results.conditions import Condition


def corruption_errors(found: Iterable[Condition]) -> dict[str, float]:
    """CE: for each corruption the mean error, 1 - score, over its severities (Zhang et al. 2022).

    Parameters
    ----------
    found : iterable of Condition
        A corruption with a severity that has no error is left out.
    """
    return {kind: value for kind, own in by_corruption(found).items() if (value := mean_of_all(own)) is not None}


def mean_corruption_error(errors: Mapping[str, float]) -> float | None:
    """MCE: the mean of the CE over corruptions, so that each weighs alike whatever its severities; None of none."""
    return statistics.fmean(errors.values()) if errors else None


def relative_error(error: float | None, clean_error: float | None) -> float | None:
    """An error, a CE or the mCE (then: rCE) as a multiple of the error on clean tiles; None where that is 0.

    1 is no loss, 2 twice as many errors as on clean tiles.
    """
    return None if error is None or not clean_error else error / clean_error


def by_corruption(found: Iterable[Condition]) -> dict[str, list[float | None]]:
    """The errors of each corruption, one a severity; clean tiles are none."""
    errors: dict[str, list[float | None]] = {}
    for one in found:
        if not one.clean:
            errors.setdefault(one.corruption, []).append(one.error)
    return errors


def mean_over_cases(found: Iterable[Condition], metric: str) -> float | None:
    """The mean of a metric over corruptions of its means over severities; clean tiles are left out, None of none."""
    values: dict[str, list[float]] = {}
    for one in found:
        if not one.clean and (value := one.value(metric)) is not None:
            values.setdefault(one.corruption, []).append(value)
    return mean_of(statistics.fmean(own) for own in values.values())


def recovery(restored: Iterable[Condition], corrupted: Iterable[Condition]) -> float | None:
    """Which share of what the features lost a restorer gives back, over all cases that both have.

    1 - D(e(R(Dx)), e(x)) / D(e(Dx), e(x)) with D the mean of 1 - cosine over corruptions of the means over severities.
    Below 0 it harms, 1 is all. A case with hardly any loss cannot outweigh the others, as it could in a mean of ratios;
    None where nothing was lost.
    """
    return _share(restored, corrupted, lambda one: _less(1.0, one.value("cosine")))


def score_recovery(
    restored: Iterable[Condition], corrupted: Iterable[Condition], clean_error: float | None
) -> float | None:
    """Which share of the score that a head lost a restorer gives back, over all cases that both have.

    1 - (mCE behind the restorer - clean error) / (mCE without it - clean error). Below 0 it harms, 1 is all. None where
    the head lost nothing, or the error on clean tiles is not known.
    """
    return None if clean_error is None else _share(restored, corrupted, lambda one: _less(one.error, clean_error))


def same_cases(found: Iterable[Condition], others: Iterable[Condition]) -> list[Condition]:
    """The conditions whose corruption and severity others have too, so that means are over the same cases."""
    cases = {one.case for one in others}
    return [one for one in found if one.case in cases]


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of those that are defined; None if none is."""
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if defined else None


def mean_of_all(values: Collection[float | None]) -> float | None:
    """The mean; None if one is not defined."""
    return None if any(value is None for value in values) else mean_of(values)


def _share(
    restored: Iterable[Condition], corrupted: Iterable[Condition], lost: Callable[[Condition], float | None]
) -> float | None:
    before = {one.case: lost(one) for one in corrupted if not one.clean}
    pairs: dict[str, list[tuple[float, float]]] = {}
    for one in restored:
        own, without = lost(one), before.get(one.case)
        if own is not None and without is not None:
            pairs.setdefault(one.corruption, []).append((own, without))
    means = [[statistics.fmean(values) for values in zip(*of_kind, strict=True)] for of_kind in pairs.values()]
    total = math.fsum(without for _, without in means)
    return 1 - math.fsum(own for own, _ in means) / total if total > 0 else None


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
