"""The analysis in words: each sentence follows from the numbers by a rule, and the same numbers give the same words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from bench.multiverse.analysis import Multiverse
from bench.statistics import LEVEL

DEPENDS = ((0.9, "hardly depends"), (0.7, "depends somewhat"), (0.4, "depends much"), (-1.0, "mostly depends"))
"""The mean tau between protocols from which on the ranking is called so."""
ALIKE = 0.05
"""Two taus are called equal where they differ by no more."""
MOST_NAMED = 3
COMPONENTS = {
    "model": "the model",
    "protocol": "the protocol",
    "interaction": "what suits one model and not another",
    "patient": "the draw of the test patients",
    "seed": "the seed",
}
REFERENCE = "linear"
"""The protocol whose cost the others are set against."""


def paragraph(found: Multiverse, left_out: Sequence[str] = ()) -> str:
    """What is to say of one task: paragraphs with an empty line between them.

    They are on the agreement of the protocols, on the models, on variance and cost, and on what is left out.

    Parameters
    ----------
    left_out : sequence of str
        Full sentences about what was not run at all.
    """
    compares = found.compares
    parts = [
        [*_what(found), *(_agreement(found) if compares else ())],
        [*_winners(found), *_reversals(found)] if compares else [],
        [*(_variance(found) if compares else ()), *_cost(found)],
        [*_left_out(found), *left_out],
    ]
    return "\n\n".join(" ".join(part) for part in parts if part)


def _what(found: Multiverse) -> Iterator[str]:
    scores = found.scores
    yield (
        f"{scores.task}: {_count(len(scores.models), 'model')} under {_count(len(scores.protocols), 'protocol')}, "
        f"{scores.metric.replace('_', ' ')} on {scores.n_test:,} test samples of "
        f"{_count(scores.n_groups, 'group')} (patients)."
    )
    if not found.compares:
        few = f"{_count(len(scores.models), 'model')} under {_count(len(scores.protocols), 'protocol')}"
        yield f"A ranking that could depend on the protocol needs two models and two protocols, and this run has {few}."


def _agreement(found: Multiverse) -> Iterator[str]:
    tau, low, high = found.mean_tau
    if math.isnan(tau):
        yield "All models are tied under some protocol of every two, so that tau is not defined."
        return
    if (_depends(low), _depends(high)) == (DEPENDS[-1][1], DEPENDS[0][1]):
        yield from _open(found)
        return
    unclear = ", too few to tell how far it depends" if len({_depends(one) for one in (tau, low, high)}) > 1 else ""
    yield (
        f"The ranking of the models {_depends(tau)} on the protocol: Kendall's tau between two protocols (1: the same "
        f"order, -1: the opposite one) is {tau:.2f} on average (95 % interval {low:.2f} to {high:.2f}). Of "
        f"{found.p.size:,} orders of two models under a protocol, "
        f"{int((np.nan_to_num(found.p, nan=1.0) < LEVEL).sum()):,} are beyond chance by themselves{unclear}."
    )
    (a, b), worst = min(
        ((names, one) for names, one in found.agreements.items() if not math.isnan(one.tau)),
        key=lambda item: item[1].tau,
    )
    if worst.tau < 1:
        yield f"It is lowest between {a} and {b}, {worst.tau:.2f} ({worst.low:.2f} to {worst.high:.2f})."
    yield from _tied(found)
    redrawn = [value for value in found.redrawn.values() if not math.isnan(value)]
    if redrawn:
        same = sum(redrawn) / len(redrawn)
        word = "about as much as" if abs(tau - same) <= ALIKE else "less than" if tau > same else "more than"
        yield (
            f"Between two draws of as many patients tau of one protocol with itself is {same:.2f}: the protocol moves "
            f"the ranking {word} the draw of the patients does."
        )


def _depends(tau: float) -> str:
    return next(words for least, words in DEPENDS if tau >= least)


def _open(found: Multiverse) -> Iterator[str]:
    """Where the interval of tau holds the least agreement and the most, neither is claimed."""
    tau, low, high = found.mean_tau
    beyond = int((np.nan_to_num(found.p, nan=1.0) < LEVEL).sum())
    yield (
        "How far the ranking of the models depends on the protocol is open: Kendall's tau between two protocols (1: "
        f"the same order, -1: the opposite one) is {tau:.2f} on average (95 % interval {low:.2f} to {high:.2f}). Of "
        f"{found.p.size:,} orders of two models under a protocol, {beyond:,} are beyond chance by themselves, too "
        "few to tell how far it depends."
    )
    yield from _tied(found)


def _tied(found: Multiverse) -> Iterator[str]:
    tied = sum(math.isnan(found.mean_tau_of(protocol)) for protocol in found.scores.protocols)
    if tied:
        yield (
            f"Under {_count(tied, 'protocol')} all models tie, so that tau is defined of {len(found.defined):,} of "
            f"{_count(len(found.agreements), 'pair')} of protocols."
        )


def _winners(found: Multiverse) -> Iterator[str]:
    count = Counter(model for winners in found.winners.values() for model in winners)
    n = len(found.scores.protocols)
    ranked = sorted(count.items(), key=lambda item: (-item[1], item[0]))
    if len(ranked) == 1:
        yield f"{ranked[0][0]} is best under {'both' if n == 2 else f'all {n}'} protocols."
        return
    more = f", and {len(ranked) - MOST_NAMED} more models under some" if len(ranked) > MOST_NAMED else ""
    named = ", ".join(f"{model} under {times}" for model, times in ranked[:MOST_NAMED])
    ties = " (ties count for each)" if sum(count.values()) > n else ""
    yield f"Of {n} protocols, the best model is {named}{more}{ties}."


def _reversals(found: Multiverse) -> Iterator[str]:
    n_models = len(found.scores.models)
    n_pairs = n_models * (n_models - 1) // 2
    beyond = f"beyond chance (Holm over {found.p.size} differences, level {LEVEL:g})"
    places = "changes places" if found.n_changing == 1 else "change places"
    changing = f"Of {_count(n_pairs, 'pair')} of models, {found.n_changing} {places} between protocols"
    if not found.n_changing:
        yield "No two models change places between protocols."
    elif not found.reversed:
        yield f"{changing}, none of them {beyond}."
    else:
        named = "; ".join(
            f"{one.first} is better than {one.second} under {_listed(one.first_better)} and worse under "
            f"{_listed(one.second_better)}"
            for one in found.reversed[:MOST_NAMED]
        )
        more = f"; and {len(found.reversed) - MOST_NAMED} more" if len(found.reversed) > MOST_NAMED else ""
        yield f"{changing}, {len(found.reversed)} of them {beyond}: {named}{more}."


def _variance(found: Multiverse) -> Iterator[str]:
    shares = found.parts.shares if found.parts else {}
    known = {name: share for name, share in shares.items() if not math.isnan(share)}
    if known:
        named = [f"{100 * known[name]:.0f} % is due to {words}" for name, words in COMPONENTS.items() if name in known]
        yield f"Of the variance of one score {', '.join(named)}."
    if known and "seed" not in known:
        yield "What the seed adds is not known, as not every protocol was run with two: seeds=[0,1] runs them."


def _cost(found: Multiverse) -> Iterator[str]:
    seconds = {name: sum(own) for name, own in found.scores.seconds.items() if own}
    total = sum(seconds.values())
    if not total:
        return
    costliest = max(seconds, key=lambda name: (seconds[name], name))
    against = ""
    if seconds.get(REFERENCE):
        times = total / seconds[REFERENCE]
        against = f", {times:.1f} times the {seconds[REFERENCE]:.1f} s of the linear probe alone"
    yield (
        f"Fitting and scoring took {total:.1f} s in all{against}; {100 * seconds[costliest] / total:.0f} % of it is "
        f"{costliest}."
    )


def _left_out(found: Multiverse) -> Iterator[str]:
    reasons = [f"{name} {why}" for name, why in sorted(found.scores.left_out.items())]
    if reasons:
        yield f"Left out of the comparison: {'; '.join(reasons)}."


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    parts = [*names[:MOST_NAMED], *more]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
