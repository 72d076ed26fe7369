"""The tables of robustness tasks: a line a condition, and a line an encoder, head and restorer."""

from __future__ import annotations

from bench.report.tables import Record, contamination_cells, number
from bench.report.track_columns import WITH_INTERVAL, WITHOUT_INTERVAL
from bench.results import (
    Change,
    Condition,
    LeaderboardData,
    Robustness,
    Summary,
    clean_of,
    grouped,
    mean_of,
    mean_over_cases,
    relative_error,
    robustness_of,
    to_clean,
)
from bench.statistics import Studentised
from bench.targets import UNTOUCHED


def robustness_records(data: LeaderboardData) -> list[Record]:
    """A line a condition of every robustness task; the columns are `ROBUSTNESS` of `track_columns`."""
    return [record for robustness in robustness_of(data) for record in _lines(robustness)]


def robustness_summary_records(data: LeaderboardData) -> list[Record]:
    """A line an encoder, head and restorer; the columns are `SUMMARY` of `track_columns`."""
    return [_summary(one) for robustness in robustness_of(data) for one in robustness.summaries]


def _lines(robustness: Robustness) -> list[Record]:
    best = {(one.group, one.case): one for one in robustness.best}
    return [
        _line(robustness, one, clean_of(own), best.get((one.group, one.case)))
        for own in grouped(robustness.conditions).values()
        for one in own
    ]


def _line(robustness: Robustness, one: Condition, clean: Condition | None, best: Condition | None) -> Record:
    of_best = best.score if best and one.restorer != UNTOUCHED else None
    compared = None if one is clean else to_clean(robustness.data, one, clean)
    return {
        **_identity(one),
        "corruption": one.corruption,
        "severity": str(one.severity or ""),
        "restorer": one.restorer,
        "metric": one.primary,
        "value": number(one.score),
        "ci_low": number(one.metrics[one.primary]["ci_low"] if one.primary in one.metrics else None),
        "ci_high": number(one.metrics[one.primary]["ci_high"] if one.primary in one.metrics else None),
        "error": number(one.error),
        "relative_error": number(relative_error(one.error, clean.error if clean else None)),
        **_difference("over_clean", compared.difference if compared else None),
        **_change(robustness.changes.get(one)),
        "best_classical": best.entry.key.frontend.rpartition("+")[2] if best else "",
        "over_classical": number(None if of_best is None or one.score is None else one.score - of_best),
        "threshold_shift": number(one.threshold_shift),
        **{name: number(one.value(name)) for name in WITHOUT_INTERVAL},
        **{key: cell for name in WITH_INTERVAL for key, cell in _metric(one, name).items()},
        **_end(one),
    }


def _summary(summary: Summary) -> Record:
    one, clean, contrast = summary.first, summary.clean, summary.contrast
    on_clean = summary.changes.get(("", 0))
    return {
        **_identity(one),
        "restorer": summary.restorer,
        "n_corruptions": str(len({case.corruption for case in summary.cases})),
        "n_cases": str(len(summary.cases)),
        "metric": one.primary,
        "clean": number(clean.score if clean else None),
        "mean": number(summary.mean),
        **_difference("loss", contrast.loss if contrast else None),
        **_difference("relative_loss", contrast.relative_loss if contrast else None),
        "mce": number(summary.mce),
        "mce_unrestored": number(summary.mce_unrestored),
        "rce": number(summary.rce),
        **_difference("over_none", contrast.over_none if contrast else None),
        **_difference("over_classical", contrast.over_classical if contrast else None),
        **_difference("on_clean", contrast.on_clean if contrast else None),
        "recovery": number(summary.recovery),
        "helped": str(summary.helped) if summary.changes else "",
        "harmed": str(summary.harmed) if summary.changes else "",
        "clean_harmed": "" if on_clean is None else str(int(on_clean.harms)),
        "ece_clean": number(clean.value("ece") if clean else None),
        "ece": number(mean_over_cases(summary.cases, "ece")),
        "threshold_shift": number(mean_of(case.threshold_shift for case in summary.cases)),
        **{name: number(mean_over_cases(summary.cases, name)) for name in ("cosine", "top1", "top10")},
        **_end(one),
    }


def _identity(one: Condition) -> Record:
    return {"task": one.task, "model": one.model, "baseline": str(int(one.baseline)), "protocol": one.protocol}


def _end(one: Condition) -> Record:
    row = one.entry.successful[0]
    return {
        "n_test": number(row.n_test, 0),
        "n_groups": number(row.n_groups, 0),
        "cohort_hash": one.cohort,
        "head_config_hash": one.head,
        **contamination_cells(one.entry),
    }


def _metric(one: Condition, name: str) -> Record:
    found = one.metrics.get(name, {})
    ends = (("", "value"), ("_low", "ci_low"), ("_high", "ci_high"))
    return {f"{name}{end}": number(found.get(of)) for end, of in ends}


def _difference(name: str, found: Studentised | None) -> Record:
    low, high = found.interval if found else (None, None)
    return {
        name: number(found.difference if found else None),
        f"{name}_low": number(low),
        f"{name}_high": number(high),
    }


def _change(change: Change | None) -> Record:
    return {
        **_difference("over_none", change.comparison.difference if change else None),
        "p_none": number(change.comparison.p if change else None),
        "p_none_holm": number(change.p_holm if change else None),
    }
