"""What of a robustness task fits a terminal: which encoder loses least, what restorers give back, and one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report.tables import number
from bench.results import AUGMENTED, BEST_CLASSICAL, CLASSICAL, Robustness, Summary, mean_over_cases
from bench.statistics import Studentised
from bench.targets import UNTOUCHED
from registry.text_table import aligned

DIGITS = 3
USUAL_HEAD = "linear"
MOST = 5
"""Encoders, restorers and failures that are named one by one."""
LEGEND = (
    "A case is a corruption at one severity. clean: the score on clean tiles, behind the restorer too.",
    "lost: the score on clean tiles that nothing restored, less the mean over cases.",
    "rCE: errors on corrupted tiles as a multiple of those on clean ones. ECE, cosine, top1: means over cases.",
    "recovery: the share of the distance between features that the restorer takes back; below 0 it harms.",
    "better, worse: cases changed by the restorer beyond chance (Holm, 5 %). *: baseline.",
    "best classical: the best filter of each case, chosen on these test tiles: an upper bound of what filters give.",
    "augmented head: trained on clean and corrupted tiles, nothing restored. All cases: robustness.csv.",
)


@dataclass(frozen=True)
class _Shown:
    """The head that is printed of all, with its summaries, and the names of the others."""

    protocol: str
    summaries: list[Summary]
    augmented: dict[str, Summary]
    others: list[str]


def robustness_answer(robustness: Robustness, name: str) -> Iterator[str]:
    """Which encoder loses least with the usual head, what restorers give back, and what they harm."""
    shown = _shown(robustness)
    yield from _opening(robustness, shown.summaries, name, shown.protocol)
    if shown.summaries:
        yield from (f"  {line}" for line in _loses_least(shown.summaries))
        yield from (f"  {line}" for line in _gives_back(shown.summaries, shown.augmented))
        yield from (f"  {line}" for line in _harms(shown.summaries))


def robustness_lines(robustness: Robustness, name: str) -> Iterator[str]:
    """A table of the usual head; its lines have 120 columns at most with names of 26."""
    shown = _shown(robustness)
    yield f"{name}  {shown.protocol or 'features'}"
    cells = list(_cells(robustness, shown.summaries, shown.augmented))
    yield from (f"  {line}" for line in aligned(cells, left=1))
    if shown.others:
        yield f"  other heads ({', '.join(shown.others)}): robustness_summary.csv"
    yield from (f"  {line}" for line in _remarks(robustness))
    yield from LEGEND


def _shown(robustness: Robustness) -> _Shown:
    heads = [one for one in robustness.summaries if not one.first.of_features]
    protocols = list(dict.fromkeys(one.first.protocol for one in heads))
    plain = [protocol for protocol in protocols if not protocol.endswith(AUGMENTED)] or protocols
    shown = USUAL_HEAD if USUAL_HEAD in plain else plain[0] if plain else ""
    with_corrupted = (one for one in heads if one.first.protocol == shown + AUGMENTED)
    return _Shown(
        protocol=shown,
        summaries=[one for one in heads if one.first.protocol == shown],
        augmented={one.first.model: one for one in with_corrupted if one.restorer == UNTOUCHED},
        others=[one for one in plain if one != shown],
    )


def _opening(robustness: Robustness, own: Sequence[Summary], name: str, shown: str) -> Iterator[str]:
    row = robustness.conditions[0].entry.successful[0]
    cases = {one.case for one in robustness.conditions if not one.clean}
    severities = ", ".join(str(severity) for severity in sorted({severity for _, severity in cases}))
    scored = f"{own[0].first.primary} of {shown} and " if own else ""
    yield f"{name}  {scored}features against those of clean tiles, {row.n_test} tiles, {row.n_groups} groups"
    yield f"  {len(cases)} cases: {len({kind for kind, _ in cases})} corruptions, severities {severities or '-'}"


def _loses_least(own: Sequence[Summary]) -> Iterator[str]:
    """The encoders that lose least and most, and the baselines."""
    none = [one for one in own if one.restorer == UNTOUCHED and one.contrast]
    encoders = sorted((one for one in none if not one.first.baseline), key=_loss)
    if encoders:
        first, last = encoders[0], encoders[-1]
        word = f"{first.first.model} loses least" if len(encoders) > 1 else f"{first.first.model} loses"
        yield f"{word}: {_lost(first)}"
        if len(encoders) > 1:
            yield f"{last.first.model} loses most: {_lost(last)}"
    baselines = sorted((one for one in none if one.first.baseline), key=_loss)
    if baselines:
        yield f"baselines: {'; '.join(f'{one.first.model} {_lost(one, short=True)}' for one in baselines[:2])}"


def _loss(summary: Summary) -> float:
    return summary.contrast.loss.difference if summary.contrast else 0.0


def _lost(summary: Summary, short: bool = False) -> str:
    assert summary.contrast
    loss, share = summary.contrast.loss, summary.contrast.relative_loss.difference
    clean = number(summary.clean.score if summary.clean else None, DIGITS)
    value = number(loss.difference, DIGITS) if short else _interval(loss)
    return f"{value} of {clean}" if short else f"{value} of {clean} ({share:.0%}), mean over cases"


def _gives_back(own: Sequence[Summary], augmented: dict[str, Summary]) -> Iterator[str]:
    """For each encoder the restorer that gives most back, beside what needs no restorer or the answer."""
    encoders = {model: of for model, of in _by_model(own).items() if not of[0].first.baseline}
    for model, of_model in list(encoders.items())[:MOST]:
        restorers = [one for one in of_model if one.restorer not in (UNTOUCHED, BEST_CLASSICAL)]
        gains = [(one.contrast.over_none, one) for one in restorers if one.contrast and one.contrast.over_none]
        if not gains:
            continue
        gain, best = max(gains, key=lambda pair: pair[0].difference)
        none = next(one for one in of_model if one.restorer == UNTOUCHED)
        some = "" if len(best.cases) == len(none.cases) else f" over {_cases(best)}"
        share = f", {best.recovery:.0%} of the loss" if best.recovery is not None and best.recovery > 0 else ""
        if gain.interval[0] > 0:
            yield f"{best.restorer} gives {model} most back: {_interval(gain, '+')}{share}{some}"
        else:
            found = f"the most is {best.restorer}, {_interval(gain, '+')}{some}"
            yield f"no restorer gives {model} anything back beyond chance; {found}"
        yield from _beside(of_model, none, augmented.get(model))


def _beside(of_model: Sequence[Summary], none: Summary, augmented: Summary | None) -> Iterator[str]:
    parts = []
    best = next((one for one in of_model if one.restorer == BEST_CLASSICAL), None)
    if best and best.contrast and best.contrast.over_none:
        parts.append(f"the best filter of each case {number(best.contrast.over_none.difference, DIGITS, '+')}")
    if augmented is not None and augmented.mean is not None and none.mean is not None:
        parts.append(f"a head trained on corrupted tiles {number(augmented.mean - none.mean, DIGITS, '+')}")
    if parts:
        yield f"  beside it: {', '.join(parts)}"


def _harms(own: Sequence[Summary]) -> Iterator[str]:
    """The restorers that make cases or clean tiles worse beyond chance, over all encoders, the most harmful first."""
    found: dict[str, list[Summary]] = defaultdict(list)
    for one in own:
        if one.changes and not one.first.baseline:
            found[one.restorer].append(one)
    harmful = {name: of for name, of in found.items() if any(c.harms for one in of for c in one.changes.values())}
    order = sorted(harmful, key=lambda name: (-sum(one.harmed for one in harmful[name]), name))
    for name in order[:MOST]:
        own = harmful[name]
        cases = sum(len(one.cases) for one in own)
        worst = min(
            ((c.comparison, case) for one in own for case, c in one.changes.items() if c.harms),
            key=lambda pair: -abs(pair[0].difference.difference),
        )
        kind, severity = worst[1]
        case = f"{kind}_{severity}" if kind else "clean tiles"
        clean = sum(one.changes[("", 0)].harms for one in own if ("", 0) in one.changes)
        harmed = sum(one.harmed for one in own)
        parts = [f"{harmed} of {cases} cases"] if harmed else []
        parts += [f"clean tiles of {clean} of {len(own)} encoders"] if clean else []
        change = number(worst[0].difference.difference, DIGITS, "+")
        yield f"{name} harms {' and '.join(parts)}; most {case} of {worst[0].a.key.model}, {change}"
    if len(order) > MOST:
        yield f"so do {', '.join(order[MOST:])}"
    if found and not order:
        yield "no restorer harms any case or clean tiles beyond chance"


def _cells(robustness: Robustness, own: Sequence[Summary], augmented: dict[str, Summary]) -> Iterator[list[str]]:
    """A line an encoder and restorer that is no single filter; baselines without a restorer only."""
    of_features = {
        (one.first.model, one.restorer): one for one in robustness.summaries if one.first.of_features
    }  # the best filter by cosine is not always that by score: each column has its own
    models = _by_model(own) or _by_model(list(of_features.values()))
    yield ["", "clean", "lost [95 %]", "rCE", "ECE", "cosine", "top1", "recovery", "better", "worse"]
    for model, of_model in models.items():
        baseline = of_model[0].first.baseline
        for one in of_model:
            if one.restorer in CLASSICAL or (baseline and one.restorer != UNTOUCHED):
                continue
            few = f" ({_cases(one)})" if len(one.cases) < len(of_model[0].cases) else ""
            label = f"{model}{'*' if baseline else ''}" if one.restorer == UNTOUCHED else f"  {one.restorer}{few}"
            yield [label, *_head_cells(one), *_feature_cells(of_features.get((model, one.restorer))), *_counts(one)]
        if model in augmented and not baseline:
            yield ["  augmented head", *_head_cells(augmented[model]), *["-"] * 5]


def _head_cells(one: Summary) -> list[str]:
    if one.first.of_features:
        return ["-"] * 4
    clean = one.clean if one.restorer == UNTOUCHED else one.on_clean
    return [
        _number(clean.score if clean else None),
        _interval(one.contrast.loss) if one.contrast else "-",
        _number(one.rce, 2),
        _number(mean_over_cases(one.cases, "ece")),
    ]


def _feature_cells(one: Summary | None) -> list[str]:
    if one is None:
        return ["-"] * 3
    return [*(_number(mean_over_cases(one.cases, name)) for name in ("cosine", "top1")), _number(one.recovery, 2, "+")]


def _cases(one: Summary) -> str:
    return f"{len(one.cases)} case" + "s" * (len(one.cases) > 1)


def _counts(one: Summary) -> list[str]:
    return [str(one.helped), str(one.harmed)] if one.changes else ["-", "-"]


def _remarks(robustness: Robustness) -> Iterator[str]:
    """Chains that have no place in the table, failures, and notes of the rows."""
    chains = sorted({entry.key.frontend for entry in robustness.left_out})
    if chains:
        named = ", ".join(chains[:MOST]) + (", ..." if len(chains) > MOST else "")
        yield f"left out: {len(robustness.left_out)} results behind {len(chains)} chains of another form ({named})"
    block = robustness.block
    failed = [
        row
        for entry in robustness.data.entries
        if (entry.key.task, entry.key.cohort) == block
        for row in entry.rows
        if not row.ok
    ]
    for row in failed[:MOST]:
        where = row.frontend or "clean tiles"
        yield f"{row.status}: {row.model} behind {where}, {row.protocol}: {' '.join(row.error.split())}"
    if len(failed) > MOST:
        lost = any(row.status == "lost" for row in failed[MOST:])
        yield f"And {len(failed) - MOST} more failed{' or are lost' if lost else ''}."
    notes = {note for one in robustness.conditions for row in one.entry.successful for note in row.all_notes}
    yield from (f"note: {note}" for note in sorted(notes))


def _by_model(summaries: Sequence[Summary]) -> dict[str, list[Summary]]:
    """Encoders before baselines, each in the order of its restorers."""
    found: dict[str, list[Summary]] = {}
    for one in sorted(summaries, key=lambda one: one.first.baseline):
        found.setdefault(one.first.model, []).append(one)
    return found


def _interval(found: Studentised, sign: str = "") -> str:
    low, high = (number(bound, DIGITS, sign) or "-" for bound in found.interval)
    return f"{number(found.difference, DIGITS, sign)} [{low}, {high}]"


def _number(value: float | None, digits: int = DIGITS, sign: str = "") -> str:
    return number(value, digits, sign) or "-"
