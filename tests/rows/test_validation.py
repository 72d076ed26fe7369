"""Rows that are damaged, made by hand or of another version are left out and named, and break nothing."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saved_runs import KEY, row_of

from bench.rows import SCHEMA, Row, read_row, read_rows, row_path, warn_once, write
from bench.rows.validation import LARGEST

Record = dict[str, Any]


def changed(**changes: Any) -> Callable[[Record], str]:
    """The record with other values, as JSON."""
    return lambda record: json.dumps({**record, **changes})


def with_value(json_text: str) -> Callable[[Record], str]:
    """The record with this JSON as its metric's value."""
    interval = {"value": "HERE", "ci_low": None, "ci_high": None}
    return lambda record: json.dumps({**record, "metrics": {"auroc": interval}}).replace('"HERE"', json_text)


def nested(levels: int) -> Callable[[Record], str]:
    return lambda record: json.dumps({**record, "info": "HERE"}).replace(
        '"HERE"', '{"a":' * levels + "1" + "}" * levels
    )


DIGITS = "1" + "0" * 400
FAULTS: dict[str, tuple[Callable[[Record], str], str]] = {
    "half": (lambda record: json.dumps(record)[:200], "it is not complete JSON"),
    "empty": (lambda _: "", "it is not complete JSON"),
    "binary": (lambda _: "\x00\x01", "it is not complete JSON"),
    "list": (lambda _: "[]", "it is not a record"),
    "seedless": (lambda r: json.dumps({k: v for k, v in r.items() if k != "seed"}), "seed is missing"),
    "stranger": (changed(colour="red"), "colour is unknown"),
    "word": (changed(n_test="many"), "n_test is 'many'"),
    "truth": (changed(seed=True), "seed is True"),
    "number": (changed(baseline=1), "baseline is 1"),
    "before_the_first": (changed(fold=-1), "fold is negative"),
    "fraction": (changed(fold=0.5), "fold is 0.5"),
    "unfinished": (changed(status="running"), "status is none of ok, failed, lost"),
    "kindless": (changed(kind="colours"), "kind is none of classes"),
    "kinds": (changed(kind=[]), "kind is none of classes"),
    "notes": (changed(notes=["a", {"b": 1}]), "notes is ['a', {'b': 1}]"),
    "classes": (changed(classes=["a", 1]), "classes is ['a', 1]"),
    "info": (changed(info=[]), "info is []"),
    "metrics": (changed(metrics=[]), "metrics is []"),
    "pair": (changed(metrics={"auroc": [0.5, 0.6]}), "metric auroc is not a value with its interval"),
    "text": (with_value('"high"'), "metric auroc is not a number"),
    "yes": (with_value("true"), "metric auroc is not a number"),
    "long_int": (with_value(DIGITS), "a number that is not finite or too large"),
    "longer_int": (with_value("1" * 5000), "it is not complete JSON"),
    "long_float": (with_value("1e400"), "a number that is not finite or too large"),
    "large_float": (with_value("-1e300"), "a number that is not finite or too large"),
    "nan": (with_value("NaN"), "a number that is not finite or too large"),
    "infinite": (with_value("-Infinity"), "a number that is not finite or too large"),
    "many_tested": (changed(n_test=10**400), "a number that is not finite or too large"),
    "deep_number": (changed(info={"a": [{"b": 10**400}]}), "a number that is not finite or too large"),
    "deep": (nested(60), "it is nested deeper than 50 levels"),
    "deeper": (nested(900), "it is nested"),
    "deepest": (nested(100_000), "it is nested too deeply"),
    "surrogate": (changed(error="a\ud800b"), r"'a\ud800b' holds control characters"),
    "surrogate_of_model": (changed(model="a\ud800b"), r"'a\ud800b' holds control characters"),
    "escape": (changed(notes=["\x1b[2J"]), r"'\x1b[2J' holds control characters"),
    "c1_escape": (changed(primary_metric="\x9b2J"), r"'\x9b2J' holds control characters"),
    "escape_in_key": (changed(info={"\x1b[2J": 1}), r"'\x1b[2J' holds control characters"),
    "escape_in_metric": (
        changed(metrics={"\x07": {"value": 1, "ci_low": 1, "ci_high": 1}}),
        r"'\x07' holds control characters",
    ),
    "interval_of_words": (
        changed(metrics={"auroc": {"value": 1, "ci_low": 1, "ci_high": 1, "interval": "moons"}}),
        "metric auroc has an interval over 'moons', which is none of patients, repeats, episodes",
    ),
    "interval_of_list": (
        changed(metrics={"auroc": {"value": 1, "ci_low": 1, "ci_high": 1, "interval": ["patients"]}}),
        "metric auroc has an interval over",
    ),
    "no_value": (
        changed(metrics={"auroc": {"ci_low": 1, "ci_high": 1, "interval": "patients"}}),
        "metric auroc is not a value with its interval",
    ),
    "line": (changed(error="two\nlines"), r"'two\nlines' holds control characters"),
    "outside": (changed(predictions="../../etc/passwd"), "it names predictions of another run"),
    "absolute": (changed(predictions="/dev/zero"), "it names predictions of another run"),
    "copy": (lambda record: json.dumps({**record, "model": "uni"}), "it holds the row of another run"),
    "older": (changed(schema=1), f"it is of schema 1, and this version reads {SCHEMA}"),
    "newer": (
        lambda record: json.dumps({"schema": SCHEMA + 1, "task": "demo"}),
        f"it is of schema {SCHEMA + 1}, and this version reads {SCHEMA}",
    ),
    "no_schema": (lambda r: json.dumps({k: v for k, v in r.items() if k != "schema"}), "schema is missing"),
    "wordy_schema": (changed(schema="2"), "schema is '2'"),
}


