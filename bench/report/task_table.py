"""The tables of one task: one head at a time, the best model first, as wide as a terminal."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench import targets
from bench.report.answer import DIGITS, label_of, value_text
from bench.report.layout import Column, fitting, short_names
from bench.report.rank_tables import Record, rank_records
from bench.report.tables import number
from bench.results import AggregatedResult, Block, LeaderboardData, ResultKey, best_first, over_draws, protocol_names
from registry import RANDOM
from registry.text_table import WIDTH, aligned, wrapped

INDENT = 2
BASELINE = " (baseline)"
LONGEST_NAME, LONGEST_IN_COLUMNS = 30, 12
MOST_MODELS, MOST_BASELINES = 10, 2
"""Lines of a head's table; further models are counted."""
Cells = list[str]


def labels_of(entries: Iterable[AggregatedResult], everything: bool) -> dict[str, str]:
    """What each model is called in its lines: shortened where it is long, unless all is shown."""
    names = {label_of(entry) for entry in entries}
    return {name: name for name in names} if everything else short_names(names, LONGEST_NAME, RANDOM)


def table_lines(
    data: LeaderboardData,
    entries: Sequence[AggregatedResult],
    primary: str,
    names: Mapping[str, str],
    everything: bool,
) -> Iterator[str]:
    """A table a head, columns of one width in all of them; then a table for each few-shot head.

    Parameters
    ----------
    entries : sequence of AggregatedResult
        Of one task and cohort, with successful runs.
    names : dict of label -> what it is called here
    everything : bool
        All columns and lines, however wide and many.
    """
    protocols = protocol_names(entries)
    blocks = [list(own) for _, own in itertools.groupby(entries, key=lambda entry: entry.key.block)]
    of_draws = [own for own in blocks if over_draws(own)]
    compared = [own for own in blocks if not over_draws(own)]
    width = None if everything else WIDTH - INDENT
    if compared:
        yield from _head_tables(data, compared, primary, names, protocols, width)
    families: dict[str, list[list[AggregatedResult]]] = {}
    for own in of_draws:
        families.setdefault(_family(own[0].key.protocol), []).append(own)
    for number_of, (family, of_family) in enumerate(families.items()):
        if compared or number_of:
            yield ""
        yield from _few_shot_table(data, family, of_family, primary, names, protocols, width)


def runs_of(entry: AggregatedResult, repeats: int) -> str:
    """Such as ``3 seeds x 5 folds x 2 repeats``."""
    seeds, folds = len(entry.seeds), entry.n_folds // repeats
    parts = [*([f"{seeds} seed" + "s" * (seeds > 1)] if seeds > 1 or not folds else [])]
    parts += [f"{folds} fold" + "s" * (folds > 1)] if folds and (folds > 1 or repeats == 1) else []
    parts += [f"{repeats} repeats"] if repeats > 1 else []
    return " x ".join(parts)


def _head_tables(
    data: LeaderboardData,
    blocks: Sequence[list[AggregatedResult]],
    primary: str,
    names: Mapping[str, str],
    protocols: Mapping[tuple[str, str], str],
    width: int | None,
) -> Iterator[str]:
    entries = [entry for own in blocks for entry in own]
    columns = _columns(data, entries, primary)
    ranks = _ranks(data, entries)
    tables: list[tuple[list[Cells], str]] = []
    for own in blocks:
        ordered = [entry for _, entry in best_first(data, own, primary)]
        shown, more = _limited(ordered) if width is not None else (ordered, "")
        head = f"{protocols[own[0].key.block[2:]]} head"
        heading = [head, *(column.title for column in columns[1:])]
        lines = [_cells(data, entry, primary, names, ranks, columns) for entry in shown]
        tables.append(([heading, *lines], more))
    lines_of_all = [line for table, _ in tables for line in table]
    places = fitting(columns, lines_of_all, width)
    widths = [max(len(line[i]) for line in lines_of_all) for i in places]
    padding = ["".ljust(length) for length in widths]
    for count, (table, more) in enumerate(tables):
        if count:
            yield ""
        chosen = [[line[i] for i in places] for line in table]
        yield from (f"{' ' * INDENT}{line}" for line in itertools.islice(aligned([padding, *chosen], left=1), 1, None))
        if more:
            yield f"{' ' * INDENT}{more}"


