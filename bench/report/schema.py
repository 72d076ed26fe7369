"""What the columns of all tables mean, as a JSON file beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.report.cells import RULE
from bench.report.columns import Table
from bench.report.leaderboard_columns import LONG, MEAN, MODELS, PAIRED, RANKS, SUITES, WIDE
from bench.report.report_files import ReportFiles
from bench.report.track_columns import RESTORATION, ROBUSTNESS, SUMMARY
from bench.report.wide_table import wide_columns

FILE = "leaderboard_schema.json"
VERSION = 1
"""Raised when a column changes its name, place, type, unit or meaning, or goes."""
TABLES: tuple[Table, ...] = (LONG, MEAN, WIDE, PAIRED, RANKS, SUITES, MODELS, RESTORATION, ROBUSTNESS, SUMMARY)
FRAMES = (LONG, MEAN, PAIRED, RANKS)
"""The tables that are data frames in Python (`bench.evaluate`)."""
TEXT_COLUMNS = frozenset(column.name for table in FRAMES for column in table.columns if column.kind == "text")
"""Names of their columns of text."""
UNITS = (
    "Types: text, integer, number (decimal, with a point), flag (0 or 1). The unit `metric` is that of the metric that "
    "the line or the heading names."
)


def write_schema(report: ReportFiles) -> dict[str, Path]:
    """``leaderboard_schema.json``: the columns of every table, those of `leaderboard_wide.csv` as they are here."""
    wide = replace(WIDE, columns=tuple(wide_columns(report.data.entries, report.data.audits)))
    tables = [wide if table is WIDE else table for table in TABLES]
    content = {
        "schema_version": VERSION,
        "cells": RULE,
        "types_and_units": UNITS,
        "tables": {table.file: _as_json(table) for table in tables},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return {"what the columns mean": report.write(FILE, text + "\n")}


def _as_json(table: Table) -> dict[str, Any]:
    columns = [
        {"name": column.name, "type": column.kind, "unit": column.unit, "meaning": column.meaning}
        for column in table.columns
    ]
    return {"line": table.line, "columns": columns, **({"further": table.further} if table.further else {})}
