"""The leaderboard for a terminal: the answer for each task, then compact tables, failures, and what is not shown."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.report.answer import NOTE, answer_lines, is_synthetic, warnings_of
from bench.report.layout import shortened
from bench.report.restoration_tables import restoration_answer, restoration_lines
from bench.report.robustness_text import robustness_answer, robustness_lines
from bench.report.tables import number
from bench.report.task_table import DIGITS, labels_of, runs_of, table_lines
from bench.results import (
    CHANGED,
    SAMPLES,
    AggregatedResult,
    Block,
    LeaderboardData,
    Restorers,
    Robustness,
    frozen_status,
    is_restoration,
    protocol_names,
    restorers_of,
    robustness_of,
    robustness_tasks,
    standings,
    task_digest_of,
    task_names,
)
from bench.rows import Row
from registry import RANDOM
from registry.text_table import wrapped

LEGEND = (
    "(baseline): what the head does without a pretrained model. over baseline: the paired difference to the baseline "
    "that the model beats least; *+ where it is better than every baseline (*- worse), by the largest p of them, "
    "adjusted for the models of the task (Holm, 5 %); - where there is none on the same samples. Intervals and p are "
    "of these trained heads on other test patients; tasks.NAME.split.repeats=10 asks what other training patients "
    "would change."
)
LEGEND_OF_MEANS = (
    " Several runs make a line: it is their mean, sd is over them; 'only' where some failed or are missing."
)
LEGEND_OF_ALL = " Every metric, model and note: python -m bench report all=true, or leaderboard_mean.csv."
LEGEND_OF_AUDITS = (
    " audit: the alarms of python -m bench audit on the task, whose page in audits/ has the numbers; clear where there "
    "is none."
)
SHOWS_ALL = "all=true shows all"
MOST_TABLES = 24
MOST_FAILURES, MOST_NOTES, LONGEST_NOTE = 5, 8, 230


@dataclass(frozen=True)
class _Task:
    """The entries of one task and cohort that are shown."""

    name: str
    task: str
    cohort: str
    entries: list[AggregatedResult]
    restorers: list[Restorers]
    robustness: list[Robustness]
    others: list[AggregatedResult]

    @property
    def rows(self) -> list[Row]:
        return [row for entry in self.others for row in entry.rows]

    @property
    def rows_of_tracks(self) -> list[Row]:
        others = {entry.key for entry in self.others}
        return [row for entry in self.entries if entry.key not in others for row in entry.successful]

    @property
    def successful(self) -> list[Row]:
        return [row for row in self.rows if row.ok]


def table_text(data: LeaderboardData, blocks: Collection[Block] | None = None, everything: bool = False) -> str:
    """The answer of all tasks, then their tables: the mean over seeds and folds of each model and head.

    Lines have 120 columns at most, unless everything is shown.

    Parameters
    ----------
    blocks : (task, cohort, protocol, head), as in `ResultKey.block`
        What to show of all that is in the results folder. The rest is named.
    everything : bool
        Whether to print all columns, lines, failures and notes, with the models' names in full.
    """
    entries = [entry for entry in data.entries if blocks is None or entry.key.block in blocks]
    shown = {entry.key.block for entry in entries}
    hidden = sorted({entry.key.block for entry in data.entries} - shown)
    tasks = list(_tasks(data, entries))
    names = labels_of((entry for task in tasks for entry in task.others), everything)
    texts = [text for task in tasks if (text := "\n".join(_answer(data, task, names)))]
    if any(task.others for task in tasks):
        texts.append("\n".join(wrapped(NOTE)))
    n_tables = len({entry.key.block for task in tasks for entry in task.others})
    if everything or n_tables <= MOST_TABLES:
        texts += [text for task in tasks if (text := "\n".join(_tables(data, task, names, everything)))]
        if any(task.others for task in tasks):
            audited = any((task.task, task.cohort) in data.audits for task in tasks)
            legend = LEGEND + (LEGEND_OF_MEANS if _of_several(entries) else "") + (LEGEND_OF_AUDITS if audited else "")
            texts.append("\n".join(wrapped(legend if everything else legend + LEGEND_OF_ALL)))
    else:
        texts += [text for task in tasks if (text := "\n".join(_tables_of_tracks(data, task)))]
        failed = sum(not row.ok for task in tasks for row in task.rows)
        named = f"The {n_tables} tables of these heads are not printed; {SHOWS_ALL}."
        texts.append(f"{named} {failed} runs failed or are lost." if failed else named)
    if short := [
        f"{form} is {name}" for name, form in sorted(names.items()) if form != name and not name.endswith(RANDOM)
    ]:
        texts.append("\n".join(wrapped("; ".join(short))))
    if not entries:
        texts.append("No rows.")
    texts += ["\n".join(lines) for lines in [list(_not_shown(tasks, shown, hidden))] if lines]
    return "\n\n".join(texts)


def _tasks(data: LeaderboardData, entries: Sequence[AggregatedResult]) -> Iterator[_Task]:
    names, robust = task_names(entries), robustness_tasks(entries)
    for (task, cohort), group in itertools.groupby(entries, key=lambda entry: (entry.key.task, entry.key.cohort)):
        own = list(group)
        degraded = (task, cohort) in robust
        yield _Task(
            name=names[task, cohort],
            task=task,
            cohort=cohort,
            entries=own,
            restorers=list(restorers_of(data, own)),
            robustness=list(robustness_of(data, own)) if degraded else [],
            others=[] if degraded else [entry for entry in own if not is_restoration(entry)],
        )


def _answer(data: LeaderboardData, task: _Task, names: Mapping[str, str]) -> Iterator[str]:
    """The best models of a task, below a warning of made-up images."""
    for restorers in task.restorers:
        yield from _warned(restoration_answer(restorers, task.name), task.rows_of_tracks)
    for robustness in task.robustness:
        yield from _warned(robustness_answer(robustness, task.name), task.rows_of_tracks)
    if task.others:
        primary = (task.successful or task.rows)[0].primary_metric
        about = f"{task.name}, {primary}, {_counted(task.successful)}{_audited(data, task)}"
        yield from _warned([about], task.successful)
        yield from answer_lines(data, list(standings(data, task.others)), protocol_names(task.others), names)


def _tables(data: LeaderboardData, task: _Task, names: Mapping[str, str], everything: bool) -> Iterator[str]:
    yield from _tables_of_tracks(data, task)
    if task.others:
        yield from _task_tables(data, task, names, everything)


def _tables_of_tracks(data: LeaderboardData, task: _Task) -> Iterator[str]:
    for restorers in task.restorers:
        yield from _warned(restoration_lines(restorers, task.name), task.rows_of_tracks)
    for robustness in task.robustness:
        yield from _warned(robustness_lines(robustness, task.name), task.rows_of_tracks)


def _task_tables(data: LeaderboardData, task: _Task, names: Mapping[str, str], everything: bool) -> Iterator[str]:
    """A warning of made-up images, the tables of the heads, failures and notes."""
    rows, successful = task.rows, task.successful
    primary = (successful or rows)[0].primary_metric
    with_rows = [entry for entry in task.others if entry.successful]
    runs = {runs_of(entry, data.repeats.get(entry.key, 1)) for entry in with_rows if entry.n_expected > 1}
    complete = any(len(entry.values(primary)) == entry.n_expected for entry in with_rows)
    mean = f"; each line is the mean of {runs.pop()}" if len(runs) == 1 and complete else ""
    about = f"{task.name}  primary metric {primary}, {_counted(successful)}{_digest(rows)}{mean}{_audited(data, task)}"
    yield from _warned([about], successful)
    if with_rows:
        yield from table_lines(data, with_rows, primary, names, everything)
        yield from _wrapped(_detectable(data, task.others, primary))
    yield from _failures(sorted((row for row in rows if not row.ok), key=lambda row: row.key), everything)
    yield from _notes(successful, names, everything)


def _digest(rows: Sequence[Row]) -> str:
    """The digest of the task, and whether it is the published task of its name; nothing where no row says it."""
    status = frozen_status(rows)
    of = {SAMPLES: " (frozen)", CHANGED: " (not the published task of this name)"}.get(status, "")
    digest = task_digest_of(rows)
    return f", digest {digest}{of}" if digest else ""


def _audited(data: LeaderboardData, task: _Task) -> str:
    """The badge of the task's audit, such as ``, audit: shortcut``; nothing where there was none."""
    badge = data.audits.get((task.task, task.cohort), "")
    return f", audit: {badge}" if badge else ""