def _limited(ordered: Sequence[AggregatedResult]) -> tuple[list[AggregatedResult], str]:
    """The best models and baselines, and a sentence on the others."""
    models = [entry for entry in ordered if not entry.rows[0].baseline]
    baselines = [entry for entry in ordered if entry.rows[0].baseline]
    baselines.sort(key=lambda entry: entry.key.model.endswith(RANDOM))  # those of all models first
    shown, counted = set(), []
    for own, most, noun in ((models, MOST_MODELS, "models"), (baselines, MOST_BASELINES, "baselines")):
        here = own if len(own) <= most + 1 else own[:most]  # one more takes no more lines than its count
        shown |= {entry.key for entry in here}
        counted += [f"{len(own) - len(here)} more {noun}"] if len(here) < len(own) else []
    return [entry for entry in ordered if entry.key in shown], f"and {' and '.join(counted)}" if counted else ""


def _columns(data: LeaderboardData, entries: Sequence[AggregatedResult], primary: str) -> list[Column]:
    runs = {_runs(data, entry, primary) for entry in entries}
    several = [entry for entry in entries if entry.n_expected > 1]
    some_missing = any(len(entry.values(primary)) < entry.n_expected for entry in several)
    others = other_metrics(entries, primary)
    blocks = {entry.key.block for entry in entries}
    ranked = any(block.block in blocks and len(block.replicates) > 1 for block in data.ranked)
    return [
        Column("model"),
        *([Column("runs")] if several and (some_missing or len(runs) > 1) else []),
        Column(f"{primary} [95 %]"),
        *([Column("rank [95 %]", 1)] if ranked else []),
        *([Column("sd", 3)] if any(entry.n_expected > 1 for entry in entries) else []),
        *(Column(metric, 4) for metric in others),
        Column("over baseline [95 %]"),
        Column("tiles/s", 2),
    ]


def other_metrics(entries: Sequence[AggregatedResult], primary: str) -> list[str]:
    shown = targets.get(entries[0].rows[0].kind).metrics.metrics
    found = {name for entry in entries for row in entry.successful for name in row.metrics if name in shown}
    return sorted(found - {primary})


def _cells(
    data: LeaderboardData,
    entry: AggregatedResult,
    primary: str,
    names: Mapping[str, str],
    ranks: Mapping[ResultKey, str],
    columns: Sequence[Column],
) -> Cells:
    row = entry.rows[0]
    speeds = [row.tiles_per_s for row in entry.successful if row.tiles_per_s is not None]
    cells = {
        "model": f"{names[label_of(entry)]}{BASELINE if row.baseline else ''}",
        "runs": _runs(data, entry, primary),
        f"{primary} [95 %]": value_text(data, entry.key, primary, data.value(entry, primary)) or "-",
        "rank [95 %]": ranks.get(entry.key, "-"),
        "sd": number(entry.sd(primary), DIGITS) or "-",
        "over baseline [95 %]": _over_baseline(data, entry),
        "tiles/s": number(statistics.fmean(speeds), 1) if speeds else "-",
    }
    return [
        cells[column.title] if column.title in cells else number(data.value(entry, column.title), DIGITS) or "-"
        for column in columns
    ]


def _runs(data: LeaderboardData, entry: AggregatedResult, primary: str) -> str:
    """The runs of an entry; where some have no value, how many of how many."""
    valued = len(entry.values(primary))
    if valued < entry.n_expected:
        return f"only {valued} of {entry.n_expected}"
    return runs_of(entry, data.repeats.get(entry.key, 1))


def _over_baseline(data: LeaderboardData, entry: AggregatedResult) -> str:
    """By how much it is better than its baselines, marked where that is more than chance."""
    found = data.over_baselines.get(entry.key)
    if not found:
        return "-"
    difference = found.comparison.difference
    estimate, *bounds = (number(x, DIGITS, "+") or "-" for x in (difference.difference, *difference.interval))
    return f"{estimate} [{', '.join(bounds)}] {found.mark or '  '}"


