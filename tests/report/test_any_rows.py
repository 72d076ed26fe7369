"""Whatever rows can be read, tables can be made of them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaderboard_runs import CLASSES, lines, predicted, rebuild

from bench.metrics import METRICS
from bench.report import table_text
from bench.results import read_leaderboard
from bench.rows import INTERVALS, Row, read_rows, write

NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10**99)
COUNT = st.none() | st.integers(0, 10**99)
TEXT = st.sampled_from(["", "a", "b", "a@random", "auroc", "mae"]) | st.text(max_size=4)
METRIC = st.sampled_from(sorted(metric for metrics in METRICS.values() for metric in metrics)) | TEXT
INTERVAL = st.fixed_dictionaries(
    dict.fromkeys(("value", "ci_low", "ci_high"), NUMBER), optional={"interval": st.sampled_from(INTERVALS)}
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("model", "frontend", "protocol", "cohort_hash", "head_config_hash", "error", "stale_error"), TEXT),
    **dict.fromkeys(("n_train", "n_test", "n_groups", "feature_dim"), COUNT),
    **dict.fromkeys(("params_m", "tiles_per_s"), NUMBER),
    "task": st.sampled_from(["", "demo"]),
    "seed": st.integers(0, 3) | st.integers(0, 10**99),
    "fold": st.integers(0, 3) | st.integers(0, 10**9),
    "status": st.sampled_from(["ok", "ok", "ok", "failed", "lost"]),
    "kind": st.sampled_from(list(METRICS)),
    "primary_metric": METRIC,
    "baseline": st.booleans(),
    "notes": st.lists(TEXT, max_size=2),
    "metrics": st.dictionaries(METRIC, INTERVAL, max_size=3),
}
FEW = {"model": st.sampled_from(["a", "b", "a@random"]), "primary_metric": st.just("auroc")}
ALIKE = {**dict.fromkeys(("frontend", "protocol", "cohort_hash", "head_config_hash"), st.just("x")), **FEW}


@pytest.mark.slow
@settings(max_examples=60)  # an example is a results folder and its tables
@given(
    rows=st.lists(st.fixed_dictionaries(FIELDS) | st.fixed_dictionaries({**FIELDS, **ALIKE}), min_size=1, max_size=6)
)
def test_tables_of_any_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    results = tmp_path_factory.mktemp("results")
    for number, row in enumerate(rows):
        predictions = predicted(1.0, n=12, seed=number) if number % 2 and row["kind"] == "classes" else None
        write(results, Row(**row, classes=CLASSES), predictions)
    assert_tables_hold_all(results)


def assert_tables_hold_all(results: Path) -> None:
    rebuild(results)
    rows, sentences = read_rows(results)
    assert rows
    assert not sentences
    table = lines(results / "leaderboard.csv")
    assert len(table) == sum(max(1, len(row.metrics)) if row.ok else 1 for row in rows)
    shown = table_text(read_leaderboard(results), everything=True)
    for status in ("failed", "lost"):
        assert shown.count(f"  {status}: ") >= sum(row.status == status for row in rows)
    assert "not shown" not in shown