def _counted(successful: Sequence[Row]) -> str:
    """Test samples and their groups, such as "128 test samples, 8 groups"."""
    samples, groups = _range(successful, "n_test"), _range(successful, "n_groups")
    return f"{samples} test samples, {groups} groups{' in a fold' if any(row.fold for row in successful) else ''}"


def _warned(lines: Iterable[str], rows: Iterable[Row]) -> Iterator[str]:
    """The lines, below the first of them the notes that the images are made up."""
    for place, line in enumerate(lines):
        yield from wrapped(line, indent="    ")
        if not place:
            yield from (part for warning in warnings_of(rows) for part in wrapped(f"  {warning}"))


def _failures(failed: Sequence[Row], everything: bool) -> Iterator[str]:
    most = len(failed) if everything else MOST_FAILURES
    for row in failed[:most]:
        fold = f" fold {row.fold}" if row.fold else ""
        line = f"  {row.status}: {_label(row)}, {row.protocol}, seed {row.seed}{fold}: {' '.join(row.error.split())}"
        yield from [line] if everything else wrapped(line, indent="    ")
    if len(failed) > most:
        yield f"  and {len(failed) - most} more runs failed or are lost; {SHOWS_ALL}"


def _notes(successful: Sequence[Row], names: Mapping[str, str], everything: bool) -> Iterator[str]:
    """A line a note, with the models that it is about; those of made-up images stand elsewhere."""
    found: dict[str, set[str]] = {}
    for row in successful:
        for note in row.all_notes:
            if not is_synthetic(note):
                found.setdefault(note, set()).add(names[_label(row)])
    every = {names[_label(row)] for row in successful}
    notes = sorted(found.items(), key=lambda pair: pair[0])
    most = len(notes) if everything else MOST_NOTES
    for note, models in notes[:most]:
        about = "all models" if models == every and len(every) > 1 and not everything else ", ".join(sorted(models))
        line = f"  note: {about}: {note}"
        yield from [line] if everything else wrapped(f"  {shortened(line, LONGEST_NOTE)}", indent="    ")
    if len(notes) > most:
        yield f"  and {len(notes) - most} more notes; {SHOWS_ALL}"


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


