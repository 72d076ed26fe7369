"""Rows and predictions that were changed after they were written are noticed, whatever bit it is."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from saved_runs import CLASSES, KEY, predicted, row_of

from bench.rows import has_predictions, predictions_path, read_predictions, read_row, read_rows, row_path, write
from bench.rows.checksum import ChangedTextError, with_checksum, without_checksum
from bench.rows.predictions import write_predictions
from registry.errors import UserError


@pytest.fixture
def row(tmp_path):
    return write(tmp_path, row_of(), predicted())


def flipped(data, place):
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def test_every_changed_bit_of_predictions_is_found(tmp_path, row):
    path = predictions_path(tmp_path, row.key)
    data = path.read_bytes()
    for place in range(0, 8 * len(data), 61):
        path.write_bytes(flipped(data, place))
        assert not has_predictions(tmp_path, row)
        with pytest.raises(UserError, match="delete its row and run again"):
            read_predictions(path)
    path.write_bytes(data)
    assert has_predictions(tmp_path, row)


def test_predictions_of_another_run_are_found(tmp_path, row):
    other = write(tmp_path, row_of(replace(KEY, seed=1)), predicted(1))
    one, two = (predictions_path(tmp_path, of.key) for of in (row, other))
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(data)
    for path, of in ((one, row), (two, other)):
        assert not has_predictions(tmp_path, of)
        with pytest.raises(UserError, match="of another run than its name says"):
            read_predictions(path)


def test_predictions_stay_good_where_the_folder_is_moved(tmp_path, row):
    (tmp_path / "predictions").rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "moved").rename(tmp_path / "elsewhere" / "predictions")
    assert has_predictions(tmp_path / "elsewhere", row)
    saved = read_predictions(tmp_path / "elsewhere" / row.predictions)
    np.testing.assert_array_equal(saved.scores, predicted().scores)


def test_an_id_that_looks_like_a_checksum_is_none(tmp_path):
    ids = np.array(["pfmbench-crc32:00000000"] * 12)
    path = tmp_path / "p.parquet"
    write_predictions(path, replace(predicted(), ids=ids), CLASSES)
    assert list(read_predictions(path).ids) == list(ids)
    assert pq.read_table(path)["id"].to_pylist() == list(ids)


def test_every_changed_bit_of_a_row_is_found(tmp_path, row):
    path = row_path(tmp_path, row.key)
    data = path.read_bytes()
    for place in range(0, 8 * len(data), 7):
        path.write_bytes(flipped(data, place))
        assert read_row(tmp_path, row.key) in (None, row), flipped(data, place)  # a letter of the checksum made large
    path.write_bytes(data.replace(b'"value": 0.9', b'"value": 0.8'))
    assert "its checksum is another" in read_rows(tmp_path)[1][0]
    path.write_bytes(data)
    assert read_row(tmp_path, row.key) == row


def test_a_row_is_json_and_one_without_a_checksum_is_read(tmp_path, row):
    path = row_path(tmp_path, row.key)
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record))
    assert read_row(tmp_path, row.key) == row, "as a program writes it that knows of no checksum"
    assert record.pop("written_crc32")
    path.write_text(json.dumps(record))
    assert read_row(tmp_path, row.key) == row


def test_the_text_comes_back():
    for text in ('{\n "a": 1\n}\n', '{\n "written_crc32": "00000000"\n}\n'):
        assert without_checksum(with_checksum(text)) == text
        assert json.loads(with_checksum(text))
        with pytest.raises(ChangedTextError):
            without_checksum(with_checksum(text).replace(":", " :", 1))
