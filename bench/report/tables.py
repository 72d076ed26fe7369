"""The lines of the leaderboard's tables: runs, means over seeds and folds, and paired differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from bench.results import (
    AggregatedResult,
    Comparison,
    LeaderboardData,
    baselines_of,
    best_baseline,
    contamination_of,
    frozen_status,
    task_digest_of,
)
from bench.rows import Row

MARGIN = 0.02
"""Of equivalence, in units of a metric from 0 to 1: two models that differ by less are alike for most uses."""
Record = dict[str, str]


def long_records(
    entries: Sequence[AggregatedResult], audits: Mapping[tuple[str, str], str] = MappingProxyType({})
) -> Iterator[Record]:
    """A line a run and metric, a line a failed run; the columns are `bench.report.leaderboard_columns.LONG`.

    Parameters
    ----------
    audits : mapping of (task, cohort hash) -> str
        The badges of audited tasks (`LeaderboardData.audits`).
    """
    for _, block in itertools.groupby(entries, key=lambda entry: entry.key.block):  # bounds the lines in memory
        yield from _long_records_of(list(block), audits)


def _long_records_of(entries: Sequence[AggregatedResult], audits: Mapping[tuple[str, str], str]) -> list[Record]:
    """The lines of one block."""
    records = []
    for entry, baselines in _with_baselines(entries):
        seen = contamination_cells(entry)
        for row in entry.rows:
            shared = _of(row)
            for metric, interval in (row.metrics if row.ok and row.metrics else {"": {}}).items():
                best = best_baseline(metric, baselines, [(row.seed, row.fold)])
                record = {
                    **shared,
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
                    **seen,
                    "audit": audits.get(entry.key.block[:2], ""),
                }
                key = entry.key
                records.append((*key.block, metric, row.model, row.frontend, row.seed, row.fold, record))
    return [record for *_, record in sorted(records, key=lambda entry: entry[:-1])]


def mean_records(data: LeaderboardData) -> list[Record]:
    """A line an entry and metric, a line an entry of which all runs failed; the columns are `MEAN`.

    `baseline_value` is the best baseline over the runs of that line; where `n_runs` is below `n_seeds` by `n_folds`,
    runs failed or are missing.
    """
    records = []
    for entry, baselines in _with_baselines(data.entries):
        row, seen = (entry.successful or entry.rows)[0], contamination_cells(entry)
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
                **seen,
                "audit": data.audits.get(entry.key.block[:2], ""),
            }
            records.append((*entry.key.block, metric, row.model, row.frontend, record))
    return [record for *_, record in sorted(records, key=lambda entry: entry[:-1])]


def paired_records(data: LeaderboardData, margin: float = MARGIN) -> Iterator[Record]:
    """A line a comparison; the columns are `PAIRED`. `margin`, above 0, is that of `p_equivalent`."""

    def order(c: Comparison) -> tuple[object, ...]:
        return *c.a.key.block, c.metric, c.a.key, c.b.key

    for c in sorted(data.differences.values(), key=order):
        low, high = c.difference.interval
        adjusted = data.adjusted[c.key]
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
            "ci_low": number(low),
            "ci_high": number(high),
            "p": number(c.p),
            "p_by": c.p_by,
            "p_holm": number(adjusted.holm),
            "p_holm_suite": number(adjusted.holm_suite),
            "p_bh": number(adjusted.benjamini_hochberg),
            "p_better": number(c.p_better),
            "margin": number(margin),
            "p_equivalent": number(c.p_equivalent(margin)),
            "detectable": number(c.difference.detectable),
            "n_test": str(c.n_test),
            "n_groups": str(c.n_groups),
            "cohort_hash": c.a.key.cohort,
            "head_config_hash": c.a.key.head,
            "contaminated_a": data.contaminated[c.a.key].level,
            "contaminated_b": data.contaminated[c.b.key].level,
            "audit": data.audits.get(c.a.key.block[:2], ""),
        }


def contamination_cells(entry: AggregatedResult) -> Record:
    """Whether the model saw the task's cohorts in pretraining, and by whose word."""
    found = contamination_of(entry.rows)
    return {"contaminated": found.level, "contamination_evidence": found.evidence}


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
    digests = {"task_digest": task_digest_of([row]), "frozen": frozen_status([row])}
    return {**{name: getattr(row, name) for name in shared}, **digests}
