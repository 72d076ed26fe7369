"""How far two rankings of the same models agree: Kendall's tau, and the values that the test patients leave open.

Kendall 1945, Biometrika 33, 239-251 (tau-b, with ties). The interval is built of the pairs of models: a pair whose
order is known under both protocols counts as what it is, and any other may be in agreement or not. Its order is known
where the difference of the two models is beyond chance by itself. A bootstrap of tau is no interval: resamples are
noisier than the sample, and noise pulls tau towards 0, so that its percentiles leave out a perfect agreement of models
that are close (`python -m benchmarks.multiverse`; the reason is that of ranks, in `bench.statistics.ranks`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.statistics.ranks import TIED


@dataclass(frozen=True)
class Agreement:
    """How far two rankings agree.

    Attributes
    ----------
    tau : float
        Kendall's tau-b, -1 to 1; NaN where a ranking has nothing but ties, or there are fewer than two models.
    low, high : float
        All values of tau that are compatible with the orders that are beyond chance.
    concordant, discordant : int
        Pairs of models in the same order and in opposite orders.
    """

    tau: float
    low: float
    high: float
    concordant: int
    discordant: int


def pairs_of(n_models: int) -> Int[np.ndarray, "pair 2"]:
    """Every pair of models once, the first before the second."""
    return np.array(list(itertools.combinations(range(n_models), 2)), dtype=np.int64).reshape(-1, 2)


def orders(values: Float[np.ndarray, "model ..."], *, lower_is_better: bool = False) -> Float[np.ndarray, "pair ..."]:
    """Of each pair 1 where the first model is the better one, -1 where the second is, 0 for a tie, NaN if unknown.

    Parameters
    ----------
    values : float [model, ...]
        Of one metric; further axes, such as resamples, are ordered each by itself.
    """
    finite = np.abs(values[np.isfinite(values)])
    tied = TIED * (finite.max() if finite.size else 0.0)
    first, second = pairs_of(len(values)).T
    difference = (values[second] - values[first]) if lower_is_better else (values[first] - values[second])
    return np.where(np.isnan(difference), np.nan, np.sign(difference) * (np.abs(difference) > tied))


def kendall_tau(a: Float[np.ndarray, "pair ..."], b: Float[np.ndarray, "pair ..."]) -> np.ndarray:
    """Tau-b of orders as `orders` gives them, along the first axis; NaN where one has nothing but ties."""
    n_untied = np.sqrt((a != 0).sum(axis=0) * (b != 0).sum(axis=0))
    product = (a * b).sum(axis=0)
    return np.divide(product, n_untied, out=np.full(np.shape(product), np.nan), where=n_untied > 0)


def agreement(
    a: Float[np.ndarray, " pair"],
    b: Float[np.ndarray, " pair"],
    known_a: Bool[np.ndarray, " pair"],
    known_b: Bool[np.ndarray, " pair"],
) -> Agreement:
    """The agreement of two rankings.

    Parameters
    ----------
    a, b : float [pair]
        The orders under either protocol.
    known_a, known_b : bool [pair]
        Whether the order of the pair is beyond chance there; a tie never is.

    Raises
    ------
    ValueError
        If the shapes do not agree.
    """
    if not a.shape == b.shape == known_a.shape == known_b.shape or a.ndim != 1:
        raise ValueError("Orders and what is known of them are not of the same pairs of models.")
    product = a * b
    tau = float(kendall_tau(a, b)) if len(a) else np.nan
    if np.isnan(tau):
        return Agreement(np.nan, np.nan, np.nan, int((product > 0).sum()), int((product < 0).sum()))
    known = known_a & known_b & (product != 0)
    low, high = np.where(known, product, -1.0).mean(), np.where(known, product, 1.0).mean()
    return Agreement(
        tau, min(float(low), tau), max(float(high), tau), int((product > 0).sum()), int((product < 0).sum())
    )


def tau_of_redraws(
    draws: Float[np.ndarray, "model resample"], *, lower_is_better: bool = False
) -> Float[np.ndarray, " pair_of_resamples"]:
    """Tau between the rankings of two draws of as many patients, of which no patient decides in both.

    It is what one protocol agrees with itself on other patients, to set the agreement of two protocols against. Each
    resample is compared with the next; resamples with an undefined value are left out.
    """
    own = draws[:, ~np.isnan(draws).any(axis=0)]
    if own.shape[1] < 2 or len(own) < 2:
        return np.empty(0)
    found = orders(own, lower_is_better=lower_is_better)
    tau = kendall_tau(found, np.roll(found, 1, axis=1))
    return tau[~np.isnan(tau)]


@dataclass(frozen=True)
class Reversal:
    """Two models of which one is better under some protocols and the other under others, each beyond chance.

    Attributes
    ----------
    pair : int
        As in `pairs_of`.
    first_better, second_better : tuple of int
        The protocols under which the first model of the pair is better, and the second.
    """

    pair: int
    first_better: tuple[int, ...]
    second_better: tuple[int, ...]


def reversals(
    order: Float[np.ndarray, "protocol pair"], adjusted: Float[np.ndarray, "protocol pair"], level: float
) -> list[Reversal]:
    """The pairs that two protocols order in opposite ways beyond chance.

    Parameters
    ----------
    adjusted : float [protocol, pair]
        P values of no difference, adjusted for all pairs under all protocols (`bench.statistics.holm`): then the chance
        of naming any pair that has no such reversal is at most `level`.
    """
    beyond = adjusted <= level
    found = []
    for pair in range(order.shape[1]):
        first = tuple(np.flatnonzero(beyond[:, pair] & (order[:, pair] > 0)).tolist())
        second = tuple(np.flatnonzero(beyond[:, pair] & (order[:, pair] < 0)).tolist())
        if first and second:
            found.append(Reversal(pair, first, second))
    return found
