"""The lines of the leaderboard's tables: runs, means over seeds and folds, models by task, and paired differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

from bench.results import (
    AggregatedResult,
    Comparison,
    LeaderboardData,
    baselines_of,
    best_baseline,
    protocol_names,
    task_names,
)
from bench.rows import Row

LONG = (
    "task", "kind", "model", "frontend", "protocol", "seed", "fold", "metric", "value", "ci_low", "ci_high", "interval",
    "n_train", "n_test", "n_groups", "baseline_value", "feature_dim", "params_m", "tiles_per_s", "status", "error",
    "cohort_hash", "head_config_hash", "run_hash", "version",
)  # fmt: skip
MEAN = (
    "task", "kind", "model", "frontend", "protocol", "metric", "value", "ci_low", "ci_high", "interval", "sd", "n_runs",
    "n_seeds", "n_folds", "n_failed", "baseline_value", "cohort_hash", "head_config_hash",
)  # fmt: skip
PAIRED = (
    "task", "protocol", "metric", "n_runs", "model_a", "frontend_a", "model_b", "frontend_b", "difference", "ci_low",
    "ci_high", "p", "p_by", "p_holm", "p_holm_suite", "p_bh", "p_better", "margin", "p_equivalent", "detectable",
    "n_test", "n_groups", "cohort_hash", "head_config_hash",
)  # fmt: skip
MARGIN = 0.02
"""Of equivalence, in units of a metric from 0 to 1: two models that differ by less are alike for most uses."""
Record = dict[str, str]


def long_records(entries: Sequence[AggregatedResult]) -> Iterator[Record]:
    """A line a run and metric, a line a failed run; `baseline_value` is the best baseline of that line."""
    for _, block in itertools.groupby(entries, key=lambda entry: entry.key.block):  # bounds the lines in memory
        yield from _long_records_of(list(block))


def _long_records_of(entries: Sequence[AggregatedResult]) -> list[Record]:
    """The lines of one block."""
    records = []
    for entry, baselines in _with_baselines(entries):
        for row in entry.rows:
            for metric, interval in (row.metrics if row.ok and row.metrics else {"": {}}).items():
                best = best_baseline(metric, baselines, [(row.seed, row.fold)])
                record = {
                    **_of(row),
                    "seed": str(row.seed),
                    "fold": str(row.fold or ""),
                    "metric": metric,
                    **{name: number(interval.get(name)) for name in ("value", "ci_low", "ci_high")},
                    "interval": row.interval_of(metric),
                    **{
                        name: number(getattr(row, name), 0) for name in ("n_train", "n_test", "n_groups", "feature_dim")
                    },
                    "baseline_value": number(best[0] if best else None),
                    "params_m": number(row.params_m, 2),
                    "tiles_per_s": number(row.tiles_per_s, 1),
                    "status": row.status,
                    "error": " ".join(row.error.split()),
                    "run_hash": row.run_hash,
                    "version": row.version,
                }
                key = entry.key
                records.append((*key.block, metric, row.model, row.frontend, row.seed, row.fold, record))
    return [record for *_, record in sorted(records, key=lambda entry: entry[:-1])]


def mean_records(data: LeaderboardData) -> list[Record]:
    """A line an entry and metric, a line an entry of which all runs failed.

    `baseline_value` is the best baseline over the runs of that line; where `n_runs` is below `n_seeds` by `n_folds`,
    runs failed or are missing.
    """
    records = []
    for entry, baselines in _with_baselines(data.entries):
        row = (entry.successful or entry.rows)[0]
        for metric in sorted({metric for row in entry.successful for metric in row.metrics}) or [""]:
            values = entry.values(metric)
            interval = data.intervals.get((entry.key, metric))
            best = best_baseline(metric, baselines, values)
            record = {
                **_of(row),
                "metric": metric,
                "value": number(data.value(entry, metric)),
                "ci_low": number(interval.ci_low if interval else None),
                "ci_high": number(interval.ci_high if interval else None),
                "interval": entry.interval_of(metric) if interval else "",
                "sd": number(entry.sd(metric)),
                "n_runs": str(len(values)),
                "n_seeds": str(len(entry.seeds)),
                "n_folds": str(entry.n_folds),
                "n_failed": str(len(entry.rows) - len(entry.successful)),
                "baseline_value": number(best[0] if best else None),
            }
            records.append((*entry.key.block, metric, row.model, row.frontend, record))
    return [record for *_, record in sorted(records, key=lambda entry: entry[:-1])]


def wide_records(data: LeaderboardData) -> list[Record]:
    """A line a protocol, model and frontend; a column a task with its primary metric, the mean over seeds and folds.

    Digests distinguish results of one task on different cohorts, and of one protocol at different settings.
    """
    entries = data.entries
    tasks, protocols = task_names(entries), protocol_names(entries)
    columns = dict.fromkeys(sorted(tasks.values()), "")
    lines: dict[tuple[str, str, str], Record] = {}
    for entry in entries:
        key = entry.key
        protocol, task = protocols[key.protocol, key.head], tasks[key.task, key.cohort]
        line = lines.setdefault(
            (protocol, key.model, key.frontend),
            {"protocol": protocol, "model": key.model, "frontend": key.frontend, **columns},
        )
        line[task] = number(data.value(entry, (entry.successful or entry.rows)[0].primary_metric))
    return [lines[name] for name in sorted(lines)]


def paired_records(data: LeaderboardData, margin: float = MARGIN) -> Iterator[Record]:
    """A line a comparison; `margin`, above 0, is that of `p_equivalent`."""

    def order(c: Comparison) -> tuple[object, ...]:
        return *c.a.key.block, c.metric, c.a.key, c.b.key

    for c in sorted(data.differences.values(), key=order):
        yield {
            "task": c.a.key.task,
            "protocol": c.a.key.protocol,
            "metric": c.metric,
            "n_runs": str(c.n_runs),
            "model_a": c.a.key.model,
            "frontend_a": c.a.key.frontend,
            "model_b": c.b.key.model,
            "frontend_b": c.b.key.frontend,
            "difference": number(c.difference.difference),
            "ci_low": number(c.difference.interval[0]),
            "ci_high": number(c.difference.interval[1]),
            "p": number(c.p),
            "p_by": c.p_by,
            "p_holm": number(data.adjusted[c.key].holm),
            "p_holm_suite": number(data.adjusted[c.key].holm_suite),
            "p_bh": number(data.adjusted[c.key].benjamini_hochberg),
            "p_better": number(c.p_better),
            "margin": number(margin),
            "p_equivalent": number(c.p_equivalent(margin)),
            "detectable": number(c.difference.detectable),
            "n_test": str(c.n_test),
            "n_groups": str(c.n_groups),
            "cohort_hash": c.a.key.cohort,
            "head_config_hash": c.a.key.head,
        }


def number(value: float | None, digits: int = 6, sign: str = "") -> str:
    """Fixed precision; empty for a value that is not known, and no negative zero."""
    if value is None or math.isnan(value):
        return ""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def _with_baselines(entries: Iterable[AggregatedResult]) -> Iterator[tuple[AggregatedResult, list[AggregatedResult]]]:
    """Each entry with the baselines that apply to it; entries are ordered by task and protocol."""
    for _, block in itertools.groupby(entries, key=lambda entry: entry.key.block):
        own = list(block)
        baselines = [entry for entry in own if entry.rows[0].baseline]
        yield from ((entry, baselines_of(entry, baselines)) for entry in own)


def _of(row: Row) -> Record:
    """What the runs of a line share."""
    shared = ("task", "kind", "model", "frontend", "protocol", "cohort_hash", "head_config_hash")
    return {name: getattr(row, name) for name in shared}
