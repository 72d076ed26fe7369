"""What is damaged, foreign or made by hand in a results folder is named in one sentence, and all the rest is made."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from leaderboard_runs import CLASSES, AddRun, Predicted, predicted, run_key

from bench.jobs import lost_rows
from bench.report import long_records, mean_records, paired_records, rank_records, table_text
from bench.results import read_leaderboard
from bench.rows import SCHEMA, predictions_path, row_path, warn_once
from bench.rows.predictions import write_predictions

SECONDS = 300  # after which a command that waits for ever has failed
Tables = dict[str, list[dict[str, str]]]
Capture = pytest.CaptureFixture[str]
DIGITS = "1" + "0" * 400


@pytest.fixture(autouse=True)
def _no_command_waits_for_ever() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise AssertionError(f"the command waits for more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def good(results: Path, add_run: AddRun, capsys: pytest.CaptureFixture[str]) -> Path:
    """Two models, whose tables stand."""
    add_run("uni", predicted(3.0, seed=1))
    add_run("resnet50", predicted(1.5, seed=2))
    made(results)
    capsys.readouterr()
    return results


def made(results: Path) -> Tables:
    """What the report command makes of rows and predictions before it writes and draws it, and prints."""
    lost_rows(results)
    data = read_leaderboard(results)
    print(table_text(data))
    return {
        "long": list(long_records(data.entries)),
        "mean": list(mean_records(data)),
        "paired": list(paired_records(data)),
        "ranks": list(rank_records(data.ranked)),
    }


def made_and_warned(results: Path, capsys: Capture) -> tuple[Tables, list[str]]:
    """The tables, and the lines on stderr: a sentence each, with nothing that a terminal would execute."""
    capsys.readouterr()
    warn_once.cache_clear()
    found = made(results)
    out, err = capsys.readouterr()
    assert all(line.isprintable() for line in (*err.split("\n"), *out.split("\n")))
    return found, err.splitlines()


def compared(tables: Tables) -> set[tuple[str, str]]:
    return {(line["model_a"], line["model_b"]) for line in tables["paired"]}


def numbers(tables: Tables) -> list[tuple[str, ...]]:
    names = ("model", "metric", "value", "ci_low", "ci_high", "status", "run_hash")
    return [tuple(line[name] for name in names) for line in tables["long"]]


def models(tables: Tables) -> set[str]:
    return {line["model"] for line in tables["long"]}


def record_of(results: Path, model: str) -> dict[str, Any]:
    found = json.loads(row_path(results, run_key(model)).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def text_row(make: Callable[[dict[str, Any]], str | bytes]) -> Callable[[Path, Path], None]:
    """Puts the row of a good run, changed, in the place of another model's."""

    def put(results: Path, path: Path) -> None:
        made = make({**record_of(results, "uni"), "model": "other", "predictions": ""})
        path.write_bytes(made if isinstance(made, bytes) else made.encode("utf-8", "surrogatepass"))

    return put


def changed(**changes: Any) -> Callable[[Path, Path], None]:
    return text_row(lambda record: json.dumps({**record, **changes}))


def put_fifo(results: Path, path: Path) -> None:
    os.mkfifo(path)


def put_link(target: str) -> Callable[[Path, Path], None]:
    return lambda results, path: path.symlink_to(target)


def put_large(results: Path, path: Path) -> None:
    path.touch()
    os.truncate(path, 3 * 2**30)


