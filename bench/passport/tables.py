"""The tables of a page."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from bench.passport.blocks import Block, Heading, Paragraph, Table
from bench.passport.evidence import CENTRE, SCANNER, Case, Encoder, Evidence, shifted_thresholds, shifts_of
from bench.passport.numbers import number, share, signed, speed, with_interval
from bench.passport.rules_of_loss import RATES, THRESHOLDS
from bench.passport.rules_of_restoring import CLEAN, HARM, shares_back
from bench.results import Condition, clean_of, recovery
from bench.targets import UNTOUCHED

Value = Callable[[Condition | None], float | None]

OF_FEATURES = {
    "cosine": "Cosine of the feature to that of the clean tile, mean over tiles",
    "top1": "Share of the tiles whose own clean tile is the nearest of all clean ones",
}
OF_CENTRES = {
    CENTRE: "robustness index (1: class only, 0.5: class and centre alike)",
    "croma": "CRoMa margin, median (above 0: class nearer than centre)",
    "croma_ltm10": "CRoMa, mean of the worst tenth",
    "apd_in": "average performance drop, same centres (0: none)",
    "apd_out": "average performance drop, other centres (0: none)",
    "centre_accuracy": "balanced accuracy of a probe for the centre",
}
OF_SCANNERS = {
    SCANNER: "consistency, PLISM's score",
    "cosine_all": "cosine of the same region in two views",
    "top10_scanner": "found again among the 10 nearest, other scanner",
    "top10_staining": "found again among the 10 nearest, other staining",
    "top10_both": "found again among the 10 nearest, both other",
}


def severity_tables(evidence: Evidence) -> Iterator[Block]:
    """Score, calibration, rates, threshold and features against severity: a table each."""
    yield from _severities(evidence, f"Score: {evidence.primary}", _metric(evidence.primary), number)
    if not evidence.of_head[0].of_features:
        for metric, title in (("ece", "Calibration: ECE"), ("brier", "Calibration: Brier score"), *RATES.items()):
            yield from _severities(evidence, title[0].upper() + title[1:], _metric(metric), number)
        for metric in shifted_thresholds(evidence):
            title = f"Shift of the {THRESHOLDS.get(metric, metric)} that keeps the specificity of clean tiles"
            yield from _severities(evidence, title, lambda one, metric=metric: shifts_of(one).get(metric), signed)  # type: ignore[misc]
    for metric, title in OF_FEATURES.items():
        if metric != evidence.primary:
            yield from _severities(evidence, title, _metric(metric), number, of_features=True)


def _metric(name: str) -> Value:
    return lambda one: one.value(name) if one else None


def _severities(
    evidence: Evidence, title: str, value: Value, written: Callable[[float | None], str], *, of_features: bool = False
) -> Iterator[Block]:
    """A table with a line a corruption: as it is, behind the restorer with the best score, with the augmented head."""
    trained = {one.case: one for one in evidence.augmented if one.restorer == UNTOUCHED}
    at = evidence.features_at if of_features else evidence.at

    def line(kind: str, tiles: str, of: Callable[[Case], Condition | None]) -> list[str]:
        cases: list[Case] = [CLEAN, *((kind, severity) for severity in evidence.severities)]
        return [kind, tiles, *(written(value(of(case))) for case in cases)]

    lines = []
    for kind in evidence.kinds:
        lines.append(line(kind, "not restored", at))
        best = evidence.best_restorers.get(kind)
        if best:
            lines.append(line(kind, f"restored, {best}", lambda case, best=best: at(case, best)))  # type: ignore[misc]
        if trained and not of_features:
            lines.append(line(kind, "not restored, head trained on corrupted tiles", trained.get))
    if any(cell != "-" for of in lines for cell in of[3:]):
        yield Heading(title, 3)
        yield Table(["corruption", "tiles", "clean", *map(str, evidence.severities)], lines, 2)


def restorers_table(evidence: Evidence, encoder: Encoder) -> Iterator[Block]:
    """A line a restorer: what it does to clean tiles, what it gives back, what it harms, and its speed."""
    shares, before = shares_back(evidence), evidence.losses()
    lines = []
    for restorer in evidence.restorers:
        after = {case: loss for case, loss in evidence.losses(restorer).items() if case in before}
        on_clean = evidence.loss(evidence.at(CLEAN, restorer))
        harmed = sum(loss - before[case] > HARM * abs(evidence.clean or 0) for case, loss in after.items())
        of_features = recovery(
            [one for one in evidence.of_features if one.restorer == restorer],
            [one for one in evidence.of_features if one.restorer == UNTOUCHED],
        )
        lines.append(
            [
                restorer,
                signed(None if on_clean is None else -evidence.sign * on_clean),
                str(len(after)),
                number(statistics.fmean(before[case] for case in after) if after else None),
                number(statistics.fmean(after.values()) if after else None),
                share(shares[restorer][0]) if restorer in shares else "-",
                str(harmed),
                "-" if of_features is None else share(of_features),
                speed((encoder.restorer_speeds or {}).get(restorer)),
            ]
        )
    if lines:
        yield Heading("Restorers", 3)
        columns = [
            "restorer",
            f"{evidence.primary} on clean tiles, change",
            "conditions",
            "mean loss, not restored",
            "mean loss, restored",
            "of the loss given back",
            "conditions made worse",
            "of the features given back",
            "tiles/s",
        ]
        yield Table(columns, lines)


def centre_tables(encoder: Encoder) -> Iterator[Block]:
    """The measures of centres and of scanners, a line each, a column a task and front-end."""
    for title, own in (
        ("Centres", [of for of in encoder.centres if not of.of_scanners]),
        ("Scanners and staining", [of for of in encoder.centres if of.of_scanners]),
    ):
        if own:
            measures = OF_CENTRES if title == "Centres" else OF_SCANNERS
            names = {name: words for name, words in measures.items() if any(name in of.metrics for of in own)}
            behind = [f"{of.task}, {of.protocol}" + (f", behind {of.frontend}" if of.frontend else "") for of in own]
            lines = [
                [words, *(with_interval(*of.metrics.get(name, (None, None, None))) for of in own)]
                for name, words in names.items()
            ]
            yield Heading(title)
            yield Table(["measure", *behind], lines)
            chances = sorted({of.chance for of in own if of.chance is not None})
            if chances:
                yield Paragraph(f"A guess at the centre has {', '.join(map(number, chances))}.")


def costs_table(encoder: Encoder) -> Table:
    """Parameters and speed of the encoder, and the speeds of restorers."""
    lines = [
        ["parameters, millions", number(encoder.params_m, 1)],
        ["tiles/s of the encoder, the median over its rows", speed(encoder.tiles_per_s)],
        *([f"tiles/s of {name}", speed(of)] for name, of in (encoder.restorer_speeds or {}).items()),
    ]
    return Table(["cost", ""], lines)


def clean_words(evidence: Evidence) -> str:
    """The score on clean tiles and what it was measured on, in a sentence."""
    found = clean_of(evidence.of_head)
    own = found or evidence.of_head[0]
    row = own.entry.successful[0]
    of = own.metrics.get(evidence.primary, {}) if found else {}
    runs = len(own.entry.successful)
    return (
        f"{evidence.primary} on clean tiles: {with_interval(evidence.clean, of.get('ci_low'), of.get('ci_high'))}, on "
        f"{row.n_test} test tiles of {row.n_groups} groups"
        + (f", the mean of {runs} runs" if runs > 1 else "")
        + ". Each table has the severity in its columns; restored tiles are those of the restorer with the lowest mean "
        "loss over the severities of the corruption, chosen on these tiles."
    )