def _ranks(data: LeaderboardData, entries: Sequence[AggregatedResult]) -> dict[ResultKey, str]:
    """The rank of each entry among all of its task and head, with its interval; of those that have one."""
    blocks: set[Block] = {entry.key.block for entry in entries}
    records = rank_records(block for block in data.ranked if block.block in blocks)
    return {_key(record): _rank(record) for record in records if record["rank"]}


def _key(record: Record) -> ResultKey:
    names = ("task", "cohort_hash", "protocol", "head_config_hash", "model", "frontend")
    return ResultKey(*(record[name] for name in names))


def _rank(record: Mapping[str, str]) -> str:
    rank, *bounds = (f"{float(record[name]):g}" if record[name] else "-" for name in ("rank", "ci_low", "ci_high"))
    return f"{rank} [{', '.join(bounds)}]"


def _family(protocol: str) -> str:
    """``simpleshot`` of ``simpleshot-8shot``."""
    return protocol.rpartition("-")[0] or protocol


def _few_shot_table(
    data: LeaderboardData,
    family: str,
    blocks: Sequence[list[AggregatedResult]],
    primary: str,
    names: Mapping[str, str],
    protocols: Mapping[tuple[str, str], str],
    width: int | None,
) -> Iterator[str]:
    """A line a number of shots or share of the labels, a column a model: the best first, baselines last.

    Cells have intervals where there is width for them.
    """
    values: dict[str, dict[str, ResultKey]] = {}
    for own in sorted(blocks, key=lambda own: _natural(protocols[own[0].key.block[2:]])):
        line = _amount(protocols[own[0].key.block[2:]].removeprefix(f"{family}-"))
        values[line] = {label_of(entry): entry.key for entry in own if data.value(entry, primary) is not None}
    value_of = {entry.key: data.value(entry, primary) for own in blocks for entry in own}
    most = max(blocks, key=lambda own: _natural(own[0].key.protocol))
    order = [entry for _, entry in best_first(data, most, primary)] + [entry for own in blocks for entry in own]
    order.sort(key=lambda entry: entry.rows[0].baseline)
    labels = list(dict.fromkeys(map(label_of, order)))
    baselines = list(dict.fromkeys(label_of(entry) for entry in order if entry.rows[0].baseline))

    def table(intervals: bool, titles: Mapping[str, str], chosen: Sequence[str]) -> list[list[str]]:
        def cell(key: ResultKey | None) -> str:
            if key is None:
                return "-"
            return value_text(data, key, primary, value_of[key]) if intervals else number(value_of[key], DIGITS)

        heading = [f"{family}, {primary}", *(titles[label] for label in chosen)]
        return [heading, *([line, *(cell(found.get(label)) for label in chosen)] for line, found in values.items())]

    compact = short_names(labels, LONGEST_IN_COLUMNS, RANDOM)
    tables = itertools.chain(
        (table(True, names, labels), table(False, names, labels)),
        (table(False, compact, labels[: len(labels) - hidden]) for hidden in range(len(labels))),
    )
    found = next(one for one in tables if width is None or _width(one) <= width or len(one[0]) == 2)
    yield from (f"{' ' * INDENT}{line}" for line in aligned(found, left=1))
    in_table = labels[: len(found[0]) - 1]
    shortened = found[0][1:] != [names[label] for label in in_table]
    for what, of in (
        ("models, from the left", in_table if shortened else []),
        ("not shown", labels[len(in_table) :]),
        ("baselines", baselines),
    ):
        if of:
            yield from wrapped(f"{' ' * INDENT}{what}: {', '.join(names[label] for label in of)}", width=width or 10**6)


def _amount(variant: str) -> str:
    """In words: ``4shot`` is "4 shots", ``5pct`` is "5 % of the labels"."""
    shots = re.sub(r"^(\d+)shot\b", lambda found: f"{found[1]} shot{'s' * (found[1] != '1')}", variant)
    return re.sub(r"^([\d.]+)pct\b", r"\1 % of the labels", shots)


def _width(table: Sequence[Sequence[str]]) -> int:
    return max(map(len, aligned(table, left=1)))


def _natural(name: str) -> list[tuple[int, str]]:
    """An order in which 8 comes before 16."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
