"""The tables of the restoration task: a line a restorer, case and metric, and what of it fits a terminal."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping

from bench.report.answer import is_synthetic
from bench.report.layout import stacked
from bench.report.tables import Record, number
from bench.results import Against, AggregatedResult, LeaderboardData, Restorers, ResultKey, parted, restorers_of
from bench.targets import UNTOUCHED
from registry.text_table import WIDTH, aligned

DIGITS = {"psnr": 2, "ssim": 3, "lpips": 3}
LEGEND = (
    "cases won: corruptions at one severity, in brackets those that are won beyond chance: p over groups of tiles, "
    "against filters the largest of all of them, adjusted over all restorers and cases (Holm, 5 %). harmed: cases that "
    "are worse than none beyond chance. clean: restorers on clean tiles, where all that they change is harm. A PSNR is "
    "at most 100 dB, that of tiles without a difference. restoration.csv has every case with its intervals."
)
LPIPS = "An LPIPS is better the lower it is."


def restoration_records(data: LeaderboardData) -> list[Record]:
    """A line a restorer, corruption, severity and metric; the columns are `RESTORATION` of `track_columns`.

    ``over_none`` is the difference to the tiles that nothing restored, ``over_classical`` that to ``best_classical``,
    the best filter of the case; filters have the first alone, and clean tiles neither. A metric that no row has is left
    out. The p values are those of
    `bench.results.restoration`.
    """
    found = []
    for restorers in restorers_of(data, data.entries):
        for metric in restorers.metrics:
            over = (restorers.over_nothing(metric), restorers.over_filters(metric))
            lines = [_record(data, entry, metric, *over) for entry in restorers.by_name.values()]
            found += sorted(lines, key=lambda line: (line["corruption"], line["severity"], line["restorer"]))
    return found


def _record(
    data: LeaderboardData,
    entry: AggregatedResult,
    metric: str,
    over_nothing: Mapping[ResultKey, Against],
    over_filters: Mapping[ResultKey, Against],
) -> Record:
    row, interval = entry.successful[0], data.intervals.get((entry.key, metric))
    kind, severity = parted(row.frontend)
    best = over_filters.get(entry.key)
    return {
        "task": row.task,
        "restorer": row.model,
        "baseline": str(int(row.baseline)),
        "corruption": kind,
        "severity": str(severity or ""),
        "metric": metric,
        "value": number(data.value(entry, metric)),
        "ci_low": number(interval.ci_low if interval else None),
        "ci_high": number(interval.ci_high if interval else None),
        **_difference("over_none", "p_none", over_nothing.get(entry.key)),
        "best_classical": best.comparison.b.key.model if best else "",
        **_difference("over_classical", "p_classical", best),
        "n_test": str(row.n_test),
        "n_groups": str(row.n_groups),
        "tiles_per_s": number(row.tiles_per_s, 1),
        "cohort_hash": row.cohort_hash,
        "head_config_hash": row.head_config_hash,
    }


def _difference(name: str, p: str, against: Against | None) -> Record:
    found = against.comparison.difference if against else None
    low, high = found.interval if found else (None, None)
    return {
        name: number(found.difference if found else None),
        f"{name}_low": number(low),
        f"{name}_high": number(high),
        p: number(against.p if against else None),
        f"{p}_holm": number(against.p_holm if against else None),
    }


def restoration_answer(restorers: Restorers, name: str) -> Iterator[str]:
    """Which restorers win cases by the primary metric beyond chance, and which harm some."""
    rows = [row for entry in restorers.entries for row in entry.successful]
    if not rows:
        yield f"{name}  no restorer has a value"
        return
    metric, cases = restorers.metrics[0], len(restorers.cases)
    kinds = {parted(case)[0] for case in restorers.cases}
    yield (
        f"{name}  {_enumerated(restorers.metrics)} against the clean tiles, {rows[0].n_test} tiles, "
        f"{rows[0].n_groups} groups, {_counted(cases, 'case')} of {_counted(len(kinds), 'corruption')}"
    )
    for compared, rivals in (
        (restorers.over_nothing(metric), "tiles that nothing restored"),
        (restorers.over_filters(metric), "every filter"),
    ):
        won = Counter(key.model for key, one in compared.items() if one.better and one.beyond_chance)
        of_restorers = ", ".join(
            f"{model} in {won[model]} of {cases}" for model in sorted(won, key=lambda m: (-won[m], m))
        )
        if compared:
            yield f"  better in {metric} than {rivals}, beyond chance: {of_restorers or 'none in any case'}"
    over = restorers.over_nothing(metric)
    harmed = Counter(key.model for key, one in over.items() if not one.better and one.beyond_chance)
    if harmed:
        of_restorers = ", ".join(
            f"{model} in {harmed[model]}" for model in sorted(harmed, key=lambda m: (-harmed[m], m))
        )
        yield f"  Warning: worse than nothing, beyond chance: {of_restorers} of {cases}"


def restoration_lines(restorers: Restorers, name: str) -> Iterator[str]:
    """The means over severities of the primary metric, and a line a restorer with the cases that it won."""
    rows = [row for entry in restorers.entries for row in entry.successful]
    if rows:
        metrics = restorers.metrics
        kinds = sorted({parted(case)[0] for case in restorers.cases})
        yield f"{name}  means and cases won"
        for cells in stacked(list(_means(restorers, kinds, metrics[0])), WIDTH - 2):
            yield from (f"  {line}" for line in aligned(cells, left=1))
        yield from (f"  {line}" for line in aligned(list(_wins(restorers, metrics)), left=1))
        notes = sorted({note for row in rows for note in row.all_notes if not is_synthetic(note)})
        yield from (f"  note: {note}" for note in notes)
        yield f"{LEGEND} {LPIPS}" if "lpips" in metrics else LEGEND
    for entry in restorers.entries:
        for row in entry.rows:
            if not row.ok:
                yield f"  {row.status}: {row.model} on {row.frontend or 'clean tiles'}: {' '.join(row.error.split())}"


def _means(restorers: Restorers, kinds: list[str], metric: str) -> Iterator[list[str]]:
    """A line a corruption, a column a restorer."""
    severities = sorted({parted(case)[1] for case in restorers.cases})
    over = f", mean over severities {', '.join(map(str, severities))}" if len(severities) > 1 else ""
    yield [f"{metric}{over}", *restorers.names]
    for kind in kinds:
        cases = [case for case in restorers.cases if parted(case)[0] == kind]
        yield [kind, *(_mean(restorers, restorer, cases, metric) for restorer in restorers.names)]


def _mean(restorers: Restorers, restorer: str, cases: list[str], metric: str) -> str:
    values = [value for case in cases if (value := restorers.value(restorer, case, metric)) is not None]
    return number(statistics.fmean(values), DIGITS[metric]) if len(values) == len(cases) else "-"


def _wins(restorers: Restorers, metrics: list[str]) -> Iterator[list[str]]:
    """A line a restorer: cases won over filters and over none by each metric, and what it does to clean tiles."""
    over_filters, over_none = (
        [compared(metric) for metric in metrics] for compared in (restorers.over_filters, restorers.over_nothing)
    )
    with_filters = any(over_filters)
    yield [
        f"cases won, of {len(restorers.cases)} ({' / '.join(metrics)})",
        *(["over filters"] if with_filters else []),
        *("over none", "harmed", "clean", "tiles/s"),
    ]
    for restorer in restorers.names:
        if restorer == UNTOUCHED:
            continue
        filters, none = (
            [[one for key, one in of.items() if key.model == restorer] for of in side]
            for side in (over_filters, over_none)
        )
        clean = [(restorers.value(restorer, "", metric), DIGITS[metric]) for metric in metrics]
        yield [
            restorer,
            *([" / ".join(map(_won, filters))] if with_filters else []),
            " / ".join(map(_won, none)),
            " / ".join(str(sum(one.beyond_chance and not one.better for one in own)) for own in none),
            " / ".join(number(value, digits) or "-" for value, digits in clean),
            _rate(restorers, restorer),
        ]


def _enumerated(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _won(against: list[Against]) -> str:
    won = [one for one in against if one.better]
    return f"{len(won)} ({sum(one.beyond_chance for one in won)})" if against else "-"


def _rate(restorers: Restorers, restorer: str) -> str:
    """Tiles a second of a restorer alone, the mean over its rows."""
    rows = [row for (name, _), entry in restorers.by_name.items() if name == restorer for row in entry.successful]
    rates = [row.tiles_per_s for row in rows if row.tiles_per_s is not None]
    return number(statistics.fmean(rates), 1) if rates else "-"
