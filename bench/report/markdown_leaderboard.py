"""leaderboard.md, for a forge: each task and head with its models and intervals, and what each model costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bench import targets
from bench.report.markdown import markdown_table, plain
from bench.report.model_table import cohorts_seen
from bench.report.rank_tables import rank_records
from bench.report.report_files import ReportFiles
from bench.report.robustness_tables import robustness_summary_records
from bench.report.tables import Record, number
from bench.results import (
    AggregatedResult,
    LeaderboardData,
    ModelFacts,
    ResultKey,
    differing_settings,
    is_restoration,
    models_of,
    protocol_names,
    robustness_tasks,
    task_names,
)
from bench.verdicts import page_links

FILE = "leaderboard.md"
DIGITS = 3
MARKS = {"stated": "†", "inferred": "‡", "unknown": "(?)"}
SAW = {
    "stated": "by its authors' statement it saw a cohort of this task in pretraining.",
    "inferred": "by inference it saw a cohort of this task in pretraining.",
    "unknown": "whether it saw a cohort of this task in pretraining is not known.",
}
LEGEND = (
    "In brackets are 95 % intervals over the groups (patients) of the test samples. *over next* is the paired "
    "difference to the model or baseline in the next line, with p adjusted for all pairs of the task, head and metric "
    "(Holm). *over baseline* is that to the baseline which the model beats least, with *better* or *worse* where "
    "that holds against every baseline beyond chance (Holm, 5 %). † marks a model that saw a cohort of the task in "
    "pretraining by its authors' statement, ‡ by inference, (?) one of which that is not known. All numbers are in the "
    "CSV files beside this page; "
    "[leaderboard_schema.json](leaderboard_schema.json) says what their columns mean."
)


def write_markdown(report: ReportFiles) -> dict[str, Path]:
    """``leaderboard.md``."""
    return {"leaderboard for a forge": report.write(FILE, markdown_text(report.data, report.folder))}


def markdown_text(data: LeaderboardData, folder: Path | None = None) -> str:
    """The page: a section a task with a table a head, and the models at the end.

    Parameters
    ----------
    folder : Path or None
        Where the page will lie: it links the pages of audits there.
    """
    audits = page_links(folder, data.audit_folders, "md") if folder else {}
    names, heads = task_names(data.entries), protocol_names(data.entries)
    robust, settings = robustness_tasks(data.entries), differing_settings(data.entries)
    ranks = {_key(record): record for record in rank_records(data.ranked)}
    lines = ["# Leaderboard", "", LEGEND, *itertools.chain(*(("", plain(one)) for one in data.left_out.sentences))]
    for cohort, group in itertools.groupby(data.entries, key=lambda entry: (entry.key.task, entry.key.cohort)):
        own = list(group)
        lines += ["", f"## {plain(names[cohort])}", *_audit(data, cohort, audits.get(cohort, []))]
        if cohort in robust:
            lines += ["", *_robustness(data, cohort)]
        elif is_restoration(own[0]):
            lines += ["", "Restorers by corruption and severity are in [restoration.csv](restoration.csv)."]
        else:
            for head, of_head in itertools.groupby(own, key=lambda entry: (entry.key.protocol, entry.key.head)):
                label = f"{head[0]} ({settings[head]})" if settings[head] else heads[head]
                lines += ["", f"### {plain(names[cohort])}, {plain(label)}", "", *_head(data, list(of_head), ranks)]
        lines += _below(own)
    lines += ["", "## Models", "", *_models(models_of(data.entries))]
    return "\n".join(lines) + "\n"


def _audit(data: LeaderboardData, cohort: tuple[str, str], pages: Sequence[str]) -> list[str]:
    """What the audits of a task found, with their pages where they are there; nothing where there was none."""
    badge = data.audits.get(cohort, "")
    names = ["Audit", *(f"audit {number}" for number in range(2, len(pages) + 1))]
    links = ", ".join(f"[{name}]({page})" for name, page in zip(names, pages, strict=True)) if pages else "Audit"
    return ["", f"{links}: {plain(badge)}."] if badge else []


def _head(
    data: LeaderboardData, entries: Sequence[AggregatedResult], ranks: Mapping[ResultKey, Record]
) -> Iterator[str]:
    """What was tested, and a line a model, the best first."""
    valued = [entry for entry in entries if entry.successful]
    if not valued:
        yield "Every run failed."
        return
    row = valued[0].successful[0]
    metric = row.primary_metric
    lower = targets.get(row.kind).metrics.lower_is_better(metric)
    tested = [(one.n_test or 0, one.n_groups or 0) for entry in valued for one in entry.successful]
    folds = " in a fold" if any(one.fold for entry in valued for one in entry.successful) else ""
    yield (
        f"{plain(metric)} ({'lower' if lower else 'higher'} is better), {max(tested)[0]} test samples of "
        f"{max(tested)[1]} groups{folds}."
    )
    yield ""

    def best_first(entry: AggregatedResult) -> tuple[bool, float, ResultKey]:
        value = data.value(entry, metric)
        return value is None, (value or 0.0) * (1 if lower else -1), entry.key

    ordered = sorted(valued, key=best_first)
    rows = [
        _cells(data, entry, after, metric, ranks)
        for entry, after in itertools.zip_longest(ordered, ordered[1:])
        if entry is not None
    ]
    heading = ["rank", "model", f"{plain(metric)} [95 %]", "over next [95 %], p", "over baseline [95 %]", "runs"]
    yield from markdown_table(heading, rows, right=(5,))
    yield from _contamination(data, ordered)


def _cells(
    data: LeaderboardData,
    entry: AggregatedResult,
    after: AggregatedResult | None,
    metric: str,
    ranks: Mapping[ResultKey, Record],
) -> list[str]:
    interval = data.intervals.get((entry.key, metric))
    bounds = (interval.ci_low, interval.ci_high) if interval else (None, None)
    mark = MARKS.get(data.contaminated[entry.key].level, "")
    name = f"*{_name(entry)}* (baseline)" if entry.rows[0].baseline else f"**{_name(entry)}**"
    runs = len(entry.values(metric))
    return [
        _rank(ranks.get(entry.key)),
        f"{name} {mark}".rstrip(),
        _estimate(data.value(entry, metric), *bounds),
        _over_next(data, entry, after, metric) if after else "",
        _over_baseline(data, entry),
        str(runs) if runs == entry.n_expected else f"{runs} of {entry.n_expected}",
    ]


def _over_next(data: LeaderboardData, entry: AggregatedResult, after: AggregatedResult, metric: str) -> str:
    for sign, pair in ((1, (entry.key, after.key, metric)), (-1, (after.key, entry.key, metric))):
        if found := data.differences.get(pair):
            low, high = sorted(sign * bound for bound in found.difference.interval)
            p = number(data.adjusted[pair].holm, DIGITS)
            return _estimate(sign * found.difference.difference, low, high, "+") + (f", p {p}" if p else "")
    return ""


def _over_baseline(data: LeaderboardData, entry: AggregatedResult) -> str:
    found = data.over_baselines.get(entry.key)
    if found is None:
        return ""
    difference = found.comparison.difference
    word = {"*+": " better", "*-": " worse"}.get(found.mark, "")
    return _estimate(difference.difference, *difference.interval, "+") + word


def _contamination(data: LeaderboardData, entries: Iterable[AggregatedResult]) -> Iterator[str]:
    """A sentence for each mark of the table."""
    for entry in entries:
        level, evidence = data.contaminated[entry.key]
        if level in MARKS:
            yield ""
            yield f"{MARKS[level]} {_name(entry)}: {plain(evidence) or SAW[level]}"


def _robustness(data: LeaderboardData, cohort: tuple[str, str]) -> Iterator[str]:
    """A line an encoder, head and restorer, over all corruptions."""
    heading = ["head", "model", "restorer", "metric", "clean", "mean over corruptions", "lost [95 %]", "recovery"]
    records = (
        record for record in robustness_summary_records(data) if (record["task"], record["cohort_hash"]) == cohort
    )
    rows = (
        [
            *(plain(record[name]) for name in ("protocol", "model", "restorer", "metric", "clean", "mean")),
            f"{record['loss']} [{record['loss_low']}, {record['loss_high']}]" if record["loss"] else "",
            record["recovery"],
        ]
        for record in records
    )
    yield from markdown_table(heading, rows, right=(4, 5, 7))
    yield ""
    yield "Each corruption is in [robustness.csv](robustness.csv)."


def _below(entries: Sequence[AggregatedResult]) -> Iterator[str]:
    """What failed, and what the rows note."""
    notes: dict[str, list[str]] = {}
    for entry in entries:
        for row in entry.rows:
            if not row.ok:
                fold = f" fold {row.fold}" if row.fold else ""
                yield ""
                yield f"{row.status}: {_name(entry)}, {plain(row.protocol)}, seed {row.seed}{fold}: {plain(row.error)}"
            for note in row.all_notes if row.ok else ():
                notes.setdefault(note, []).append(_name(entry))
    for note, models in sorted(notes.items()):
        yield ""
        yield f"note: {', '.join(dict.fromkeys(models))}: {plain(note)}"


def _models(models: Sequence[ModelFacts]) -> Iterator[str]:
    heading = [
        *(
            "model",
            "parameters, 1e6",
            "GMACs a tile",
            "dim",
            "tiles/s",
            "peak memory, MiB",
            "device",
            "licence",
            "gated",
        ),
        "cohorts seen in pretraining",
    ]
    rows = (
        [
            plain(model.name),
            number(model.params_m, 1),
            number(model.card.gmacs, 2),
            "" if model.dim is None else str(model.dim),
            number(model.tiles_per_s, 1),
            number(model.peak_memory_mib, 0),
            plain(model.device),
            plain(model.card.licence),
            {True: "yes", False: "no", None: ""}[model.card.gated],
            plain(cohorts_seen(model.card)),
        ]
        for model in models
    )
    yield from markdown_table(heading, rows, right=range(1, 6))


def _name(entry: AggregatedResult) -> str:
    key = entry.key
    return plain(f"{key.model}+{key.frontend}" if key.frontend else key.model)


def _key(record: Record) -> ResultKey:
    names = ("task", "cohort_hash", "protocol", "head_config_hash", "model", "frontend")
    return ResultKey(*(record[name] for name in names))


def _rank(record: Record | None) -> str:
    if record is None or not record["rank"]:
        return ""
    rank, *bounds = (
        f"{float(cell):g}" if cell else "" for cell in (record["rank"], record["ci_low"], record["ci_high"])
    )
    return f"{rank} [{', '.join(bounds)}]" if all(bounds) else rank


def _estimate(value: float | None, low: float | None, high: float | None, sign: str = "") -> str:
    estimate, *bounds = (number(x, DIGITS, sign) for x in (value, low, high))
    return f"{estimate} [{', '.join(bounds)}]" if all(bounds) else estimate
