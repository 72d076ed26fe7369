"""Rows and predictions on disk: whole or not there, and said by name when not."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from leaderboard_runs import CLASSES, AddRun, predicted

from bench.report import (
    Row,
    discard_other_folds,
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
    *("n_groups", "n_skipped", "feature_dim", "params_m", "tiles_per_s", "floor", "primary_metric", "run_hash"),
    *("version", "classes", "info", "notes", "predictions", "kind", "fold", "asked", "settings"),
}


def test_a_row_is_json_with_the_fixed_keys_at_its_place(results: Path, add_run: AddRun) -> None:
    row = add_run("uni", predicted(1.0), frontend="lpfm", notes=["half the mpp"], info={"k": 5})
    text = (results / "rows/demo/uni+lpfm/linear-0.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert set(record) == FIXED_KEYS
    assert list(record) == sorted(record)
    assert text.endswith("}\n")
    assert record["predictions"] == "predictions/demo/uni+lpfm/linear-0.parquet"
    assert read_rows(results) == [row]
    assert read_row(results, "demo", "uni", "lpfm", "linear", 0) == row
    assert read_row(results, "demo", "uni", "", "linear", 0) is None


def test_numpy_values_and_undefined_numbers_become_json(results: Path, add_run: AddRun) -> None:
    info = {"strength": np.float64(0.5), "gradient": float("nan"), "path": np.arange(3), "bound": (1, float("inf"))}
    add_run("uni", values={"auroc": float("nan"), "accuracy": np.float32(0.5)}, info=info)
    (row,) = read_rows(results)
    assert row.info == {"strength": 0.5, "gradient": None, "path": [0, 1, 2], "bound": [1, None]}
    assert row.metrics["auroc"]["value"] is None
    assert row.metrics["accuracy"]["value"] == 0.5


@pytest.mark.parametrize(
    "model", ["hf-hub:bioptimus/H-optimus-0", "timm:vit.x", "../../escape", "..", ".hidden", "a+b", "ü", "uni@random"]
)
def test_any_model_name_stays_in_its_folder_and_comes_back(results: Path, add_run: AddRun, model: str) -> None:
    row = add_run(model, predicted(1.0))
    assert read_rows(results) == [row]
    assert row_path(results, *row.run).parent.parent.resolve() == (results / "rows" / "demo").resolve()
    assert predictions_path(results, *row.run).parent.parent.resolve() == (results / "predictions" / "demo").resolve()


def test_model_with_plus_is_not_a_model_behind_a_frontend(results: Path) -> None:
    assert row_path(results, "t", "a+b", "", "knn", 0) != row_path(results, "t", "a", "b", "knn", 0)


def test_reading_does_not_depend_on_the_order_of_files(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_rows(filled)
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: reversed(list(listed(self, pattern))))
    assert read_rows(filled) == expected


def broken(record: dict[str, Any], **changes: Any) -> str:
    return json.dumps({**record, **changes})


def test_unreadable_rows_are_left_out_and_named_in_one_warning(
    results: Path, add_run: AddRun, capsys: pytest.CaptureFixture[str]
) -> None:
    good = add_run("good", values={"auroc": 0.9})
    whole = row_path(results, *good.run).read_text(encoding="utf-8")
    record = json.loads(whole)
    without_seed = {name: value for name, value in record.items() if name != "seed"}
    faults = {
        "half": whole[: len(whole) // 2],
        "empty": "",
        "binary": "\x00\x01",
        "list": "[]",
        "seedless": json.dumps({**without_seed, "model": "seedless"}),
        "stranger": broken(record, model="stranger", colour="red"),
        "word": broken(record, model="word", n_test="many"),
        "unfinished": broken(record, model="unfinished", status="running"),
        "kindless": broken(record, model="kindless", kind="colours"),
        "kinds": broken(record, model="kinds", kind=[]),
        "pair": broken(record, model="pair", metrics={"auroc": [0.5, 0.6]}),
        "text": broken(record, model="text", metrics={"auroc": {"value": "high", "ci_low": None, "ci_high": None}}),
        "copy": whole,
    }
    for name, text in faults.items():
        path = results / "rows" / "demo" / name / "linear-0.json"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    assert read_rows(results) == [good]
    assert read_rows(results) == [good]
    warned = capsys.readouterr().err
    assert warned.count("\n") == 1
    for name in faults:
        assert f"rows/demo/{name}/linear-0.json (" in warned
        assert read_row(results, "demo", name, "", "linear", 0) is None
    assert "seed is missing" in warned
    assert "colour is unknown" in warned
    assert "n_test is 'many'" in warned


def test_a_warning_of_many_unreadable_rows_stays_short(
    results: Path, add_run: AddRun, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(50):
        row_path(results, *add_run("uni", values={"auroc": 0.9}, seed=seed).run).write_text("{}")
    assert read_rows(results) == []
    warned = capsys.readouterr().err
    assert warned.count(".json (") == 20
    assert "; and 30 more." in warned


def test_what_a_killed_writer_leaves_is_not_read(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = read_rows(filled)
    (filled / "rows/demo/uni/.linear-1.json.123.tmp").write_text("{")
    assert read_rows(filled) == expected
    assert not capsys.readouterr().err


def test_a_write_that_fails_leaves_the_row_that_stood(
    results: Path, add_run: AddRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = add_run("uni", predicted(1.0), seed=3)
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(results, row, predicted(2.0, seed=8))
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


def test_predictions_come_back_bit_for_bit(results: Path, add_run: AddRun) -> None:
    given = predicted(1.0)
    row = add_run("uni", given)
    path = results / row.predictions
    saved = read_predictions(path)
    assert saved.classes == CLASSES
    for name in ("ids", "groups", "y_true", "scores"):
        assert np.array_equal(getattr(saved, name), getattr(given, name)), name
    schema = pq.read_schema(path)
    assert saved.kind == "classes"
    assert schema.metadata[b"kind"] == b"classes"
    assert schema.names == ["id", "group", "y_true", "score_0", "score_1", "score_2"]
    assert json.loads(schema.metadata[b"classes"]) == CLASSES
    assert {str(schema.field(f"score_{i}").type) for i in range(3)} == {"double"}
    content = path.read_bytes()
    write(results, row, given)
    assert path.read_bytes() == content


def test_unreadable_predictions_are_a_sentence(results: Path, add_run: AddRun) -> None:
    path = results / add_run("uni", predicted(1.0)).predictions
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", None):
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"linear-0.parquet holds no whole predictions"):
            read_predictions(path)


def test_folds_are_rows_of_their_own(results: Path, add_run: AddRun) -> None:
    rows = [add_run("uni", predicted(1.0, seed=fold), seed=3, fold=fold) for fold in range(4)]
    names = ["linear-3.json", "linear-3-fold1.json", "linear-3-fold2.json", "linear-3-fold3.json"]
    assert [row_path(results, *row.run).name for row in rows] == names
    assert predictions_path(results, *rows[2].run).name == "linear-3-fold2.parquet"
    assert read_rows(results) == rows
    assert read_row(results, "demo", "uni", "", "linear", 3) == rows[0]
    assert read_row(results, "demo", "uni", "", "linear", 3, 2) == rows[2]
    assert read_row(results, "demo", "uni", "", "linear", 3, 4) is None


@pytest.mark.parametrize(("n_folds", "left"), [(0, {0}), (1, {1}), (5, {1, 2, 5}), (12, {1, 2, 5, 12})])
def test_folds_of_another_number_of_folds_are_discarded(
    results: Path, add_run: AddRun, n_folds: int, left: set[int]
) -> None:
    folds = (0, 1, 2, 5, 12)
    others = [
        add_run("uni", predicted(1.0), fold=fold, **other)
        for fold in folds
        for other in ({"seed": 11}, {"protocol": "linear-0"}, {"protocol": "linear.0"}, {"frontend": "f"})
    ]
    for fold in folds:
        row = add_run("uni", predicted(1.0), fold=fold)
        predictions_path(results, *row.run).with_suffix(".attention.h5").write_bytes(b"attention")
    discard_other_folds(results, "demo", "uni", "", "linear", 0, n_folds)
    rows = read_rows(results)
    assert [row for row in rows if row in others] == sorted(others, key=lambda row: row.run)
    assert {row.fold for row in rows if row not in others} == left
    saved = {path.name for path in (results / "predictions/demo/uni").iterdir()}
    for fold in folds:
        path = predictions_path(results, "demo", "uni", "", "linear", 0, fold)
        assert (path.name in saved) == (path.with_suffix(".attention.h5").name in saved) == (fold in left)
    discard_other_folds(results, "demo", "nobody", "", "linear", 0, n_folds)


def test_no_folder_is_no_rows(results: Path) -> None:
    assert read_rows(results) == []


def test_row_value_of_a_failed_run_is_unknown() -> None:
    row = Row("t", "m", "", "knn", 0, "failed", "auroc", metrics={"auroc": {"value": 1.0}})
    assert row.value("auroc") is None
