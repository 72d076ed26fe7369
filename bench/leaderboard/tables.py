"""The CSV files of the leaderboard, rebuilt from rows and predictions: the same bytes whenever nothing changed."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.files import unwritable, whole_file
from bench.leaderboard.comparisons import Comparison, compare, pairs
from bench.leaderboard.floors import best_floor
from bench.leaderboard.rows import Row, read_rows
from registry.errors import UserError

LONG = (
    "task", "model", "frontend", "protocol", "seed", "metric", "value", "ci_low", "ci_high", "n_train", "n_test",
    "n_groups", "null_value", "feature_dim", "params_m", "tiles_per_s", "status", "error", "config_digest", "version",
)  # fmt: skip
PAIRED = (
    "task", "protocol", "metric", "seed", "model_a", "frontend_a", "model_b", "frontend_b", "difference", "ci_low",
    "ci_high", "n_test", "n_groups",
)  # fmt: skip
Record = dict[str, str]


def rebuild(results: Path) -> dict[str, Path]:
    """Write leaderboard.csv, leaderboard_wide.csv and leaderboard_paired.csv; gives what each is, and where.

    Raises
    ------
    UserError
        If there is no row to build from, or the folder cannot be written.
    """
    rows = rows_or_error(results)
    wide = wide_records(rows)
    tables: dict[str, tuple[Path, Sequence[str], list[Record]]] = {
        "leaderboard": (results / "leaderboard.csv", LONG, long_records(rows)),
        "model by task": (results / "leaderboard_wide.csv", list(wide[0]), wide),
        "paired differences": (
            results / "leaderboard_paired.csv",
            PAIRED,
            paired_records(compare(results, pairs(rows))),
        ),
    }
    for path, columns, records in tables.values():
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        try:
            with whole_file(path) as temporary:
                temporary.write_text(text.getvalue(), encoding="utf-8", newline="\n")
        except OSError as error:
            raise unwritable(path, error, "results=DIR") from error
    return {what: path for what, (path, _, _) in tables.items()}


def rows_or_error(results: Path) -> list[Row]:
    """The rows of a results folder; UserError if there are none."""
    rows = read_rows(results)
    if not rows:
        raise UserError(
            f"No rows to make a leaderboard of in {results / 'rows'}: run a benchmark first, or name another folder "
            "with results=DIR."
        )
    return rows


def long_records(rows: list[Row]) -> list[Record]:
    """A line a run and metric, a line a failed run; `null_value` is the better floor of that line."""
    floors = [row for row in rows if row.floor]
    records = []
    for row in rows:
        for metric, interval in (row.metrics if row.ok and row.metrics else {"": {}}).items():
            floor = best_floor(row, metric, floors)
            record = {
                "task": row.task,
                "model": row.model,
                "frontend": row.frontend,
                "protocol": row.protocol,
                "seed": str(row.seed),
                "metric": metric,
                **{name: number(interval.get(name)) for name in ("value", "ci_low", "ci_high")},
                **{name: number(getattr(row, name), 0) for name in ("n_train", "n_test", "n_groups", "feature_dim")},
                "null_value": number(floor.value(metric) if floor else None),
                "params_m": number(row.params_m, 2),
                "tiles_per_s": number(row.tiles_per_s, 1),
                "status": row.status,
                "error": " ".join(row.error.split()),
                "config_digest": row.config_digest,
                "version": row.version,
            }
            records.append((row.task, row.protocol, metric, row.model, row.frontend, row.seed, record))
    return [record for *_, record in sorted(records, key=lambda entry: entry[:-1])]


def wide_records(rows: list[Row]) -> list[Record]:
    """A line a protocol, model and frontend; a column a task with its primary metric, the mean over seeds."""
    tasks = sorted({row.task for row in rows})
    records = []
    for protocol, model, frontend in sorted({(row.protocol, row.model, row.frontend) for row in rows}):
        own = [row for row in rows if (row.protocol, row.model, row.frontend) == (protocol, model, frontend)]
        means = {
            task: number(_mean(row.value(row.primary_metric) for row in own if row.task == task)) for task in tasks
        }
        records.append({"protocol": protocol, "model": model, "frontend": frontend, **means})
    return records


def paired_records(comparisons: Sequence[Comparison]) -> list[Record]:
    """A line a comparison."""
    ordered = sorted(comparisons, key=lambda c: (c.a.task, c.a.protocol, c.metric, c.a.seed, c.a.run, c.b.run))
    return [
        {
            "task": c.a.task,
            "protocol": c.a.protocol,
            "metric": c.metric,
            "seed": str(c.a.seed),
            "model_a": c.a.model,
            "frontend_a": c.a.frontend,
            "model_b": c.b.model,
            "frontend_b": c.b.frontend,
            "difference": number(c.difference.value),
            "ci_low": number(c.difference.ci_low),
            "ci_high": number(c.difference.ci_high),
            "n_test": str(c.n_test),
            "n_groups": str(c.n_groups),
        }
        for c in ordered
    ]


def number(value: float | None, digits: int = 6, sign: str = "") -> str:
    """Fixed precision; empty for a value that is not known, and no negative zero."""
    if value is None or math.isnan(value):
        return ""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
