"""The difference of two models on the same patients: a studentised interval, permutations, equivalence, and power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

LEVEL = 0.05
POWER = 0.8
MOST_EXACT = 12
"""Up to so many groups all swaps are enumerated, 2^11 that differ."""
SWAPS = 1000
FEWEST_BEYOND = 10
"""Where fewer random swaps than this reach the difference, their share is too coarse for a p value."""


@dataclass(frozen=True, slots=True)
class Studentised:
    """A difference with its standard error and the degrees of freedom of that error.

    Attributes
    ----------
    difference : float
    error : float
        NaN where it is not known, and then all that follows from it.
    df : float
    """

    difference: float
    error: float
    df: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval by Student's t."""
        half = _quantile(self.df, 1 - LEVEL / 2) * self.error
        return self.difference - half, self.difference + half

    @property
    def p(self) -> float:
        """Two-sided p of no difference; NaN where the error is not known."""
        return 2 * self._beyond(abs(self.difference))

    def p_equivalent(self, margin: float) -> float:
        """P of the hypothesis that the difference is `margin` or more in either direction.

        These are two one-sided tests (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657-680). A small value says
        that the models differ by less than the margin.

        Raises
        ------
        ValueError
            If the margin is not above 0.
        """
        if not margin > 0:
            raise ValueError(f"The margin of equivalence is {margin} and must be above 0.")
        return self._beyond(margin - abs(self.difference))

    @property
    def detectable(self) -> float:
        """The true difference that such a test finds with 80 % power: (t_.975 + t_.8) standard errors.

        Cohen 1988, "Statistical Power Analysis for the Behavioral Sciences", chapter 2, by Student's t.
        """
        return (_quantile(self.df, 1 - LEVEL / 2) + _quantile(self.df, POWER)) * self.error

    def _beyond(self, distance: float) -> float:
        from scipy.special import stdtr

        return float(stdtr(self.df, -distance / self.error))


@lru_cache(maxsize=1024)
def _quantile(df: float, share: float) -> float:
    from scipy.special import stdtrit  # of Student's t, without what scipy.stats does about its arguments

    return float(stdtrit(df, share))


@lru_cache(maxsize=16)
def swaps(n_groups: int, seed: int) -> tuple[Int[np.ndarray, "group swap"], bool]:
    """Which groups exchange their two predictions in each permutation, as 0 and 1, and whether these are all.

    All are 2^(G-1), as exchanging everything only turns the sign; the first exchanges nothing. Otherwise `SWAPS` random
    ones. Every pair on the same groups has the same array, which cannot be written to.
    """
    exact = n_groups <= MOST_EXACT
    if exact:
        numbers = np.arange(2 ** (n_groups - 1))
        chosen = np.stack([numbers >> g & 1 for g in range(n_groups)]).astype(np.int32)
    else:
        chosen = np.random.default_rng(seed).integers(0, 2, (n_groups, SWAPS)).astype(np.int32)
    chosen.flags.writeable = False
    return chosen, exact


def p_of_swaps(difference: float, swapped: Float[np.ndarray, " swap"], *, exact: bool) -> float:
    """Two-sided p of a difference among those with randomly exchanged predictions.

    Under the hypothesis that the predictions of both models come from one distribution, it does not matter which is
    called whose (Fisher's randomisation test; for ROC curves: Venkatraman & Begg 1996, Biometrika 83, 835-848). Random
    swaps count the observed one too (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39). Where fewer than
    `FEWEST_BEYOND` of them reach the difference, p is that of a normal distribution of their spread, if it is smaller:
    the tails of such sums are lighter than the normal's (Pinelis 1994, Ann. Probab. 22, 1679-1706).

    Parameters
    ----------
    swapped : float [swap]
        NaN, where a swap leaves the metric undefined, counts as reaching the difference.
    exact : bool
        Whether these are all swaps, the one that exchanges nothing among them.
    """
    from scipy.special import ndtr

    reach = int((~(np.abs(swapped) < abs(difference) - 1e-12)).sum())
    if exact:
        return reach / len(swapped)
    p = (1 + reach) / (1 + len(swapped))
    spread = float(np.sqrt(np.nanmean(swapped**2))) if reach < FEWEST_BEYOND else 0.0
    return min(p, 2 * float(ndtr(-abs(difference) / spread))) if spread > 0 else p


def p_better(draws: Float[np.ndarray, " resample"], *, lower_is_better: bool) -> float:
    """Share of the resamples in which the difference favours the first model, ties halved; NaN without resamples.

    This is a frequency under resampling of patients and no posterior probability.
    """
    defined = draws[~np.isnan(draws)]
    if not len(defined):
        return math.nan
    signed = -defined if lower_is_better else defined
    better, tied = np.count_nonzero(signed > 0), np.count_nonzero(signed == 0)
    return better / len(signed) + tied / len(signed) / 2
