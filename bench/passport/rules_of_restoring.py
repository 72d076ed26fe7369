"""Rules on what restorers give back, what they harm, and what training on corrupted tiles does in their place."""

from __future__ import annotations

import statistics

from bench.passport.evidence import Case, Evidence
from bench.passport.numbers import case_name, conditions_counted, number, share
from bench.passport.rule import Rule
from bench.results import clean_of
from bench.targets import UNTOUCHED

HARM = 0.01  # of the score on clean tiles
BACK = 0.1  # of what was lost
CLEAN: Case = ("", 0)


def harms_clean(evidence: Evidence) -> list[str]:
    """The restorers that should be kept from clean tiles."""
    sentences = []
    for restorer in evidence.restorers:
        found = evidence.at(CLEAN, restorer)
        loss = evidence.loss(found)
        if found and loss is not None and evidence.clean and loss > HARM * abs(evidence.clean):
            sentences.append(
                f"Restoration with {restorer} harms clean tiles: {evidence.primary} goes from {number(evidence.clean)} "
                f"to {number(found.score)}, {share(loss / abs(evidence.clean))} of it."
            )
    return sentences


def harms_corrupted(evidence: Evidence) -> list[str]:
    """The restorers that make corrupted tiles worse."""
    before, sentences = evidence.losses(), []
    if not evidence.clean:
        return []
    for restorer in evidence.restorers:
        after = evidence.losses(restorer)
        worse = {case: loss - before[case] for case, loss in after.items() if case in before}
        harmed = [case for case, by in worse.items() if by > HARM * abs(evidence.clean)]
        if harmed:
            worst = max(harmed, key=lambda case: (worse[case], case))
            old, new = (evidence.clean - evidence.sign * losses[worst] for losses in (before, after))
            sentences.append(
                f"{restorer} makes {len(harmed)} of {len(worse)} conditions worse, most of all {case_name(worst)}: "
                f"{evidence.primary} goes from {number(old)} to {number(new)}."
            )
    return sentences


def shares_back(evidence: Evidence) -> dict[str, tuple[float, int]]:
    """For each restorer the share of the lost score that it gives back, and on how many conditions both are known.

    1 - (sum of the losses behind the restorer) / (sum of the losses without), over the same conditions. Without those
    where nothing was lost.
    """
    before, found = evidence.losses(), {}
    for restorer in evidence.restorers:
        after = {case: loss for case, loss in evidence.losses(restorer).items() if case in before}
        lost = sum(before[case] for case in after)
        if after and lost > 0:
            found[restorer] = (1 - sum(after.values()) / lost, len(after))
    return found


def gives_back(evidence: Evidence) -> list[str]:
    """The restorer that gives back most."""
    shares = shares_back(evidence)
    best = max(shares, key=lambda name: (shares[name][0], name), default=None)
    if best is None or shares[best][0] < BACK:
        return []
    return [
        f"{best} gives back most of the restorers: {share(shares[best][0])} of the {evidence.primary} that is lost "
        f"over {conditions_counted(shares[best][1])}."
    ]


def gives_nothing(evidence: Evidence) -> list[str]:
    """That no restorer is worth its time."""
    shares = shares_back(evidence)
    if not shares or max(of for of, _ in shares.values()) >= BACK:
        return []
    best = max(shares, key=lambda name: (shares[name][0], name))
    return [
        f"No restorer gives back {share(BACK)} of the {evidence.primary} that is lost; the best, {best}, has "
        f"{share(shares[best][0])}."
    ]


def augmented(evidence: Evidence) -> list[str]:
    """Training on corrupted tiles against the best restorer of each corruption."""
    clean, of = evidence.clean, {one.case: one for one in evidence.augmented if one.restorer == UNTOUCHED}
    trained = {case: loss for case, one in of.items() if (loss := evidence.loss(one)) is not None and case != CLEAN}
    restored = {case: evidence.at(case, name) for case in trained if (name := evidence.best_restorers.get(case[0]))}
    best = {case: loss for case, one in restored.items() if (loss := evidence.loss(one)) is not None}
    rival, words = (best, "the best restorer of each corruption") if best else (evidence.losses(), "doing nothing")
    common = sorted(trained.keys() & rival.keys())
    if not common or not clean:
        return []
    own, other = (statistics.fmean(losses[case] for case in common) for losses in (trained, rival))
    if other - own <= HARM * abs(clean):
        return []
    price = evidence.loss(clean_of(evidence.augmented))
    on_clean = f"; on clean tiles its loss is {number(price)}" if price is not None else ""
    return [
        f"A head that is trained on corrupted tiles too loses less than {words}: {number(own)} against {number(other)} "
        f"of {evidence.primary}, the mean over {conditions_counted(len(common))}{on_clean}."
    ]


RULES = (
    Rule("harm on clean tiles", f"A restorer on clean tiles costs more than {share(HARM)} of the score that they have "
         "without it.", harms_clean),
    Rule("harm on corrupted tiles", "Behind a corruption the score with a restorer is lower than without by more than "
         f"{share(HARM)} of that on clean tiles.", harms_corrupted),
    Rule("best restorer", "The restorer with the largest share of the lost score given back, 1 - (sum of losses with) "
         f"/ (sum of losses without) over its conditions, if that is {share(BACK)} or more.", gives_back),
    Rule("no restorer helps", f"Restorers were measured, and none has a share of {share(BACK)}.", gives_nothing),
    Rule("augmentation", "Over the conditions that both have, the mean loss of a head that is trained on corrupted "
         "tiles too is smaller than that of the best restorer of each corruption (of none where none was measured) "
         f"by more than {share(HARM)} of the score on clean tiles. The best is chosen on the same tiles, which favours "
         "restorers.", augmented),
)  # fmt: skip