NESTED = '{"a":' * 100_000 + "1" + "}" * 100_000
ROWS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "torn": (text_row(lambda record: json.dumps(record)[:200]), "it is not complete JSON"),
    "empty": (text_row(lambda record: ""), "it is not complete JSON"),
    "latin_1": (text_row(lambda record: b'{"task": "\xe9"}'), "it is not complete JSON"),
    "nested": (
        text_row(lambda record: json.dumps({**record, "info": "X"}).replace('"X"', NESTED)),
        "nested too deeply",
    ),
    "long_number": (changed(n_test=int(DIGITS)), "a number that is not finite or too large"),
    "not_a_number": (
        changed(metrics={"balanced_accuracy": {"value": float("nan"), "ci_low": None, "ci_high": None}}),
        "a number that is not finite or too large",
    ),
    "lone_surrogate": (changed(error="\ud800"), "holds control characters"),
    "escape_code": (changed(version="\x1b]0;x\x07"), "holds control characters"),
    "reversed_text": (changed(error="a\u202eb"), "holds control characters"),
    "line_separator": (changed(notes=["a\u2028b"]), "holds control characters"),
    "notes_of_numbers": (changed(notes=[1]), "notes is [1]"),
    "other_schema": (changed(schema=SCHEMA + 4), f"it is of schema {SCHEMA + 4}, and this version reads {SCHEMA}"),
    "other_machine": (changed(predictions="/home/a/results/predictions/x.parquet"), "predictions of another run"),
    "windows": (changed(predictions="C:\\results\\predictions\\x.parquet"), "predictions of another run"),
    "fifo": (put_fifo, "it is no file"),
    "device": (put_link("/dev/zero"), "it is no file"),
    "loop": (lambda results, path: path.symlink_to(path), "Too many levels of symbolic links"),
    "dangling": (put_link("/nowhere/x.json"), "No such file"),
    "folder": (lambda results, path: path.mkdir(), "it is no file"),
    "large": (put_large, "it has 3,072 MiB"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_faulty_row_is_named_and_all_the_rest_is_made(good: Path, name: str, capsys: Capture) -> None:
    before = made(good)
    put, reason = ROWS[name]
    path = row_path(good, run_key("other"))
    path.parent.mkdir()
    put(good, path)
    after, (sentence,) = made_and_warned(good, capsys)
    assert str(path) in sentence
    assert reason in sentence
    assert len(sentence) < 1000
    assert after == before


def test_a_file_name_that_is_no_text_is_named(good: Path, capsys: Capture) -> None:
    folder = os.fsencode(row_path(good, run_key("uni")).parent)
    with open(folder + b"/\xff\x1b[2J.json", "wb") as file:
        file.write(b"{}")
    _, (sentence,) = made_and_warned(good, capsys)
    assert "\\udcff\\x1b[2J.json (" in sentence


@pytest.mark.parametrize("level", ["rows/loop", "rows/demo/loop", "rows/demo/demo/loop"])
def test_a_folder_that_links_to_itself_is_named(good: Path, level: str, capsys: Capture) -> None:
    before = made(good)
    (good / level).symlink_to(good / level)
    after, (sentence,) = made_and_warned(good, capsys)
    assert sentence == (
        "pfmbench: Left out are rows in folders that cannot be read: "
        f"{good / level} (Too many levels of symbolic links)."
    )
    assert after == before


def with_other(n: int = 60, **changes: Any) -> Predicted:
    """Predictions like those of the models, with other samples."""
    made = vars(predicted(2.0, n=n, seed=7))
    return Predicted(**{**made, **{name: change(made[name]) for name, change in changes.items()}})


def renamed(ids: np.ndarray) -> np.ndarray:
    return np.array([f"other-{name}" for name in ids])


PREDICTIONS: dict[str, tuple[Predicted, list[str], str]] = {
    "rows": (with_other(n=50), CLASSES, "has 50 samples where its row has 60"),
    "ids": (with_other(ids=renamed), CLASSES, "has other samples than its row"),
    "labels": (with_other(y_true=lambda y: (y + 1) % 3), CLASSES, "has other samples than its row"),
    "groups": (with_other(groups=renamed), CLASSES, "has other samples than its row"),
    "fewer_groups": (
        with_other(groups=lambda groups: np.array(["a", "b"])[np.arange(len(groups)) % 2]),
        CLASSES,
        "has 2 groups where its row has 10",
    ),
    "twice": (
        with_other(ids=lambda ids: np.array(["tile-0", *ids[:-1]])),
        CLASSES,
        "has samples twice",
    ),
    "classes": (with_other(), ["a", "b", "c"], "kind and classes"),
    "kind": (
        Predicted(
            **{
                **vars(predicted(2.0)),
                "y_true": np.random.default_rng(0).random((60, 3)),
                "kind": "regression",
            }
        ),
        CLASSES,
        "kind and classes",
    ),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions_of_another_task_are_named_and_left_out(
    good: Path, add_run: AddRun, name: str, capsys: Capture
) -> None:
    add_run("other", predicted(2.0, seed=7))
    path = predictions_path(good, run_key("other"))
    foreign, classes, reason = PREDICTIONS[name]
    write_predictions(path, foreign, classes)
    after, (sentence,) = made_and_warned(good, capsys)
    assert sentence.startswith("pfmbench: Left out of means' intervals and paired differences: ")
    assert str(path) in sentence
    assert reason in sentence
    assert models(after) == {"uni", "resnet50", "other"}
    assert compared(after) == {("resnet50", "uni")}


PLACES: dict[str, Callable[[Path], None]] = {
    "gone": lambda path: None,
    "empty": lambda path: path.touch(),
    "folder": lambda path: path.mkdir(),
    "fifo": lambda path: os.mkfifo(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path),
    "text": lambda path: path.write_text("PAR1" + "x" * 100 + "PAR1"),
}


@pytest.mark.parametrize("name", PLACES)
def test_predictions_that_are_no_parquet_file_are_named_and_left_out(
    good: Path, add_run: AddRun, name: str, capsys: Capture
) -> None:
    add_run("other", predicted(2.0, seed=7))
    path = predictions_path(good, run_key("other"))
    path.unlink()
    PLACES[name](path)
    after, (sentence,) = made_and_warned(good, capsys)
    assert f"{path} holds no complete predictions" in sentence
    assert compared(after) == {("resnet50", "uni")}


WRONG: list[Any] = [None, True, -1, 10**90, "text", [], [["x"]], {}, {"a": {"b": []}}, {"": None}]
INFO = (
    *("model_card", "contamination", "peak_memory_mib", "config", "digests", "versions", "device", "seconds"),
    *("finished", "command", "weights", "stages", "track", "frontend", "threshold_shift", "lpips", "identity", "job"),
    *("attention", "thresholds", "notes", "temperature", "undefined_resamples", "auroc_obuchowski", "risk_groups"),
)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_info_of_any_type_breaks_nothing(good: Path, wrong: Any, capsys: Capture) -> None:
    before = made(good)
    for model in ("uni", "resnet50"):
        path = row_path(good, run_key(model))
        path.write_text(json.dumps({**record_of(good, model), "info": dict.fromkeys(INFO, wrong)}))
    after, warnings = made_and_warned(good, capsys)
    assert warnings == []
    assert numbers(after) == numbers(before)


@pytest.mark.parametrize("track", ["robustness", "restoration", "nonsense"])
def test_a_row_that_claims_a_track_breaks_nothing(good: Path, track: str, capsys: Capture) -> None:
    path = row_path(good, run_key("uni"))
    path.write_text(json.dumps({**record_of(good, "uni"), "info": {"track": track}}))
    after, warnings = made_and_warned(good, capsys)
    assert warnings == []
    assert models(after) == {"uni", "resnet50"}


RECORDS: dict[str, bytes] = {
    "torn": b'{"sweep": "a"',
    "nested": NESTED.encode(),
    "list": b"[]",
    "latin_1": b"\xe9",
    "number": b'{"number": 1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_torn_record_of_a_job_breaks_no_table(good: Path, name: str, capsys: Capture) -> None:
    before = made(good)
    folder = good / "sweeps" / "2026-01-01" / "jobs"
    folder.mkdir(parents=True)
    (folder / "00001.json").write_bytes(RECORDS[name])
    (folder / "00002.json").mkdir()
    after, _ = made_and_warned(good, capsys)
    assert after == before
