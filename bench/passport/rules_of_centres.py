"""Rules on centres and scanners, and on what was not measured at all."""

from __future__ import annotations

from collections.abc import Iterator

from bench.passport.evidence import CENTRE, Centres, Encoder
from bench.passport.numbers import listed, number, share
from bench.passport.rule import Rule

INDEX = 0.5
DROP = 0.05
AGAIN = 0.5

SEVERITIES = range(1, 6)


def centre_first(encoder: Encoder) -> list[str]:
    """That neighbours share the centre rather than the class."""
    return [
        f"On {of.task} the centre draws features together as much as the class or more: the robustness index is "
        f"{number(index)}."
        for of in _unprocessed(encoder)
        if (index := of.value(CENTRE)) is not None and index <= INDEX
    ]


def centre_tail(encoder: Encoder) -> list[str]:
    """That for the worst samples another class is nearer than their own elsewhere."""
    return [
        f"On {of.task} the worst tenth of the samples lie nearer to another class of their centre than to their own "
        f"class elsewhere: their mean margin (CRoMa LTM10) is {number(tail)}."
        for of in _unprocessed(encoder)
        if (tail := of.value("croma_ltm10")) is not None and tail < 0
    ]


def centre_readable(encoder: Encoder) -> list[str]:
    """That features tell the centre."""
    sentences = []
    for of in _unprocessed(encoder):
        accuracy, low, _ = of.metrics.get("centre_accuracy", (None, None, None))
        if accuracy is not None and low is not None and of.chance is not None and low > of.chance:
            sentences.append(
                f"On {of.task} a linear probe tells the centre of samples of other groups with a balanced accuracy of "
                f"{number(accuracy)}, where a guess has {number(of.chance)}."
            )
    return sentences


def centre_costs(encoder: Encoder) -> list[str]:
    """That a confounded training set costs accuracy."""
    sentences = []
    for of in _unprocessed(encoder):
        for metric, where in (("apd_in", "of the same centres"), ("apd_out", "of other centres")):
            drop = of.value(metric)
            if drop is not None and drop < -DROP:
                sentences.append(
                    f"On {of.task} training data in which class and centre go together cost {share(-drop)} of the "
                    f"accuracy on samples {where}, on average over rising correlation."
                )
    return sentences


def scanners_apart(encoder: Encoder) -> list[str]:
    """That the same region is not found again under another scanner."""
    sentences = []
    for of in _unprocessed(encoder):
        for metric in ("top10_scanner", "top10_staining", "top10_both"):
            found = of.value(metric)
            if found is not None and found < AGAIN:
                other = {"scanner": "another scanner", "staining": "another staining"}.get(
                    metric.removeprefix("top10_"), "another scanner and another staining"
                )
                sentences.append(f"On {of.task} {share(found)} of the regions are found again under {other}.")
    return sentences


def not_measured(encoder: Encoder) -> list[str]:
    """What nothing can be said of."""
    sentences = []
    if not any(of.of_scanners for of in encoder.centres):
        sentences.append("Nothing was measured on scanners (protocol=consistency, on the same regions scanned twice).")
    if not any(CENTRE in of.metrics for of in encoder.centres):
        sentences.append("Nothing was measured on centres (protocol=centre_robustness, on tiles with a centre).")
    for of in encoder.evidence:
        lacking = []
        if of.of_head[0].of_features:
            lacking.append("no head (so nothing on score, calibration and threshold)")
        elif of.clean is None:
            lacking.append("no score on clean tiles (so no loss)")
        if not of.restorers:
            lacking.append("no restorer")
        if not of.models:
            lacking.append("no other model")
        if not of.baselines:
            lacking.append("no baseline")
        without = [str(severity) for severity in SEVERITIES if severity not in of.severities]
        if without:
            lacking.append(f"no severity {listed(without)}")
        if lacking:
            sentences.append(f"Not measured on {of.task} with {of.protocol}: {'; '.join(lacking)}.")
    if encoder.tiles_per_s is None:
        sentences.append("Its speed is not known: its features were in the cache when the rows were made.")
    return sentences


def _unprocessed(encoder: Encoder) -> Iterator[Centres]:
    """What was measured of centres and scanners without a front-end."""
    return (of for of in encoder.centres if not of.frontend)


RULES = (
    Rule("centre before class", f"The robustness index is {INDEX:g} or less.", of_encoder=centre_first),
    Rule("centre, worst samples", "CRoMa's LTM10 is below 0.", of_encoder=centre_tail),
    Rule("centre can be read", "The lower end of the interval of the balanced accuracy for the centre is above that of "
         "a guess.", of_encoder=centre_readable),
    Rule("centre costs", f"An average performance drop is below -{DROP:g}.", of_encoder=centre_costs),
    Rule("scanners", f"Less than {share(AGAIN)} of the regions are found again among the nearest under another scanner "
         "or staining.", of_encoder=scanners_apart),
    Rule("not measured", "There are no rows of scanners, of centres, of a head, of clean tiles, of restorers, of other "
         "models, of baselines, of a severity from 1 to 5, or no speed.", of_encoder=not_measured),
)  # fmt: skip
