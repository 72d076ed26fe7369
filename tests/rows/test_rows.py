"""Rows and predictions on disk: complete or not there, and read back as they were written."""

import json
import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from saved_runs import CLASSES, KEY, predicted, row_of

from bench.rows import (
    SCHEMA,
    Row,
    has_predictions,
    predictions_path,
    read_predictions,
    read_row,
    read_rows,
    row_path,
    write,
)
from registry.errors import UserError

FIXED_KEYS = {
    *("task", "model", "frontend", "protocol", "seed", "status", "error", "metrics", "n_train", "n_val", "n_test"),
    *("n_groups", "n_skipped", "feature_dim", "params_m", "tiles_per_s", "baseline", "primary_metric", "run_hash"),
    *("version", "classes", "info", "notes", "predictions", "kind", "fold", "cohort_hash", "head_config_hash"),
    *("stale_error", "schema"),
}


def test_a_row_is_json_with_the_fixed_keys_at_its_place(tmp_path: Path) -> None:
    key = replace(KEY, frontend="lpfm")
    row = write(tmp_path, row_of(key, notes=["half the mpp"], info={"k": 5}), predicted())
    text = (tmp_path / "rows/demo/c0ffee/uni+lpfm/linear-1f2e-seed0.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert set(record) == FIXED_KEYS
    assert list(record) == sorted(record)
    assert text.endswith("}\n")
    assert record["schema"] == SCHEMA == 3
    assert record["predictions"] == "predictions/demo/c0ffee/uni+lpfm/linear-1f2e-seed0.parquet"
    assert read_rows(tmp_path) == ([row], [])
    assert row.key == key
    assert read_row(tmp_path, key) == row
    assert read_row(tmp_path, KEY) is None


def test_numpy_values_and_undefined_numbers_become_json(tmp_path: Path) -> None:
    info = {"strength": np.float64(0.5), "gradient": float("nan"), "path": np.arange(3), "bound": (1, float("inf"))}
    metrics = {
        "auroc": dict.fromkeys(("value", "ci_low", "ci_high"), float("nan")),
        "accuracy": dict.fromkeys(("value", "ci_low", "ci_high"), np.float32(0.5)),
    }
    written = write(tmp_path, row_of(metrics=metrics, info=info, n_test=np.int64(3)), None)
    (row,), _ = read_rows(tmp_path)
    assert row == written
    assert row.info == {"strength": 0.5, "gradient": None, "path": [0, 1, 2], "bound": [1, None]}
    assert row.metrics["auroc"]["value"] is None
    assert row.metrics["accuracy"]["value"] == 0.5
    assert row.n_test == 3


def test_text_is_made_printable(tmp_path: Path) -> None:
    """Errors of libraries have colours, and names of files may be no UTF-8."""
    row = write(
        tmp_path,
        row_of(
            error="\x1b[31mOut of\nmemory.\x1b[0m",
            stale_error="x\udc80.svs",
            notes=["a\tb\x07"],
            info={"a\x00": "b\x9b"},
            classes=["ü", "\u202fé", "\x85"],
        ),
        predicted(),
    )
    assert row.error == "\\x1b[31mOut of memory.\\x1b[0m"
    assert row.stale_error == "x\\udc80.svs"
    assert row.notes == ["a b\\x07"]
    assert row.info["a\\x00"] == "b\\x9b"
    assert row.classes == ["ü", "\u202fé", " "]
    assert read_predictions(tmp_path / row.predictions).classes == row.classes
    assert read_rows(tmp_path) == ([row], [])


def test_a_later_failure_is_a_note_and_leaves_the_row_as_it_was(tmp_path: Path) -> None:
    row = write(tmp_path, row_of(notes=["synthetic"]), predicted())
    stale = write(tmp_path, replace(row, stale_error="uni: Out of memory."), None)
    assert read_rows(tmp_path) == ([stale], [])
    assert replace(stale, stale_error="") == row
    assert (stale.ok, stale.value("auroc")) == (True, 0.9)
    assert stale.all_notes == [
        "synthetic",
        "this row is of an earlier run; a later one failed: uni: Out of memory.",
    ]
    assert row.all_notes == row.notes == stale.notes == ["synthetic"]
    assert has_predictions(tmp_path, stale)


def test_reading_does_not_depend_on_the_order_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for model in ("b", "a", "c"):
        for seed in (10, 9):
            write(tmp_path, row_of(model=model, seed=seed), None)
    expected = read_rows(tmp_path)
    assert [(row.model, row.seed) for row in expected[0]] == [(model, seed) for model in "abc" for seed in (9, 10)]
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: reversed(list(listed(self, pattern))))
    assert read_rows(tmp_path) == expected