def place(results: Path, name: str) -> Path:
    return row_path(results, row_of(model=name).key)


def put(results: Path, name: str, make: Callable[[Record], str]) -> None:
    """The row of a good run under this model's name, made faulty."""
    write(results, row_of(model=name), None)
    record = json.loads(place(results, name).read_text(encoding="utf-8"))
    place(results, name).write_text(make(record), encoding="utf-8")


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_row_is_left_out_and_named_with_its_fault(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(tmp_path, row_of(), None)
    make, fault = FAULTS[name]
    put(tmp_path, name, make)
    rows, (sentence,) = read_rows(tmp_path)
    assert rows == [good]
    assert sentence.startswith(f"Left out of the tables, run again or delete: {place(tmp_path, name)} (")
    assert fault in sentence
    assert len(sentence) < 1000
    assert sentence.isprintable()
    assert read_row(tmp_path, row_of(model=name).key) is None
    warn_once(sentence)
    assert capsys.readouterr().err == f"pfmbench: {sentence}\n"


def test_all_faulty_rows_are_named_in_one_sentence(tmp_path: Path) -> None:
    names = list(FAULTS)[:15]
    for name in names:
        put(tmp_path, name, FAULTS[name][0])
    (tmp_path / "rows/demo/c0ffee/uni").mkdir(exist_ok=True)
    (tmp_path / "rows/demo/c0ffee/uni/a_folder.json").mkdir()
    rows, (sentence,) = read_rows(tmp_path)
    assert rows == []
    for name in names:
        assert f"{place(tmp_path, name)} (" in sentence
        assert FAULTS[name][1] in sentence
    assert "a_folder.json (" in sentence


def test_a_sentence_of_many_faulty_rows_stays_short(tmp_path: Path) -> None:
    for seed in range(50):
        row = write(tmp_path, row_of(seed=seed), None)
        row_path(tmp_path, row.key).write_text(json.dumps({f"{i}" * 300: 0 for i in range(300)}))
    rows, (sentence,) = read_rows(tmp_path)
    assert rows == []
    assert sentence.count(".json (") == 20
    assert sentence.endswith("; and 30 more.")
    assert len(sentence) < 20 * (400 + len(str(place(tmp_path, "uni"))))


def test_rows_of_the_earlier_layout_are_left_out_and_named(tmp_path: Path) -> None:
    good = write(tmp_path, row_of(), None)
    record = json.loads(row_path(tmp_path, good.key).read_text())
    earlier = [tmp_path / "rows/demo/uni" / f"linear-{seed}.json" for seed in range(23)]
    earlier[0].parent.mkdir(parents=True)
    for path in earlier:
        path.write_text(json.dumps(record))
    rows, (sentence,) = read_rows(tmp_path)
    assert rows == [good]
    assert sentence.startswith("Left out of the tables, run again or delete, as an earlier version of pfmbench wrote")
    assert sum(str(path) in sentence for path in earlier) == 20
    assert sentence.endswith("; and 3 more.")


def test_a_warning_is_printed_once_and_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        warn_once("rows/\x1b[31m\x9b\ud800.json\nis damaged")
    assert capsys.readouterr().err == "pfmbench: rows/\\x1b[31m\\x9b\\ud800.json is damaged\n"


ANY_TEXT = st.text(max_size=20) | st.text(st.characters(categories=["Cc", "Cs", "Zs", "Lu"]), max_size=5)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | ANY_TEXT,
    lambda items: st.lists(items, max_size=3) | st.dictionaries(ANY_TEXT, items, max_size=3),
    max_leaves=8,
)
INTERVAL = st.fixed_dictionaries(dict.fromkeys(("value", "ci_low", "ci_high"), st.none() | st.floats()))
CONTENT = {
    **dict.fromkeys(("model", "task", "protocol", "primary_metric", "error", "stale_error", "version"), ANY_TEXT),
    **dict.fromkeys(("notes", "classes"), st.lists(ANY_TEXT, max_size=3)),
    "info": st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3),
    "metrics": st.dictionaries(ANY_TEXT, INTERVAL, max_size=3),
}


@given(st.fixed_dictionaries(CONTENT))
def test_whatever_a_run_writes_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: Record) -> None:
    results = tmp_path_factory.mktemp("results")
    row = write(results, row_of(**content), None)
    assert read_rows(results) == ([row], [])
    assert read_row(results, row_of(**content).key) == row


@given(st.dictionaries(st.sampled_from([field.name for field in fields(Row)]), ANY_JSON))
def test_whatever_a_row_holds_it_is_read_or_named(tmp_path_factory: pytest.TempPathFactory, content: Record) -> None:
    results = tmp_path_factory.mktemp("results")
    path = row_path(results, KEY)
    write(results, row_of(), None)
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **content}), encoding="utf-8")
    rows, sentences = read_rows(results)
    assert len(rows) + len(sentences) == 1
    assert all(str(path) in sentence for sentence in sentences)


@pytest.mark.parametrize("value", [LARGEST, np.nextafter(LARGEST, 0), -LARGEST, float("inf"), 1e308])
def test_a_number_at_the_bound_is_written_as_it_can_be_read(tmp_path: Path, value: float) -> None:
    row = write(tmp_path, row_of(metrics={"auroc": {"value": value, "ci_low": None, "ci_high": None}}), None)
    assert read_rows(tmp_path) == ([row], [])
    assert (row.metrics["auroc"]["value"] is None) == (not abs(value) < LARGEST)
