"""What scores of models under several protocols say about the protocols; a function of the scores alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bench.results import AcrossProtocols
from bench.statistics import (
    LEVEL,
    Agreement,
    TaskRanks,
    VarianceParts,
    agreement,
    holm,
    orders,
    pairs_of,
    reversals,
    task_ranks,
    tau_of_redraws,
    variance_parts,
)


class NamedReversal(NamedTuple):
    """Two models that change places between protocols beyond chance."""

    first: str
    second: str
    first_better: tuple[str, ...]
    second_better: tuple[str, ...]


@dataclass(frozen=True)
class Multiverse:
    """The scores, and what follows from them.

    Attributes
    ----------
    scores : AcrossProtocols
    order, p : float [protocol, pair]
        Which model of a pair is better, and the p value of no difference; NaN where it is not known.
    adjusted : float [protocol, pair]
        The same p values by Holm over all pairs under all protocols.
    ranks : tuple of TaskRanks
        Of each protocol.
    agreements : dict of (protocol, protocol) -> Agreement
        Of any two once.
    redrawn : dict of protocol -> float
        Tau between the rankings of the protocol on two draws of as many patients, on average; NaN without resamples.
    parts : VarianceParts or None
        None without two models or two protocols.
    """

    scores: AcrossProtocols
    order: Float[np.ndarray, "protocol pair"]
    p: Float[np.ndarray, "protocol pair"]
    adjusted: Float[np.ndarray, "protocol pair"]
    ranks: tuple[TaskRanks, ...]
    agreements: dict[tuple[str, str], Agreement]
    redrawn: dict[str, float]
    parts: VarianceParts | None

    @property
    def compares(self) -> bool:
        """Whether there are rankings to compare: two models and two protocols at least."""
        return len(self.scores.models) > 1 and len(self.scores.protocols) > 1

    @cached_property
    def defined(self) -> list[Agreement]:
        """The agreements whose tau is defined."""
        return [one for one in self.agreements.values() if not np.isnan(one.tau)]

    @property
    def mean_tau(self) -> tuple[float, float, float]:
        """Tau over all pairs of protocols, and the means of their bounds; NaN where none is defined."""
        if not self.defined:
            return np.nan, np.nan, np.nan
        tau, low, high = np.mean([(one.tau, one.low, one.high) for one in self.defined], axis=0).tolist()
        return tau, low, high

    def mean_tau_of(self, protocol: str) -> float:
        """Tau of a protocol with the others, on average; NaN where none is defined."""
        own = [one.tau for names, one in self.agreements.items() if protocol in names and not np.isnan(one.tau)]
        return float(np.mean(own)) if own else np.nan

    def tau(self, a: str, b: str) -> float:
        """Tau of two protocols, in either order; 1 of a protocol with itself."""
        found = self.agreements.get((a, b), self.agreements.get((b, a)))
        return 1.0 if a == b else np.nan if found is None else found.tau

    @cached_property
    def winners(self) -> dict[str, tuple[str, ...]]:
        """The models that rank first under each protocol, several where they tie."""
        found = {}
        for protocol, own in zip(self.scores.protocols, self.ranks, strict=True):
            best = np.flatnonzero(own.ranks == np.nanmin(own.ranks)) if len(own.ranks) > 1 else range(len(own.ranks))
            found[protocol] = tuple(self.scores.models[place] for place in best)
        return found

    @cached_property
    def reversed(self) -> list[NamedReversal]:
        """The pairs of models that change places between protocols beyond chance."""
        models, protocols = self.scores.models, self.scores.protocols
        found = []
        for one in reversals(self.order, np.nan_to_num(self.adjusted, nan=1.0), LEVEL):
            first, second = pairs_of(len(models))[one.pair]
            sides = (tuple(protocols[place] for place in side) for side in (one.first_better, one.second_better))
            found.append(NamedReversal(models[first], models[second], *sides))
        return found

    @property
    def n_changing(self) -> int:
        """Pairs of models that are in opposite orders under some two protocols, by chance or not."""
        return int(((self.order > 0).any(axis=0) & (self.order < 0).any(axis=0)).sum())


def analysed(scores: AcrossProtocols) -> Multiverse:
    """The analysis of the scores of one task."""
    pairs = list(itertools.combinations(scores.models, 2))
    p = np.array([[_p(scores, protocol, pair) for pair in pairs] for protocol in scores.protocols], float)
    p = p.reshape(len(scores.protocols), len(pairs))
    order = np.array([orders(line, lower_is_better=scores.lower_is_better) for line in scores.values], float)
    order = order.reshape(len(scores.protocols), len(pairs))
    known = np.nan_to_num(p, nan=1.0) < LEVEL
    agreements = {
        (scores.protocols[a], scores.protocols[b]): agreement(order[a], order[b], known[a], known[b])
        for a, b in itertools.combinations(range(len(scores.protocols)), 2)
        if len(scores.models) > 1
    }
    lower = scores.lower_is_better
    redrawn = [tau_of_redraws(draws, lower_is_better=lower) for draws in scores.draws]
    return Multiverse(
        scores=scores,
        order=order,
        p=p,
        adjusted=holm(p.ravel()).reshape(p.shape),
        ranks=tuple(
            task_ranks(values, draws, lower_is_better=lower)
            for values, draws in zip(scores.values, scores.draws, strict=True)
        ),
        agreements=agreements,
        redrawn={
            name: float(own.mean()) if len(own) else np.nan for name, own in zip(scores.protocols, redrawn, strict=True)
        },
        parts=_parts(scores),
    )


def _p(scores: AcrossProtocols, protocol: str, pair: Sequence[str]) -> float:
    difference = scores.differences.get((protocol, pair[0], pair[1]))
    if difference is None:
        return np.nan
    return difference.p if difference.difference else 1.0


def _parts(scores: AcrossProtocols) -> VarianceParts | None:
    """Of the seeds that every protocol has, in their order."""
    if min(len(scores.models), len(scores.protocols)) < 2:
        return None
    n_seeds = min(own.shape[1] for own in scores.runs)
    return variance_parts(np.stack([own[:, :n_seeds] for own in scores.runs]), scores.draws, scores.n_groups)
