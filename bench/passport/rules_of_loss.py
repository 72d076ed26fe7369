"""Rules on what corruptions cost: the score, the threshold, the calibration, and what cosine alone hides."""

from __future__ import annotations

import math
from collections.abc import Callable

from bench.passport.evidence import Case, Evidence, shifted_thresholds, shifts_of
from bench.passport.numbers import (
    at_severities,
    case_name,
    conditions_counted,
    from_severity,
    listed,
    number,
    share,
    signed,
)
from bench.passport.rule import Rule
from bench.results import clean_of
from bench.targets import UNTOUCHED

LITTLE = 0.01  # of the score on clean tiles
RATE = 0.05  # of a sensitivity or specificity, from 0 to 1
SHIFT = 0.1  # of a threshold on a probability
ECE_RISE = 0.05
ECE_TIMES = 2.0
ALIKE, FOUND = 0.8, 0.5  # cosine, share of the tiles that are found

THRESHOLDS = {
    "sensitivity_at_95_specificity": "threshold for 95 % specificity",
    "specificity_at_95_sensitivity": "threshold for 95 % sensitivity",
    "": "threshold",
}
RATES = {
    "sensitivity_at_95_specificity": f"sensitivity at the {THRESHOLDS['sensitivity_at_95_specificity']}",
    "specificity_at_95_sensitivity": f"specificity at the {THRESHOLDS['specificity_at_95_sensitivity']}",
}
"""Thresholds that were found on clean tiles outside the test set, and the rates that rows have at them, in words."""


def next_model(evidence: Evidence) -> list[str]:
    """The corruptions that cost more than the choice of the neighbouring model."""
    clean = evidence.clean
    scores = {name: found.score for name, of in evidence.models.items() if (found := clean_of(of)) is not None}
    gaps = {name: abs(score - clean) for name, score in scores.items() if score is not None and clean is not None}
    if not gaps:
        return []
    nearest = min(gaps, key=lambda name: (gaps[name], name))
    first = from_severity(evidence.losses(), gaps[nearest])
    if not first:
        return []
    corruptions = at_severities(first, evidence.losses())
    return [
        f"More than the difference to the next model ({nearest}, {number(gaps[nearest])} of {evidence.primary}) is "
        f"lost behind {corruptions}."
    ]


def below_baseline(evidence: Evidence) -> list[str]:
    """The corruptions behind which a baseline on the same tiles is as good."""
    scores = {case: own.score for case in evidence.cases if (own := evidence.at(case)) and own.score is not None}
    ahead: dict[Case, float] = {}  # of the best baseline
    best: dict[Case, str] = {}
    for name, of in sorted(evidence.baselines.items()):
        for one in of:
            if one.restorer == UNTOUCHED and one.case in scores and one.score is not None:
                over = evidence.sign * (one.score - scores[one.case])
                if over > ahead.get(one.case, -math.inf):
                    ahead[one.case], best[one.case] = over, name
    first = from_severity(ahead, -1e-12)
    if not first:
        return []
    named = {best[kind, severity] for kind, severity in ahead if severity >= first.get(kind, math.inf)}
    on_clean = [own.score for of in evidence.baselines.values() if (own := clean_of(of)) and own.score is not None]
    clean = evidence.clean
    too = clean is not None and any(evidence.sign * (score - clean) >= 0 for score in on_clean)
    return [
        f"A baseline ({listed(sorted(named))}) is as good or better behind {at_severities(first, ahead)}"
        + (", and one is on clean tiles too." if too else ", and none is on clean tiles.")
    ]


def survives(evidence: Evidence) -> list[str]:
    """The corruptions that hardly cost anything."""
    losses, clean = evidence.losses(), evidence.clean
    if clean is None:
        return []
    kinds = [
        kind for kind in evidence.kinds
        if (own := [loss for case, loss in losses.items() if case[0] == kind]) and max(own) < LITTLE * abs(clean)
    ]  # fmt: skip
    if not kinds:
        return []
    return [f"Hardly anything ({share(LITTLE)} of the score or less) is lost behind {listed(kinds)} at any severity."]


def worst_loss(evidence: Evidence) -> list[str]:
    """The condition that costs most."""
    losses = evidence.losses()
    case = max(losses, key=lambda case: (losses[case], case), default=None)
    if case is None or losses[case] <= 0 or evidence.clean is None:
        return []
    score = evidence.clean - evidence.sign * losses[case]
    return [
        f"The largest loss is behind {case_name(case)}: {evidence.primary} goes from {number(evidence.clean)} to "
        f"{number(score)}."
    ]


