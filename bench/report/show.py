"""The leaderboard for a terminal: the models of each task from the best on, its failures, and what is not shown."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from bench import targets
from bench.report.rank_tables import Record, rank_records
from bench.report.restoration_tables import restoration_lines
from bench.report.robustness_text import robustness_lines
from bench.report.tables import number
from bench.results import (
    AggregatedResult,
    Block,
    LeaderboardData,
    ResultKey,
    is_restoration,
    protocol_names,
    restorers_of,
    robustness_of,
    robustness_tasks,
    task_names,
)
from bench.rows import Row
from registry.text_table import aligned

DIGITS = 3
LEGEND = (
    "(baseline): what the head does without a pretrained model. over baseline: the paired difference to the baseline "
    "that the model beats least; *+ where it is better than every baseline (*- worse), by the largest p of them, "
    "adjusted for the models of the task (Holm, 5 %); - where there is none on the same samples. Intervals and p are "
    "of these trained heads on other test patients; tasks.NAME.split.repeats=10 asks what other training patients "
    "would change."
)
SHOWS_ALL = "python -m bench report shows all"
LEGEND_OF_MEANS = " runs: what a line is the mean of, sd over them; 'only' where some failed or are missing."


def table_text(data: LeaderboardData, blocks: Collection[Block] | None = None) -> str:
    """The table of all tasks: a line a model and protocol, the mean over seeds and folds.

    Parameters
    ----------
    blocks : (task, cohort, protocol, head), as in `ResultKey.block`
        What to show of all that is in the results folder. The rest is named.
    """
    entries = [entry for entry in data.entries if blocks is None or entry.key.block in blocks]
    shown = {entry.key.block for entry in entries}
    hidden = sorted({entry.key.block for entry in data.entries} - shown)
    names, robust = task_names(entries), robustness_tasks(entries)
    texts = []
    for (task, cohort), group in itertools.groupby(entries, key=lambda entry: (entry.key.task, entry.key.cohort)):
        name, own = names[task, cohort], list(group)
        texts += ["\n".join(restoration_lines(restorers, name)) for restorers in restorers_of(data, own)]
        degraded = list(robustness_of(data, own)) if (task, cohort) in robust else []
        texts += ["\n".join(robustness_lines(robustness, name)) for robustness in degraded]
        others = [] if degraded else [entry for entry in own if not is_restoration(entry)]
        lines = [*(_block(data, name, others) if others else ()), *_not_shown(task, cohort, shown, hidden)]
        texts += ["\n".join(lines)] if lines else []
    if not entries:
        texts.append("No rows.")
    tasks = sorted({block[0] for block in hidden} - {block[0] for block in shown})
    if tasks:
        texts.append(f"not shown: rows of other tasks ({', '.join(tasks)}); {SHOWS_ALL}")
    if not all(is_restoration(entry) or (entry.key.task, entry.key.cohort) in robust for entry in entries):
        texts.append(LEGEND + (LEGEND_OF_MEANS if _of_several(entries) else ""))
    return "\n\n".join(texts)


def _not_shown(task: str, cohort: str, shown: Collection[Block], hidden: Sequence[Block]) -> Iterator[str]:
    """Sentences for what else there is of a task: of other cohorts, and of this one with other heads."""
    cohorts_shown = {block[1] for block in shown if block[0] == task}
    cohorts = sorted({block[1] for block in hidden if block[0] == task} - cohorts_shown)
    heads = [f"{block[2]} [{block[3]}]" for block in hidden if block[:2] == (task, cohort)]
    if cohorts:
        yield f"  not shown: rows of {task} with other samples, splits or metrics ({', '.join(cohorts)}); {SHOWS_ALL}"
    if heads:
        yield f"  not shown: rows of other heads or settings ({', '.join(heads)}); {SHOWS_ALL}"


def _block(data: LeaderboardData, name: str, entries: list[AggregatedResult]) -> Iterator[str]:
    """Lines of one task, whose entries are of the same samples."""
    rows = [row for entry in entries for row in entry.rows]
    successful = [row for row in rows if row.ok]
    primary = (successful or rows)[0].primary_metric
    samples, groups = _range(successful, "n_test"), _range(successful, "n_groups")
    folds = " in a fold" if any(row.fold for row in successful) else ""
    yield f"{name}  primary metric {primary}, {samples} test samples, {groups} groups{folds}"
    if successful:
        cells = list(_cells(data, [entry for entry in entries if entry.successful], primary))
        yield from (f"  {line}" for line in aligned(cells, left=2))
        yield from _detectable(data, entries, primary)
    for row in sorted(rows, key=lambda row: row.key):
        if not row.ok:
            fold = f" fold {row.fold}" if row.fold else ""
            yield f"  {row.status}: {_label(row)}, {row.protocol}, seed {row.seed}{fold}: {' '.join(row.error.split())}"
    notes = sorted({(note, _label(row)) for row in successful for note in row.all_notes})
    for note, noted in itertools.groupby(notes, key=lambda pair: pair[0]):
        yield f"  note: {', '.join(label for _, label in noted)}: {note}"


def _cells(data: LeaderboardData, entries: list[AggregatedResult], primary: str) -> Iterator[list[str]]:
    """The heading and a line an entry, the best mean of the primary metric first."""
    metrics = targets.get(entries[0].rows[0].kind).metrics
    others = sorted({name for e in entries for row in e.successful for name in row.metrics if name in metrics.metrics})
    others = [metric for metric in others if metric != primary]
    several = _of_several(entries)
    ranks = _ranks(data, entries)
    yield [
        *("model", "protocol", *(["runs"] * several), f"{primary} [95 %]", *(["rank [95 %]"] * bool(ranks))),
        *(*(["sd"] * several), *others, "over baseline [95 %]", "tiles/s"),
    ]
    protocols = protocol_names(entries)
    sign = 1.0 if metrics.lower_is_better(primary) else -1.0

    def best_first(entry: AggregatedResult) -> tuple[bool, float, object]:
        value = data.value(entry, primary)
        return value is None, sign * (value or 0.0), (entry.key.model, entry.key.frontend, entry.key)

    for entry in sorted(entries, key=best_first):
        value, interval = data.value(entry, primary), data.intervals.get((entry.key, primary))
        low, high = (interval.ci_low, interval.ci_high) if interval else (None, None)
        row = entry.rows[0]
        speeds = [row.tiles_per_s for row in entry.successful if row.tiles_per_s is not None]
        yield [
            f"{_label(row)} (baseline)" if row.baseline else _label(row),
            protocols[entry.key.protocol, entry.key.head],
            *([_runs(entry, primary, data.repeats.get(entry.key, 1))] * several),
            _interval(value, low, high),
            *([ranks.get(entry.key, "-")] * bool(ranks)),
            *([number(entry.sd(primary), DIGITS) or "-"] * several),
            *(number(data.value(entry, metric), DIGITS) or "-" for metric in others),
            _over_baseline(data, entry),
            number(statistics.fmean(speeds), 1) if speeds else "-",
        ]


def _ranks(data: LeaderboardData, entries: Sequence[AggregatedResult]) -> dict[ResultKey, str]:
    """The rank of each entry among all of its task and head, with its interval; of those that have one."""
    blocks = {entry.key.block for entry in entries}
    records = rank_records(block for block in data.ranked if block.block in blocks)
    return {_key(record): _rank(record) for record in records if record["rank"]}


def _key(record: Record) -> ResultKey:
    names = ("task", "cohort_hash", "protocol", "head_config_hash", "model", "frontend")
    return ResultKey(*(record[name] for name in names))


def _rank(record: Mapping[str, str]) -> str:
    rank, *bounds = (f"{float(record[name]):g}" if record[name] else "-" for name in ("rank", "ci_low", "ci_high"))
    return f"{rank} [{', '.join(bounds)}]"


def _detectable(data: LeaderboardData, entries: Sequence[AggregatedResult], primary: str) -> Iterator[str]:
    """What differences are too small for this test set, of each head; nothing where that is not known."""
    names = protocol_names(entries)
    blocks = sorted({entry.key.block for entry in entries} & data.detectable.keys())
    if blocks:
        values = {names[block[2:]]: number(data.detectable[block], DIGITS) for block in blocks}
        of_heads = [f"{value} ({name})" if len(names) > 1 else value for name, value in values.items()]
        yield (
            f"  differences in {primary} below {' or '.join(of_heads)} are not found with 80 % power "
            "(median over the pairs)"
        )


def _of_several(entries: Iterable[AggregatedResult]) -> bool:
    return any(entry.n_expected > 1 for entry in entries)


def _over_baseline(data: LeaderboardData, entry: AggregatedResult) -> str:
    """By how much it is better than its baselines, marked where that is more than chance."""
    found = data.over_baselines.get(entry.key)
    if not found:
        return "-"
    difference = found.comparison.difference
    return f"{_interval(difference.difference, *difference.interval, sign='+')} {found.mark or '  '}"


def _runs(entry: AggregatedResult, primary: str, repeats: int) -> str:
    """Such as ``3 seeds x 5 folds x 2 repeats``, and how many of these runs have a value where not all do."""
    seeds, folds = len(entry.seeds), entry.n_folds // repeats
    parts = [*([f"{seeds} seed" + "s" * (seeds > 1)] if seeds > 1 or not folds else [])]
    parts += [f"{folds} fold" + "s" * (folds > 1)] if folds and (folds > 1 or repeats == 1) else []
    parts += [f"{repeats} repeats"] if repeats > 1 else []
    valued = len(entry.values(primary))
    return " x ".join(parts) + (f", only {valued} of {entry.n_expected}" if valued < entry.n_expected else "")


def _label(row: Row) -> str:
    return f"{row.model}+{row.frontend}" if row.frontend else row.model


def _interval(value: float | None, low: float | None, high: float | None, sign: str = "") -> str:
    estimate, *bounds = (number(x, DIGITS, sign) or "-" for x in (value, low, high))
    return f"{estimate} [{', '.join(bounds)}]" if value is not None else "-"


def _range(rows: list[Row], field: str) -> str:
    known = [value for row in rows if (value := getattr(row, field)) is not None]
    return "-" if not known else str(known[0]) if min(known) == max(known) else f"{min(known)}-{max(known)}"
