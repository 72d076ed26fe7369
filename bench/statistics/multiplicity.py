"""P values adjusted for how many hypotheses are tested.

Holm 1979, Scand. J. Statist. 6, 65-70 (the chance of one false rejection or more, whatever the dependence); Benjamini &
Hochberg 1995, J. R. Statist. Soc. B 57, 289-300 (the expected share of false ones among the rejections, for tests that
are independent or positively dependent).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

PValues = Float[np.ndarray, " test"]


def holm(p: PValues) -> PValues:
    """Adjusted p values by Holm's step-down procedure.

    Parameters
    ----------
    p : float [test]
        In 0..1; NaN where there was no test, which then does not count as one.

    Returns
    -------
    float [test]
        In 0..1 and never below `p`: a hypothesis is rejected at level a where its value is at most a. NaN where `p` is.

    Raises
    ------
    ValueError
        If `p` is not one-dimensional, or a value lies outside 0..1.
    """
    tested, ascending = _tested(p)
    count = len(ascending)
    factors = np.arange(count, 0, -1)
    return _restored(p, tested, np.minimum(1.0, np.maximum.accumulate(factors * p[tested][ascending])), ascending)


def benjamini_hochberg(p: PValues) -> PValues:
    """Adjusted p values by the step-up procedure of Benjamini and Hochberg; parameters and errors as of `holm`."""
    tested, ascending = _tested(p)
    count = len(ascending)
    scaled = p[tested][ascending] * count / np.arange(1, count + 1)
    return _restored(p, tested, np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1]), ascending)


def _tested(p: PValues) -> tuple[np.ndarray, np.ndarray]:
    """Which values are tests, and the order of these from the smallest p on."""
    if p.ndim != 1:
        raise ValueError(f"P values are a vector, not an array of {p.ndim} dimensions.")
    tested = ~np.isnan(p)
    if np.any((p[tested] < 0) | (p[tested] > 1)):
        raise ValueError("A p value lies outside 0..1.")
    return tested, np.argsort(p[tested], kind="stable")


def _restored(p: PValues, tested: np.ndarray, adjusted: np.ndarray, ascending: np.ndarray) -> PValues:
    """The adjusted values, which are in ascending order, at the places of their tests."""
    found = np.full(p.shape, np.nan)
    found[np.flatnonzero(tested)[ascending]] = adjusted
    return found
