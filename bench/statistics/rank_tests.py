"""Whether models differ over several tasks: Friedman's test, signed ranks of each pair, the critical difference.

The procedure is Demsar's (2006, J. Mach. Learn. Res. 7, 1-30), with pairs compared by Wilcoxon's test and Holm's
adjustment, as Benavoli, Corani & Mangili (2016, J. Mach. Learn. Res. 17(5), 1-10) recommend: whether two differ by
mean ranks depends on which others are in the table, by signed ranks it does not. Tasks are the units, taken as
independent of each other: tasks on the same patients are not.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from bench.statistics.multiplicity import holm
from bench.statistics.ranks import TIED

MOST_EXACT = 100  # pairs with more differences are tested by the normal approximation


@dataclass(frozen=True)
class Friedman:
    """Friedman's test that no model ranks better than another, and Iman and Davenport's form of it; NaN if undefined.

    Attributes
    ----------
    chi_square, p : float
        By the chi-square distribution with K - 1 degrees of freedom: conservative for few tasks or models.
    f, f_p : float
        Iman & Davenport 1980: by the F distribution with K - 1 and (K - 1)(N - 1) degrees of freedom. Where all tasks
        rank alike, `f` is infinite and `f_p` is `p`, as the limit 0 would claim too much.
    """

    chi_square: float
    p: float
    f: float
    f_p: float


def friedman(ranks: Float[np.ndarray, "task model"], *, correct_ties: bool = True) -> Friedman:
    """Friedman's test from ranks within tasks.

    Parameters
    ----------
    ranks : float [task, model]
        Mid-ranks, without missing ones. Fewer than two tasks or three models, or ties throughout, leave it undefined.
    correct_ties : bool
        Whether the variance is that of the mid-ranks (Conover), as in scipy. Demsar's formula does not correct.
    """
    n, k = ranks.shape
    spread = np.sum((ranks - (k + 1) / 2) ** 2) if correct_ties else n * k * (k**2 - 1) / 12
    if n < 2 or k < 3 or spread == 0:
        return Friedman(np.nan, np.nan, np.nan, np.nan)
    from scipy.stats import chi2, f

    chi_square = float((k - 1) * np.sum((ranks.sum(axis=0) - n * (k + 1) / 2) ** 2) / spread)
    p = float(chi2.sf(chi_square, k - 1))
    left = n * (k - 1) - chi_square
    if left <= 1e-9 * n * k:
        return Friedman(chi_square, p, np.inf, p)
    ratio = (n - 1) * chi_square / left
    return Friedman(chi_square, p, ratio, float(f.sf(ratio, k - 1, (k - 1) * (n - 1))))


def signed_rank_p(differences: Float[np.ndarray, " task"], *, tied: float = 0.0) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that differences are symmetric about 0.

    Exact with ties too, up to `MOST_EXACT` differences: the distribution of the sum of the mid-ranks over all signs.
    Differences of 0 are left out; 1 where nothing else is there, as then no sign could make a difference.

    Parameters
    ----------
    tied : float
        Differences, and their sizes, are equal where they are this close.
    """
    own = differences[np.abs(differences) > tied]
    if not len(own):
        return 1.0
    sizes = np.abs(own)
    close = np.abs(sizes[:, None] - sizes[None, :]) <= tied
    doubled = np.rint(1 + np.sum(np.where(close, 1, 2 * (sizes[:, None] > sizes[None, :])), axis=1)).astype(int)
    if len(own) > MOST_EXACT:
        from scipy.stats import wilcoxon

        return float(wilcoxon(np.sign(own) * doubled, method="asymptotic").pvalue)
    chances = _chances(tuple(sorted(doubled.tolist())))
    positive = int(doubled[own > 0].sum())
    return float(min(1.0, 2 * min(chances[: positive + 1].sum(), chances[positive:].sum())))


@lru_cache(maxsize=256)
def _chances(doubled: tuple[int, ...]) -> Float[np.ndarray, " sum"]:
    """The chance of each sum of the ranks (doubled, so that they are whole) with a positive sign, all signs alike."""
    chances = np.zeros(sum(doubled) + 1)
    chances[0] = 1.0
    for rank in doubled:
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[: len(chances) - rank]
        chances = (chances + shifted) / 2
    return chances


def wilcoxon_holm(values: Float[np.ndarray, "task model"]) -> Float[np.ndarray, "model model"]:
    """P values of all pairs of models over the tasks, adjusted by Holm over the pairs; NaN on the diagonal.

    Parameters
    ----------
    values : float [task, model]
        Of one metric or of metrics that differ by as much, without missing ones; which direction is better is of no
        concern, but must be the same in all tasks.
    """
    k = values.shape[1]
    tied = TIED * float(np.abs(values).max(initial=0.0))
    pairs = list(itertools.combinations(range(k), 2))
    adjusted = holm(np.array([signed_rank_p(values[:, a] - values[:, b], tied=tied) for a, b in pairs], float))
    table = np.full((k, k), np.nan)
    for (a, b), p in zip(pairs, adjusted, strict=True):
        table[a, b] = table[b, a] = p
    return table


def least_p(n_tasks: int, n_models: int) -> float:
    """The smallest p that `wilcoxon_holm` can give for one pair: above 0.05, no data could show a difference."""
    return min(1.0, 2.0 ** (1 - n_tasks) * (n_models * (n_models - 1) // 2))


def critical_difference(n_tasks: int, n_models: int, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference: mean ranks further apart than this differ at level `alpha` over all pairs.

    ``q sqrt(K (K + 1) / (6 N))`` with the quantile of the studentized range over the square root of 2. NaN for fewer
    than two tasks or models. It assumes ranks without ties, and is conservative.
    """
    if n_tasks < 2 or n_models < 2:
        return np.nan
    from scipy.stats import studentized_range

    q = studentized_range.ppf(1 - alpha, n_models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_models * (n_models + 1) / (6 * n_tasks)))


def groups(
    adjusted: Float[np.ndarray, "model model"], mean_ranks: Float[np.ndarray, " model"], alpha: float = 0.05
) -> list[tuple[int, ...]]:
    """Groups of models of which no two differ: two models share a group if and only if their p is above `alpha`.

    Each group is as large as can be. Models between two of a group by mean rank need not belong to it. A pair without
    a test (NaN) has not been shown to differ.

    Parameters
    ----------
    adjusted : float [model, model]
        Symmetric, as of `wilcoxon_holm`.

    Returns
    -------
    list of tuple of int
        Indices of models, in each group by mean rank and groups by their first models; models that differ from all
        others are in none.
    """
    order = np.argsort(mean_ranks, kind="stable")
    alike = ~(adjusted <= alpha)[np.ix_(order, order)] & ~np.eye(len(order), dtype=bool)
    uncovered = alike.copy()
    found: list[tuple[int, ...]] = []
    for first in range(len(order)):
        for last in range(len(order) - 1, first, -1):  # the furthest first: what lies between joins the same group
            if uncovered[first, last]:
                group = _grown([first, last], alike, uncovered)
                uncovered[np.ix_(group, group)] = False
                found.append(tuple(sorted(group)))
    return [tuple(order[list(group)].tolist()) for group in sorted(found)]


def _grown(group: list[int], alike: np.ndarray, uncovered: np.ndarray) -> list[int]:
    """The group with all that fit, first those with the most pairs that no group has yet, so that groups are few."""
    fitting = alike[group].all(axis=0)
    while fitting.any():
        joining = int(np.argmax(np.where(fitting, uncovered[group].sum(axis=0), -1)))
        group = [*group, joining]
        fitting &= alike[joining]
    return group