def _not_shown(tasks: Sequence[_Task], shown: Collection[Block], hidden: Sequence[Block]) -> Iterator[str]:
    """Sentences for what else there is: of other cohorts and heads of these tasks, and of other tasks."""
    for task in tasks:
        cohorts_shown = {block[1] for block in shown if block[0] == task.task}
        cohorts = sorted({block[1] for block in hidden if block[0] == task.task} - cohorts_shown)
        heads = [f"{block[2]} [{block[3]}]" for block in hidden if block[:2] == (task.task, task.cohort)]
        if cohorts:
            others = f"rows of {task.task} with other samples, splits or metrics ({', '.join(cohorts)})"
            yield from wrapped(f"not shown: {others}; {SHOWS_ALL}")
        if heads:
            yield from wrapped(
                f"not shown: rows of {task.name} with other heads or settings ({', '.join(heads)}); {SHOWS_ALL}"
            )
    names = sorted({block[0] for block in hidden} - {block[0] for block in shown})
    if names:
        yield from wrapped(f"not shown: rows of other tasks ({', '.join(names)}); {SHOWS_ALL}")


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield from wrapped(line, indent="    ")


def _of_several(entries: Iterable[AggregatedResult]) -> bool:
    return any(entry.n_expected > 1 for entry in entries)


def _label(row: Row) -> str:
    return f"{row.model}+{row.frontend}" if row.frontend else row.model


def _range(rows: Sequence[Row], field: str) -> str:
    known = [value for row in rows if (value := getattr(row, field)) is not None]
    return "-" if not known else str(known[0]) if min(known) == max(known) else f"{min(known)}-{max(known)}"
