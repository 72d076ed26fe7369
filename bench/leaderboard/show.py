"""The leaderboard for a terminal: a block a task, best model first, floors marked, failures with their sentence."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from pathlib import Path

from bench.leaderboard.comparisons import Comparison, compare
from bench.leaderboard.floors import best_floor
from bench.leaderboard.rows import Row, Run
from bench.leaderboard.tables import number, rows_or_error
from bench.metrics import METRICS

DIGITS = 3
LEGEND = (
    "(floor): what the head does without a pretrained model. over floor: the paired difference to the best floor, "
    "* where its 95 % interval excludes 0."
)


def table_text(results: Path, tasks: Collection[str] | None = None) -> str:
    """The table of all tasks, or of the named ones.

    Raises
    ------
    UserError
        If there is no row at all.
    """
    rows = [row for row in rows_or_error(results) if tasks is None or row.task in tasks]
    blocks = ["\n".join(_block(results, list(block))) for _, block in itertools.groupby(rows, key=lambda row: row.task)]
    return "\n\n".join([*blocks, LEGEND]) if blocks else f"No rows of {', '.join(tasks or ())}."


def _block(results: Path, rows: list[Row]) -> Iterator[str]:
    """Lines of one task."""
    whole = [row for row in rows if row.ok]
    primary = (whole or rows)[0].primary_metric
    samples, groups = _range(whole, "n_test"), _range(whole, "n_groups")
    yield f"{rows[0].task}  primary metric {primary}, {samples} test samples, {groups} groups"
    if whole:
        yield from _aligned(list(_cells(results, whole, primary)))
    for row in rows:
        if not row.ok:
            yield f"  failed: {_label(row)}, {row.protocol}, seed {row.seed}: {' '.join(row.error.split())}"
    notes = sorted({(note, _label(row)) for row in whole for note in row.notes})
    for note, noted in itertools.groupby(notes, key=lambda pair: pair[0]):
        yield f"  note: {', '.join(label for _, label in noted)}: {note}"


def _cells(results: Path, rows: list[Row], primary: str) -> Iterator[list[str]]:
    """The heading and a line a run, the highest value of the primary metric first."""
    others = sorted({metric for row in rows for metric in row.metrics if metric in METRICS} - {primary})
    over_floor = _over_floor(results, rows, primary)
    seeds = len({row.seed for row in rows}) > 1
    yield ["model", "protocol", *(["seed"] * seeds), f"{primary} [95 %]", *others, "over floor [95 %]", "tiles/s"]

    def best_first(row: Row) -> tuple[bool, float, Run]:
        value = row.value(primary)
        return value is None, -(value or 0.0), row.run

    for row in sorted(rows, key=best_first):
        value, low, high = (row.metrics.get(primary, {}).get(name) for name in ("value", "ci_low", "ci_high"))
        yield [
            f"{_label(row)} (floor)" if row.floor else _label(row),
            row.protocol,
            *([str(row.seed)] * seeds),
            _interval(value, low, high),
            *(number(row.value(metric), DIGITS) or "-" for metric in others),
            _difference(over_floor[row.run]) if row.run in over_floor else "-",
            number(row.tiles_per_s, 1) or "-",
        ]


def _over_floor(results: Path, rows: list[Row], primary: str) -> dict[Run, Comparison]:
    measured = [(row, floor) for row in rows if not row.floor and (floor := best_floor(row, primary, rows)) is not None]
    return {comparison.a.run: comparison for comparison in compare(results, measured, [primary])}


def _aligned(lines: list[list[str]]) -> Iterator[str]:
    """Text columns: the first two to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        yield "  " + "  ".join(cells).rstrip()


def _label(row: Row) -> str:
    return f"{row.model}+{row.frontend}" if row.frontend else row.model


def _interval(value: float | None, low: float | None, high: float | None, sign: str = "") -> str:
    estimate, *bounds = (number(x, DIGITS, sign) or "-" for x in (value, low, high))
    return f"{estimate} [{', '.join(bounds)}]" if value is not None else "-"


def _difference(comparison: Comparison) -> str:
    interval = comparison.difference
    mark = "*" if interval.ci_low > 0 or interval.ci_high < 0 else " "
    return f"{_interval(interval.value, interval.ci_low, interval.ci_high, sign='+')} {mark}"


def _range(rows: list[Row], field: str) -> str:
    known = [value for row in rows if (value := getattr(row, field)) is not None]
    return "-" if not known else str(known[0]) if min(known) == max(known) else f"{min(known)}-{max(known)}"