def threshold(evidence: Evidence) -> list[str]:
    """The rates at the thresholds of clean tiles, where they fall."""
    clean = clean_of(evidence.of_head)
    sentences = []
    for metric, words in RATES.items():
        before = clean.value(metric) if clean else None
        after = _unrestored(evidence, lambda case, metric=metric: _value(evidence, case, metric))  # type: ignore[misc]
        if before is None or not after:
            continue
        fallen = [case for case, value in after.items() if before - value > RATE]
        if fallen:
            worst = min(fallen, key=lambda case: (after[case], case))
            sentences.append(
                f"The clean threshold no longer holds: {words} falls from {number(before)} to {number(after[worst])} "
                f"at {case_name(worst)}, and by more than {RATE:g} behind {len(fallen)} of {len(after)} conditions."
            )
    return sentences


def threshold_shift(evidence: Evidence) -> list[str]:
    """How far a threshold would have to be moved to keep its specificity."""
    sentences = []
    for metric in shifted_thresholds(evidence):
        shifts = _unrestored(evidence, lambda case, metric=metric: shifts_of(evidence.at(case)).get(metric))  # type: ignore[misc]
        far = [case for case, value in shifts.items() if abs(value) > SHIFT]
        if far:
            worst = max(far, key=lambda case: (abs(shifts[case]), case))
            sentences.append(
                f"To keep the specificity that it has on clean tiles, the {THRESHOLDS.get(metric, metric)} would have "
                f"to move by {signed(shifts[worst])} at {case_name(worst)}, and by more than {SHIFT:g} behind "
                f"{len(far)} of {len(shifts)} conditions."
            )
    return sentences


def calibration(evidence: Evidence) -> list[str]:
    """Where probabilities can no longer be trusted."""
    clean = clean_of(evidence.of_head)
    before = clean.value("ece") if clean else None
    after = _unrestored(evidence, lambda case: _value(evidence, case, "ece"))
    if before is None:
        return []
    broken = [case for case, ece in after.items() if ece - before > ECE_RISE and ece > ECE_TIMES * before]
    if not broken:
        return []
    worst = max(broken, key=lambda case: (after[case], case))
    return [
        f"The calibration of clean tiles is lost behind {len(broken)} of {len(after)} conditions: the ECE rises from "
        f"{number(before)} to {number(after[worst])} at {case_name(worst)}."
    ]


def collapse(evidence: Evidence) -> list[str]:
    """Where features look alike and still do not tell tiles apart."""
    hidden = []
    for case in evidence.cases:
        found = evidence.features_at(case)
        cosine, top1 = (found.value("cosine"), found.value("top1")) if found else (None, None)
        if cosine is not None and top1 is not None and cosine >= ALIKE and top1 < FOUND:
            hidden.append((top1, cosine, case))
    if not hidden:
        return []
    top1, cosine, case = min(hidden)
    return [
        f"Cosine hides a loss behind {conditions_counted(len(hidden))}: at {case_name(case)} features have a cosine of "
        f"{number(cosine)} to those of the clean tiles, and {share(top1)} of the tiles find their own clean tile."
    ]


def _value(evidence: Evidence, case: Case, metric: str) -> float | None:
    found = evidence.at(case)
    return found.value(metric) if found else None


def _unrestored(evidence: Evidence, of: Callable[[Case], float | None]) -> dict[Case, float]:
    """A value of each corruption and severity that nothing restored, where there is one."""
    return {case: value for case in evidence.cases if (value := of(case)) is not None}


RULES = (
    Rule("largest loss", "The corruption and severity with the lowest score, if it is below that of clean tiles.",
         worst_loss),
    Rule("next model",
         "A corruption, with the lowest severity from which on at all measured severities the loss of score is larger "
         "than the difference on clean tiles to the model that is nearest there, baselines apart.", next_model),
    Rule("baseline",
         "A corruption, with the lowest severity from which on at all measured severities the best baseline behind the "
         "same corruption has the same score or a better one.", below_baseline),
    Rule("no loss", f"A corruption that at every measured severity loses less than {share(LITTLE)} of the score on "
         "clean tiles.", survives),
    Rule("threshold", "Sensitivity or specificity, at the threshold that was found on clean tiles outside the test "
         f"set, falls by more than {RATE:g}.", threshold),
    Rule("threshold shift", "The threshold that has the specificity of clean tiles differs from the clean one by more "
         f"than {SHIFT:g} (two classes; on the probability of the second).", threshold_shift),
    Rule("calibration", f"The ECE rises by more than {ECE_RISE:g} and to more than {ECE_TIMES:g} times that of clean "
         "tiles.", calibration),
    Rule("cosine alone", f"The mean cosine to the clean features is {ALIKE:g} or more and less than {share(FOUND)} of "
         "the tiles find their own clean tile as the nearest.", collapse),
)  # fmt: skip
