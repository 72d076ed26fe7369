"""Predictions of every kind of target come back bit for bit or are not written; a damaged file is a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from saved_runs import Predicted

from bench.metrics import METRICS
from bench.rows import Row, predictions_path, read_predictions, write
from bench.rows.printable import printable
from registry.errors import UserError

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


@st.composite
def any_predictions(draw: st.DrawFn, kind: str) -> tuple[Predicted, list[str]]:
    n = draw(st.integers(1, 6))
    width = 1 if kind == "survival" else draw(st.integers(2 if kind in ("classes", "ordinal") else 1, 4))
    names = draw(st.lists(st.text(max_size=5), min_size=width, max_size=width))
    text = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=n, max_size=n)
    labels: Any
    if kind in ("classes", "ordinal"):
        labels = arrays(np.int64, n, elements=st.integers(0, width - 1))
    elif kind == "multilabel":
        labels = arrays(np.int64, (n, width), elements=st.integers(0, 1))
    elif kind == "regression":
        labels = arrays(np.float64, (n, width), elements=FINITE)
    else:
        time = arrays(np.float64, n, elements=st.floats(1e-9, 1e9))
        labels = st.tuples(time, arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0]))).map(np.column_stack)
    scores = arrays(np.float64, (n, width), elements=FINITE)
    calibrated = draw(st.none() | scores) if kind in ("classes", "ordinal") else None
    ids, groups = (np.array(draw(text), str) for _ in range(2))
    return Predicted(ids, groups, draw(labels), draw(scores), calibrated, kind), names


@pytest.mark.slow
@pytest.mark.parametrize("kind", METRICS)
@settings(max_examples=50)  # of each kind: an example is a row and a table on the disk
@given(data=st.data())
def test_predictions_of_every_kind_come_back_bit_for_bit(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    predictions, names = data.draw(any_predictions(kind))
    results = tmp_path_factory.mktemp("results")
    row = write(results, Row("t", "m", "", "p", 0, "ok", "x", kind=kind, fold=2, classes=names), predictions)
    saved = read_predictions(results / row.predictions)
    assert (saved.kind, saved.classes) == (kind, row.classes)
    assert row.classes == [printable(name) for name in names]
    for name in ("ids", "groups", "y_true", "scores", "calibrated"):
        was, now = getattr(predictions, name), getattr(saved, name)
        if was is None:
            assert now is None
        else:
            assert now.dtype.kind == was.dtype.kind
            assert np.array_equal(now, was), name


CLASS, SURVIVAL = np.array([0, 1]), np.array([[1.0, 1.0], [2.0, 0.0]])


@pytest.mark.parametrize(
    ("kind", "y_true", "scores", "fault"),
    [
        ("classes", CLASS, np.array([[0.5, 0.5], [np.nan, 0.5]]), "1 of 2 samples have a score that is not a finite"),
        ("classes", np.array([0, 2]), np.eye(2), "Labels must be integers from 0 to 1"),
        ("ordinal", np.array([0, -1]), np.eye(2), "Labels must be integers from 0 to 1"),
        ("ordinal", np.array([0.0, 0.5]), np.eye(2), "Labels must be integers from 0 to 1"),
        ("classes", np.eye(2, dtype=int), np.eye(2), r"2 rows of scores for labels of shape \(2, 2\)"),
        ("classes", CLASS[:1], np.eye(2), r"2 rows of scores for labels of shape \(1,\)"),
        ("classes", CLASS, np.ones((2, 3)), "do not fit 2 classes"),
        ("classes", np.array(["a", "b"]), np.eye(2), "not all numbers"),
        ("regression", np.array([[0.0, np.inf], [0, 0]]), np.eye(2), "1 of 2 samples have a target value that is not"),
        ("regression", CLASS, np.eye(2), r"true targets have shape \(2,\)"),
        ("multilabel", np.array([[0, 2], [0, 0]]), np.eye(2), "must be 0 or 1"),
        ("survival", SURVIVAL * [[0.0, 1.0]], np.ones((2, 1)), "2 of 2 samples have a time that is not above 0"),
        ("survival", SURVIVAL * [[1.0, 2.0]], np.ones((2, 1)), "1 of 2 samples have .* an event that is not 0 or 1"),
        ("survival", SURVIVAL * [[np.nan, 1.0]], np.ones((2, 1)), "2 of 2 samples have a time that is not above 0"),
        ("survival", SURVIVAL[:, :1], np.ones((2, 1)), "pairs of time and event"),
        ("regression", np.ones((0, 2)), np.ones((0, 2)), "0 samples"),
        ("colours", CLASS, np.eye(2), "none of classes"),
    ],
)
def test_what_is_not_of_its_kind_is_not_written(
    tmp_path: Path, kind: str, y_true: np.ndarray, scores: np.ndarray, fault: str
) -> None:
    row = Row("t", "m", "", "p", 0, "ok", "x", kind=kind, classes=["risk"] if kind == "survival" else ["a", "b"])
    with pytest.raises(ValueError, match=fault):
        write(tmp_path, row, Predicted(np.array(["x", "y"]), np.array(["g", "g"]), y_true, scores, kind=kind))
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("calibrated", "fault"),
    [
        (np.array([[0.5, 0.5], [np.nan, 0.5]]), "1 of 2 samples have a score that is not a finite number"),
        (np.ones((2, 3)), r"shape \(2, 3\) do not fit 2 classes"),
        (np.ones((3, 2)), "3 rows of scores"),
        (np.array(["a", "b"]), "could not convert string to float"),
    ],
)
def test_scaled_scores_that_are_no_scores_are_not_written(tmp_path: Path, calibrated: np.ndarray, fault: str) -> None:
    ids = np.array(["x", "y"])
    row = Row("t", "m", "", "p", 0, "ok", "x", classes=["a", "b"])
    with pytest.raises(ValueError, match=fault):
        write(tmp_path, row, Predicted(ids, ids, CLASS, np.eye(2), calibrated))
    assert not list(tmp_path.rglob("*.*"))


def test_predictions_of_another_kind_than_the_row_are_not_written(tmp_path: Path) -> None:
    ids = np.array(["x", "y"])
    with pytest.raises(ValueError, match="Predictions of ordinal are not those of a row of classes"):
        write(
            tmp_path,
            Row("t", "m", "", "p", 0, "ok", "x", classes=["a", "b"]),
            Predicted(ids, ids, CLASS, np.eye(2), kind="ordinal"),
        )
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("y_true_0", [0, 2]),
        ("y_true_0", [None, 1]),
        ("y_true_0", ["0", "1"]),
        ("score_1", [0.1, float("nan")]),
        ("score_1", [0.1, None]),
        ("score_1", None),
        ("y_true_1", None),
        ("id", None),
        ("kind", b"colours"),
        ("kind", b"survival"),
        ("kind", None),
        ("classes", b"3"),
        ("classes", b"["),
        ("classes", b"[" * 100_000),
        ("classes", None),
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, column: str, values: Any) -> None:
    ids = np.array(["x", "y"])
    row = Row("t", "m", "", "p", 0, "ok", "x", kind="multilabel", classes=["a", "b"])
    write(tmp_path, row, Predicted(ids, ids, np.eye(2, dtype=int), np.eye(2), kind="multilabel"))
    path = predictions_path(tmp_path, row.key)
    table = pq.read_table(path)
    metadata = dict(table.schema.metadata)
    if column in ("kind", "classes"):
        metadata.pop(column.encode())
        metadata |= {} if values is None else {column.encode(): values}
    elif values is None:
        table = table.drop_columns([column])
    else:
        table = table.set_column(table.column_names.index(column), column, pa.array(values))
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(UserError, match=r"p-%-seed0\.parquet .*: delete its row and run again\.$"):
        read_predictions(path)
