"""Every table has the columns that the schema and docs/TABLES.md say, and each column says what it is."""

import csv
import hashlib
import json
import re
from pathlib import Path

import pytest
from leaderboard_runs import AddRun, predicted, rebuild
from robustness_rows import add_head, add_similarity

from bench.report.cells import text_of
from bench.report.robustness_tables import robustness_records, robustness_summary_records
from bench.report.schema import FRAMES, TABLES, TEXT_COLUMNS, VERSION
from bench.report.table_docs import document
from bench.report.track_columns import ROBUSTNESS, SUMMARY
from bench.results import read_leaderboard

ROOT = Path(__file__).parents[2]


def heading(path: Path) -> list[str]:
    with open(path, newline="", encoding="utf-8") as file:
        return [text_of(cell) for cell in next(csv.reader(file))]


def test_tables_have_the_columns_of_the_schema_beside_them(filled: Path, add_run: AddRun) -> None:
    add_run("=uni", predicted(1.0), task="=a", protocol="+b")
    rebuild(filled)
    schema = json.loads((filled / "leaderboard_schema.json").read_text())
    assert schema["schema_version"] == VERSION
    paths = list(filled.glob("*.csv"))
    assert len(paths) == 7
    for path in paths:
        columns = schema["tables"][path.name]["columns"]
        assert heading(path) == [column["name"] for column in columns]
        assert len(set(heading(path))) == len(columns)
        for column in columns:
            assert set(column) == {"name", "type", "unit", "meaning"}
            assert column["type"] in ("text", "integer", "number", "flag")
            assert column["meaning"]
    wide = schema["tables"]["leaderboard_wide.csv"]["columns"][-1]
    assert wide == {
        "name": "other: balanced_accuracy, 60 test samples",
        "type": "number",
        "unit": "balanced_accuracy",
        "meaning": "balanced_accuracy of other; its cohort_hash is other",
    }


def test_cells_are_of_the_type_of_their_column(filled: Path) -> None:
    rebuild(filled)
    schema = json.loads((filled / "leaderboard_schema.json").read_text())
    patterns = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "flag": "[01]", "text": "(?s).*"}
    for path in filled.glob("*.csv"):
        kinds = {column["name"]: column["type"] for column in schema["tables"][path.name]["columns"]}
        with open(path, newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                for name, cell in line.items():
                    assert cell == "" or re.fullmatch(patterns[kinds[name]], cell), (path.name, name, cell)


def test_records_of_robustness_have_the_columns_and_no_others(results: Path, add_run: AddRun) -> None:
    for frontend, wrong in (("", 1), ("jpeg_3", 4), ("jpeg_3+median", 3)):
        add_head(add_run, "uni", frontend, wrong)
        add_similarity(add_run, "uni", frontend, [1.0, 0.9, 0.8], [0.5] * 3 if "+" in frontend else None)
    data = read_leaderboard(results)
    for table, records in ((ROBUSTNESS, robustness_records(data)), (SUMMARY, robustness_summary_records(data))):
        assert records
        assert {frozenset(record) for record in records} == {frozenset(table.names)}


def test_docs_are_those_of_the_code() -> None:
    assert (ROOT / "docs/TABLES.md").read_text(encoding="utf-8") == document(), "run python -m bench.report.table_docs"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.file)
def test_no_table_has_two_columns_of_one_name(table) -> None:
    assert len(set(table.names)) == len(table.names)


def test_a_name_is_of_one_type_in_all_data_frames() -> None:
    other = {column.name for table in FRAMES for column in table.columns if column.kind != "text"}
    assert other.isdisjoint(TEXT_COLUMNS)


def test_columns_stay_as_they_are_in_this_version() -> None:
    """Whoever changes a name, place, type or unit raises `VERSION`, and names it in CHANGELOG.md."""
    columns = [[table.file, *([c.name, c.kind, c.unit] for c in table.columns)] for table in TABLES]
    digest = hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:16]
    assert (VERSION, digest) == (1, "91190465bfaed34c")
