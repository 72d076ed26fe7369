"""The 95 % interval of a score for few groups: studentised by a jackknife over groups, on a scale without bounds.

The percentile interval of the bootstrap covers 70 to 92 % for 8 to 40 patients. This interval was chosen by simulation
(`python -m benchmarks.coverage`; the figures are in `docs/STATISTICS.md`). It has four parts:

1. Each metric that is a rate of right answers is smoothed by parts of samples that are right and that are wrong in each
   class (`bench.metrics.smoothing`), so that four positives that are all right have a variance above 0.
2. The variance is that of the jackknife: groups are left out one by one (Tukey 1958, Ann. Math. Statist. 29, 614), or
   where there are more than `BLOCKS` of them, in so many random blocks (Shao & Wu 1989, Ann. Statist. 17, 1176-1197).
3. The quantile is that of Student's t with the degrees of freedom that match the variance of that variance
   (Satterthwaite 1946, Biometrics Bull. 2, 110-114): few where few groups carry most of it.
4. Bounded scores are studentised as logits, those with one bound as logarithms, so that no bound lies outside the
   scale and intervals near 1 are longer downwards (for the AUROC: Pepe 2003, "The Statistical Evaluation of Medical
   Tests", 5.2.4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

BLOCKS = 100
"""The most parts that groups are left out in."""

Influence = Float[np.ndarray, " block"]
"""By how much each block moves a statistic: the square root of the sum of squares is the standard error."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A point estimate on all samples and its 95 % interval; NaN stands for undefined."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Scale:
    """The values that a metric can take, bounds included; an infinite bound is none."""

    low: float = -math.inf
    high: float = math.inf

    def stretched(self, value: float) -> tuple[float, float]:
        """The value where the scale has no bounds, and by how much a small step there exceeds one here."""
        below, above = value - self.low, self.high - value
        if math.isfinite(below) and math.isfinite(above):
            return math.log(below / above), 1 / below + 1 / above
        if math.isfinite(below):
            return math.log(below), 1 / below
        if math.isfinite(above):
            return -math.log(above), 1 / above
        return value, 1.0

    def original(self, stretched: float) -> float:
        """The value that `stretched` takes there."""
        from scipy.special import expit

        if math.isfinite(self.low) and math.isfinite(self.high):
            return self.low + (self.high - self.low) * float(expit(stretched))
        if math.isfinite(self.low):
            return self.low + math.exp(min(stretched, 700.0))
        if math.isfinite(self.high):
            return self.high - math.exp(min(-stretched, 700.0))
        return stretched


UNBOUNDED = Scale()


def blocks_of(n_groups: int, seed: int) -> Int[np.ndarray, " group"]:
    """The block in which each group is left out: its own where there are at most `BLOCKS` of them."""
    if n_groups <= BLOCKS:
        return np.arange(n_groups)
    return np.asarray(np.random.default_rng(seed).permutation(n_groups) % BLOCKS)


def influence_of(left_out: Float[np.ndarray, " block"]) -> Influence:
    """The influence of each block from the statistic without it (Efron & Tibshirani 1993, equation 11.5)."""
    n = len(left_out)
    return np.asarray(math.sqrt((n - 1) / n) * (left_out - left_out.mean())) if n > 1 else np.empty(0)


def standard_error(influence: Influence) -> float:
    """NaN where a block cannot be left out or none moves the statistic, as its spread is then not known."""
    error = math.sqrt(float((influence**2).sum()))
    return error if error > 0 else math.nan


def degrees_of_freedom(influence: Influence, n_added: int = 0) -> float:
    """Of the variance sum u^2, which is as uncertain as the part of it that is of patients; from 1 to n - 1.

    2 (sum u^2)^2 / (sum v^4 - (sum v^2)^2 / n), u being all influences and v those without the last `n_added`, which
    are of the samples that were added for smoothing and known.
    """
    of_groups = influence[: len(influence) - n_added]
    if not len(of_groups):
        return math.nan
    n, variance = len(of_groups), float((influence**2).sum())
    spread = float((of_groups**4).sum()) - float((of_groups**2).sum()) ** 2 / n
    return max(1.0, min(n - 1.0, 2 * variance**2 / spread)) if spread > 0 else max(1.0, n - 1.0)


def studentised(value: float, centre: float, influence: Influence, scale: Scale, n_added: int = 0) -> Interval:
    """The interval from as far below the lower of value and `centre` as above the higher of them.

    `centre` is the smoothed value, on which the standard error rests; it is nearer to the middle of the scale. NaN
    bounds where there is one group, where a block cannot be left out, where none moves the statistic, and where the
    centre lies on a bound of the scale.
    """
    from scipy.special import stdtrit

    error = standard_error(influence)
    if math.isnan(value) or math.isnan(error) or not scale.low < centre < scale.high:
        return Interval(value, math.nan, math.nan)
    stretched, slope = scale.stretched(centre)
    half = float(stdtrit(degrees_of_freedom(influence, n_added), 0.975)) * error * slope
    low, high = scale.original(stretched - half), scale.original(stretched + half)
    if scale.low < value < scale.high:
        at_value, _ = scale.stretched(value)
        low, high = min(low, scale.original(at_value - half)), max(high, scale.original(at_value + half))
    return Interval(value, min(low, value), max(high, value))