def test_what_a_killed_writer_leaves_is_not_read(tmp_path: Path) -> None:
    row = write(tmp_path, row_of(), predicted())
    path = row_path(tmp_path, row.key)
    path.with_name(f".{path.name}.12345678.tmp").write_text("{")
    assert read_rows(tmp_path) == ([row], [])


def test_a_write_that_fails_leaves_the_row_that_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = write(tmp_path, row_of(seed=3), predicted())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(before) == 2

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, row, predicted(8))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_predictions_come_back_bit_for_bit(tmp_path: Path) -> None:
    saved_before = predicted()
    row = write(tmp_path, row_of(), saved_before)
    path = predictions_path(tmp_path, row.key)
    assert path == tmp_path / row.predictions
    saved = read_predictions(path)
    assert saved.classes == CLASSES
    for name in ("ids", "groups", "y_true", "scores"):
        assert np.array_equal(getattr(saved, name), getattr(saved_before, name)), name
    schema = pq.read_schema(path)
    assert saved.kind == "classes"
    assert schema.metadata[b"kind"] == b"classes"
    assert schema.names == ["id", "group", "y_true", "score_0", "score_1", "score_2"]
    assert json.loads(schema.metadata[b"classes"]) == CLASSES
    assert {str(schema.field(f"score_{i}").type) for i in range(3)} == {"double"}
    content = path.read_bytes()
    write(tmp_path, row, saved_before)
    assert path.read_bytes() == content


def test_unreadable_predictions_are_a_sentence(tmp_path: Path) -> None:
    row = write(tmp_path, row_of(), predicted())
    path = tmp_path / row.predictions
    content = path.read_bytes()
    assert has_predictions(tmp_path, row)
    assert not has_predictions(tmp_path, replace(row, n_test=11))
    assert not has_predictions(tmp_path, replace(row, predictions=""))
    for damaged in (content[: len(content) // 2], b"", None):
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"linear-1f2e-seed0.parquet holds no complete predictions"):
            read_predictions(path)
        assert not has_predictions(tmp_path, row)


def test_folds_are_rows_of_their_own(tmp_path: Path) -> None:
    rows = [write(tmp_path, row_of(seed=3, fold=fold), predicted(fold)) for fold in range(4)]
    names = [f"linear-1f2e-seed3{fold}.json" for fold in ("", "-fold1", "-fold2", "-fold3")]
    assert [row_path(tmp_path, row.key).name for row in rows] == names
    assert predictions_path(tmp_path, rows[2].key).name == "linear-1f2e-seed3-fold2.parquet"
    assert read_rows(tmp_path) == (rows, [])
    assert read_row(tmp_path, replace(KEY, seed=3)) == rows[0]
    assert read_row(tmp_path, replace(KEY, seed=3, fold=2)) == rows[2]
    assert read_row(tmp_path, replace(KEY, seed=3, fold=4)) is None


def test_a_run_replaces_only_itself(tmp_path: Path) -> None:
    """Folds of another number of folds are of another cohort; their rows and whatever lies beside them stay."""
    folds = [write(tmp_path, row_of(cohort_hash=f"of_{n}", fold=k), predicted(k)) for n in (3, 5) for k in range(1, n)]
    attention = predictions_path(tmp_path, folds[0].key).with_suffix(".attention.h5")
    attention.write_bytes(b"attention")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    lone = write(tmp_path, row_of(), predicted(1))
    again = write(tmp_path, row_of(n_test=13), predicted(2, n=13))
    assert lone.key == again.key
    rows, sentences = read_rows(tmp_path)
    assert sorted(rows, key=lambda row: row.key) == sorted([*folds, again], key=lambda row: row.key)
    assert not sentences
    new = {row_path(tmp_path, lone.key), predictions_path(tmp_path, lone.key)}
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p not in new} == before


def test_no_folder_is_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "nowhere") == ([], [])
    assert read_row(tmp_path / "nowhere", KEY) is None


def test_row_value_of_a_failed_run_is_unknown() -> None:
    row = row_of(status="failed")
    assert row.metrics["auroc"]["value"] == 0.9
    assert row.value("auroc") is None


def test_a_row_has_every_field_of_its_key() -> None:
    assert row_of(KEY).key == KEY
    assert {field.name for field in fields(Row)} == FIXED_KEYS
