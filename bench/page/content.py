"""What the page shows, as values of JSON: tasks, heads, models, results, their differences, plots and provenance."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import targets
from bench.page.figures import figures
from bench.page.numbers import rounded, significant
from bench.page.pairs import differences
from bench.page.provenance import Pool, runs
from bench.plots import Plot
from bench.results import (
    AggregatedResult,
    LeaderboardData,
    ResultKey,
    frozen_status,
    protocol_names,
    task_digest_of,
    task_names,
)
from bench.rows import CardInfo, Row, RowInfo, file_name
from bench.verdicts import page_links

MOST_LINES = 60_000
"""Values in the table; where there are more, those of further metrics are left to the CSV tables."""
Json = dict[str, Any]


class Numbers:
    """A number for each name, in the order in which names come."""

    def __init__(self) -> None:
        self.of: dict[Any, int] = {}

    def __call__(self, name: Any) -> int:
        """The number of a name, which is the next one where the name is new."""
        return self.of.setdefault(name, len(self.of))


def content(
    data: LeaderboardData, plots: Iterable[Plot], passports: Collection[str], results: Path | None = None
) -> Json:
    """Everything that the script of the page reads; numbers in lists stand for names in other lists.

    Parameters
    ----------
    passports : collection of str
        File names in ``passports/`` beside the page.
    results : Path or None
        The folder where the page will lie: it links the pages of audits and the files of rows there.
    """
    tasks, heads, models, metrics = Numbers(), Numbers(), Numbers(), Numbers()
    pool, sentences = Pool(), [*data.left_out.sentences, *data.other_tasks]
    names, protocols = task_names(data.entries), protocol_names(data.entries)
    shown, left_out = _metrics_shown(data.entries)
    audits = page_links(results, data.audit_folders, "html") if results else {}
    ranks = _ranks(data)
    by_task: dict[tuple[str, str], list[AggregatedResult]] = defaultdict(list)
    by_model: dict[str, list[AggregatedResult]] = defaultdict(list)
    entries: list[Json] = []
    places: dict[ResultKey, int] = {}
    for entry in data.entries:
        key = entry.key
        by_task[key.task, key.cohort].append(entry)
        by_model[key.model].append(entry)
        places[key] = len(entries)
        record = {
            "t": tasks((key.task, key.cohort)),
            "h": heads((key.protocol, key.head)),
            "m": models(key.model),
            "f": key.frontend,
            "id": _digest(key),
            "x": _values(data, entry, shown, metrics),
            "r": ranks.get(key),
            "o": _over_baselines(data, entry),
            "c": [seen.level, pool.add(seen.evidence)] if (seen := data.contaminated[key]).level else None,
            "n": [_known(entry, name) for name in ("n_train", "n_val", "n_test", "n_groups")],
            "s": [len(entry.seeds), entry.n_folds, data.repeats.get(key, 1), len(entry.successful), entry.n_expected],
            "runs": runs(entry, pool),
        }
        entries.append(record)
    pairs, n_pairs = differences(data, places, metrics)
    drawn, n_linked = figures(plots, names, protocols)
    if left_out:
        sentences.append(f"The page leaves {left_out} values of further metrics to leaderboard_mean.csv.")
    if n_pairs > len(pairs):
        sentences.append(
            f"The page has {len(pairs)} of {n_pairs} differences, those by the primary metrics first: "
            "leaderboard_paired.csv has all."
        )
    if n_linked:
        sentences.append(f"{n_linked} plots are links to files in plots/, as the page would be too large with them.")
    if pool.n_left_out:
        sentences.append("Of some runs the page has the command and the row's file only, which has the other records.")
    found: Json = {
        "schema": 1,
        "tasks": [_task(data, names[task], own, heads, metrics, audits.get(task, [])) for task, own in by_task.items()],
        "heads": [protocols[head] for head in heads.of],
        "models": [_model(name, by_model[name], pool, passports) for name in models.of],
        "entries": entries,
        "differences": pairs,
        "plots": drawn,
        "rows": results is None or (results / "rows").is_dir(),
        "sentences": sentences,
    }
    return found | {"metrics": list(metrics.of), "pool": pool.values}


def _task(
    data: LeaderboardData,
    name: str,
    own: Sequence[AggregatedResult],
    heads: Numbers,
    metrics: Numbers,
    audits: Sequence[str],
) -> Json:
    """What the results of one task on one cohort have in common."""
    rows = [row for entry in own for row in entry.rows]
    first = next((row for row in rows if row.ok), rows[0])
    of_kind = targets.get(first.kind).metrics
    notes = sorted({(note, _label(row)) for row in rows if row.ok for note in row.all_notes})
    by_note: dict[str, list[str]] = defaultdict(list)
    for note, label in notes:
        by_note[note].append(label)
    detectable = {heads(entry.key.block[2:]): data.detectable.get(entry.key.block) for entry in own}
    return {
        "name": name,
        "task": own[0].key.task,
        "cohort": own[0].key.cohort,
        "digest": task_digest_of(rows),
        "frozen": frozen_status(rows),
        "kind": first.kind,
        "metric": metrics(first.primary_metric),
        "lower": [number for metric, number in metrics.of.items() if of_kind.lower_is_better(metric)],
        "notes": list(by_note.items()),
        "detectable": {str(head): rounded(value) for head, value in detectable.items() if value is not None},
        "audit": [badge, *audits] if (badge := data.audits.get(own[0].key.block[:2], "")) else None,
    }


def _model(name: str, own: Sequence[AggregatedResult], pool: Pool, passports: Collection[str]) -> Json:
    """What is known of a model, whatever it was measured on."""
    rows = [row for entry in own for row in entry.rows]
    told = next((info for row in rows if (info := RowInfo(row)).has_card), None)
    page = f"{file_name(name)}.html"
    rates = [row.tiles_per_s for row in rows if row.tiles_per_s is not None]
    memory = [found for row in rows if (found := RowInfo(row).peak_memory_mib) is not None]
    return {
        "name": name,
        "baseline": rows[0].baseline,
        "card": pool.add(_card(told.card)) if told else None,
        "passport": f"passports/{page}" if page in passports else "",
        "params_m": next((row.params_m for row in rows if row.params_m is not None), None),
        "dim": next((row.feature_dim for row in rows if row.feature_dim is not None), None),
        "tiles_per_s": rounded(max(rates)) if rates else None,
        "peak_memory_mib": rounded(max(memory)) if memory else None,
    }


def _card(card: CardInfo) -> Json:
    """What a row says of the model's card; fields that it does not say are left out."""
    cohorts = [{"name": name, "evidence": evidence} for name, evidence in card.cohorts.items()]
    fields = {name: value for name, value in vars(card).items() if value not in ("", None)}
    return fields | {"cohorts": cohorts}


