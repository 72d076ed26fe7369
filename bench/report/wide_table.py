"""The table of models by tasks, and headings that say what a column is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from bench.report.columns import Column, text
from bench.report.leaderboard_columns import WIDE
from bench.report.tables import Record, number
from bench.results import AggregatedResult, Contamination, LeaderboardData, differing_settings, tasks_seen
from bench.verdicts import CLEAR

AUDITS = text("audit", "the tasks whose audit raised alarms, such as `pcam: shortcut; panda: too small`")
Cohort = tuple[str, str]
"""Task, and digest of its samples."""
Place = tuple[str, str, str, str]
"""Protocol, digest of its settings, model and front-end: what a line is of."""


def task_headings(entries: Sequence[AggregatedResult]) -> dict[Cohort, str]:
    """What a column of each (task, cohort) is headed, such as ``pcam: balanced_accuracy, 60 test samples``.

    A heading depends on the rows of the task alone. Where several cohorts of a task would have one, the digest of
    their samples follows: they differ in labels, groups or sides.
    """
    of_cohort: dict[Cohort, list[AggregatedResult]] = {}
    for entry in entries:
        of_cohort.setdefault((entry.key.task, entry.key.cohort), []).append(entry)
    found = {cohort: f"{cohort[0]}: {_described(own)}" for cohort, own in sorted(of_cohort.items())}
    times = Counter(found.values())
    return {
        cohort: f"{heading}, cohort_hash {cohort[1]}" if times[heading] > 1 else heading
        for cohort, heading in found.items()
    }


def wide_columns(entries: Sequence[AggregatedResult], audits: Collection[Cohort] = ()) -> list[Column]:
    """The columns of the table of these entries: those that it always has, one a task, and one of audits if any."""
    metrics = {_cohort(entry): _primary(entry) for entry in entries}
    of_tasks = [
        Column(heading, "number", metrics[cohort], f"{metrics[cohort]} of {cohort[0]}; its cohort_hash is {cohort[1]}")
        for cohort, heading in task_headings(entries).items()
    ]
    return [*WIDE.columns, *sorted(of_tasks, key=lambda column: column.name), *([AUDITS] if audits else [])]


def wide_records(data: LeaderboardData) -> list[Record]:
    """A line a head and model; a column a task with its primary metric, the mean over seeds and folds."""
    entries, headings = data.entries, task_headings(data.entries)
    columns = dict.fromkeys(sorted(headings.values()), "")
    alarms = {cohort: badge for cohort, badge in data.audits.items() if badge != CLEAR}
    audits: dict[Place, dict[Cohort, str]] = {}
    settings = differing_settings(entries)
    lines: dict[Place, Record] = {}
    seen: dict[Place, dict[str, Contamination]] = {}
    for entry in entries:
        key = entry.key
        place = (key.protocol, key.head, key.model, key.frontend)
        own = {
            "protocol": key.protocol,
            "head_settings": settings[key.protocol, key.head],
            "head_config_hash": key.head,
            "model": key.model,
            "frontend": key.frontend,
        }
        line = lines.setdefault(place, {**own, **columns})
        line[headings[_cohort(entry)]] = number(data.value(entry, _primary(entry)))
        seen.setdefault(place, {})[key.task] = data.contaminated[key]
        audits.setdefault(place, {}).update({one: alarms[one] for one in [_cohort(entry)] if one in alarms})
    for place, of_tasks in seen.items():
        lines[place]["contaminated"] = tasks_seen(of_tasks)
        if data.audits:
            of_line = sorted(audits[place].items())
            lines[place]["audit"] = "; ".join(f"{cohort[0]}: {badge}" for cohort, badge in of_line)
    return [lines[place] for place in sorted(lines)]


def _described(entries: Sequence[AggregatedResult]) -> str:
    """The primary metric and what was tested."""
    metric, folds = _primary(entries[0]), max(entry.n_folds for entry in entries)
    tested = [row.n_test for entry in entries for row in entry.successful if row.n_test is not None]
    samples = [f"{max(tested)} test samples" + (" a fold" if folds > 1 else "")] if tested else []
    return ", ".join([metric, *samples, *([f"{folds} folds"] if folds > 1 else [])])


def _primary(entry: AggregatedResult) -> str:
    return (entry.successful or entry.rows)[0].primary_metric


def _cohort(entry: AggregatedResult) -> Cohort:
    return entry.key.task, entry.key.cohort