def _values(
    data: LeaderboardData, entry: AggregatedResult, shown: str, metrics: Numbers
) -> list[list[float | int | str | None]]:
    """For each metric its number, value, interval, standard deviation over runs, and what the interval is over."""
    found = []
    for metric in _names(entry, shown):
        interval = data.intervals.get((entry.key, metric))
        bounds = (interval.ci_low, interval.ci_high) if interval else (None, None)
        over = entry.interval_of(metric) if interval else ""
        numbers = [rounded(number) for number in (data.value(entry, metric), *bounds, entry.sd(metric))]
        found.append([metrics(metric), *numbers, over])
    return found


def _metrics_shown(entries: Sequence[AggregatedResult]) -> tuple[str, int]:
    """Which metrics the page has, ``all``, ``compared`` or ``primary``, and how many values that leaves out."""
    counts = {shown: sum(len(_names(entry, shown)) for entry in entries) for shown in ("all", "compared", "primary")}
    shown = next((shown for shown, count in counts.items() if count <= MOST_LINES), "primary")
    return shown, counts["all"] - counts[shown]


def _names(entry: AggregatedResult, shown: str) -> list[str]:
    """The metrics of an entry, its primary one first."""
    rows = entry.successful
    if not rows:
        return []
    primary = rows[0].primary_metric
    compared = targets.get(rows[0].kind).metrics.metrics
    every = {metric: None for row in rows for metric in row.metrics}
    return [
        *([primary] if primary in every else []),
        *(m for m in every if m != primary and (shown == "all" or (shown == "compared" and m in compared))),
    ]


def _ranks(data: LeaderboardData) -> dict[ResultKey, list[float | None]]:
    """The rank of each entry among those of its task and head, with its interval."""
    found: dict[ResultKey, list[float | None]] = {}
    for block in data.ranked:
        keys = sorted(block.replicates)
        if len(keys) > 1:
            ranks = block.ranks(keys)
            for place, key in enumerate(keys):
                values = (ranks.ranks[place], ranks.interval.low[place], ranks.interval.high[place])
                found[key] = [rounded(float(value)) for value in values]
    return found


def _over_baselines(data: LeaderboardData, entry: AggregatedResult) -> list[Any] | None:
    """The difference to the baseline that the model beats least, its interval, p, adjusted p, mark and baseline."""
    found = data.over_baselines.get(entry.key)
    if found is None:
        return None
    difference = found.comparison.difference
    numbers = [rounded(number) for number in (difference.difference, *difference.interval)]
    return [*numbers, significant(found.p), significant(found.p_holm), found.mark, found.comparison.b.key.model]


def _known(entry: AggregatedResult, field: str) -> list[int]:
    """The smallest and the largest number of this field over the runs; empty where none has it."""
    known = [value for row in entry.successful if (value := getattr(row, field)) is not None]
    return sorted({min(known), max(known)}) if known else []


def _label(row: Row) -> str:
    return f"{row.model}+{row.frontend}" if row.frontend else row.model


def _digest(key: ResultKey) -> str:
    """What links call a result by, whatever else is in the folder."""
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
