"""Rows taken out of a results folder by a command, and put back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saved_runs import predicted, row_of

import bench.__main__
from bench.rows import predictions_path, read_rows, row_path, write
from bench.rows.__main__ import main


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """uni and gpfm with two seeds, one of them failed, and uni behind a front-end with attention."""
    folder = tmp_path / "results"
    for model in ("uni", "gpfm"):
        for seed in (0, 1):
            write(folder, row_of(model=model, seed=seed), predicted(seed))
    write(folder, row_of(model="gpfm", seed=2, status="failed", error="Out of memory.", metrics={}), None)
    behind = write(folder, row_of(frontend="jpeg_1"), predicted(3))
    predictions_path(folder, behind.key).with_suffix(".attention.h5").write_bytes(b"attention")
    return folder


def remove(results: Path, *arguments: str) -> int:
    return main([f"results={results}", *arguments])


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def keys(results: Path) -> set[tuple[str, int, str]]:
    rows, sentences = read_rows(results)
    assert not sentences
    return {(row.model, row.seed, row.frontend) for row in rows}


ALL = {("uni", 0, ""), ("uni", 1, ""), ("gpfm", 0, ""), ("gpfm", 1, ""), ("gpfm", 2, ""), ("uni", 0, "jpeg_1")}


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        (["model=gpfm"], {("gpfm", 0, ""), ("gpfm", 1, ""), ("gpfm", 2, "")}),
        (["status=failed"], {("gpfm", 2, "")}),
        (["model=uni,gpfm", "seed=1"], {("uni", 1, ""), ("gpfm", 1, "")}),
        (["seed=[1,2]", "protocol=linear", "task=demo"], {("uni", 1, ""), ("gpfm", 1, ""), ("gpfm", 2, "")}),
        (["frontend=", "model=uni", "fold=0"], {("uni", 0, ""), ("uni", 1, "")}),
        (["frontend=jpeg_1", "cohort=c0ffee", "head=1f2e"], {("uni", 0, "jpeg_1")}),
    ],
)
def test_rows_are_listed_then_taken_out_then_put_back(
    arguments: list[str], gone: set[tuple[str, int, str]], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(results)
    assert remove(results, *arguments) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].split() == [
        *("task", "model", "frontend", "protocol", "seed", "fold", "cohort", "head", "status", "file")
    ]
    assert len(listed) == 2 + len(gone)
    assert listed[-1].endswith(f"yes=true moves them to {results / 'removed'}.")
    assert files(results) == before

    assert remove(results, *arguments, "yes=true") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[1 : len(gone) + 1] == listed[1:-1]
    assert printed[-2].endswith(f"To put them back: python -m bench remove results={results} back=1")
    assert keys(results) == ALL - gone
    moved = files(results / "removed/1")
    assert all(before[name] == content for name, content in moved.items())
    left = {name: content for name, content in files(results).items() if not name.startswith("removed/")}
    assert left | moved == before
    assert len(left) + len(moved) == len(before)

    assert remove(results, "back=1") == 0
    assert files(results) == before
    assert not (results / "removed/1").exists()


def test_attention_goes_with_its_row(results: Path) -> None:
    assert remove(results, "frontend=jpeg_1", "yes=true") == 0
    assert {Path(name).suffix for name in files(results / "removed/1")} == {".json", ".parquet", ".h5"}
    assert not list(results.glob("predictions/**/uni+jpeg_1/*"))


def test_rows_of_one_run_taken_out_twice_are_both_there(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert remove(results, "model=uni", "seed=0", "frontend=", "yes=true") == 0
    first = files(results / "removed/1")
    again = write(results, row_of(n_test=13), predicted(7, n=13))
    assert remove(results, "model=uni", "seed=0", "frontend=", "yes=true") == 0
    assert files(results / "removed/1") == first
    assert set(files(results / "removed/2")) == set(first)
    capsys.readouterr()

    assert remove(results, "back=2") == 0
    assert read_rows(results)[0].count(again) == 1
    assert "1 row put back." in capsys.readouterr().out
    assert remove(results, "back=1") == 2
    captured = capsys.readouterr()
    assert captured.out == "0 rows put back.\n"
    assert captured.err.startswith("pfmbench: These stay where they are, as they were made again since")
    assert files(results / "removed/1") == first
    assert again in read_rows(results)[0]


def test_predictions_stay_with_a_row_that_failed_when_it_was_made_again(results: Path) -> None:
    assert remove(results, "model=uni", "seed=1", "yes=true") == 0
    taken = files(results / "removed/1")
    write(results, row_of(seed=1, status="failed", error="Out of memory.", metrics={}), None)
    assert remove(results, "back=1") == 2
    assert files(results / "removed/1") == taken


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["model=unii"], "No row has model=unii, but gpfm; uni. Is uni meant?"),
        (["seed=3"], "No row has seed=3, but 0; 1; 2."),
        (["status=lost"], "No row has status=lost, but failed; ok."),
        (["frontend=jpeg"], "No row has frontend=jpeg, but (none); jpeg_1. Is jpeg_1 meant?"),
        (["model=uni,vit"], "No row has model=vit, but gpfm; uni."),
        (
            ["model=uni", "status=failed"],
            "No row has all of model=uni status=failed; rows with the rest of it have model gpfm.",
        ),
        (["modle=uni"], "'modle=uni' is not an option here"),
        (["uni"], "'uni' is not an option here"),
        ([], "Name rows by one field or more"),
        (["yes=true"], "Name rows by one field or more"),
        (["model=uni", "back=1"], "Name rows by one field or more"),
        (["model=uni", "yes=1"], "yes=1 must be true or false."),
        (["back=1"], "There is no "),
        (["back=one"], "back=one must be the number"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: list[str], sentence: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(results)
    assert remove(results, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"pfmbench: {sentence}")
    assert files(results) == before


def test_without_rows_there_is_nothing_to_take_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert remove(tmp_path / "nowhere", "model=uni") == 2
    assert capsys.readouterr().err == f"pfmbench: There is no results folder {tmp_path / 'nowhere'}.\n"


def test_damaged_rows_are_named_and_stay(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = row_path(results, row_of(model="gpfm").key)
    path.write_text("{")
    assert remove(results, "model=gpfm", "yes=true") == 0
    assert str(path) in capsys.readouterr().err
    assert path.read_text() == "{"


def test_a_folder_that_cannot_be_written_is_one_sentence(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, place: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    before = files(results)
    monkeypatch.setattr("bench.rows.removal.os.rename", refuse)
    assert remove(results, "model=gpfm", "yes=true") == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"pfmbench: Files of rows cannot be moved in {results} (Permission denied: ")
    assert captured.err.count("\n") == 1
    assert files(results) == before


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_whatever_was_moved_when_it_was_stopped_can_be_put_back(
    stop: int, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rename = files(results), os.rename
    calls = iter(range(stop))

    def until(path: Path, place: Path) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        rename(path, place)

    with monkeypatch.context() as patch:
        patch.setattr("bench.rows.removal.os.rename", until)
        with pytest.raises(KeyboardInterrupt):
            remove(results, "model=gpfm", "status=ok", "yes=true")
    assert all((results / row.predictions).is_file() for row in read_rows(results)[0] if row.ok)
    assert len(files(results / "removed/1")) == stop
    assert remove(results, "back=1") == 0
    assert files(results) == before


def test_the_command_is_a_first_word_of_the_command_line(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "remove", f"results={results}", "model=gpfm", "seed=2"])
    with pytest.raises(SystemExit) as ended:
        bench.__main__.main()
    assert ended.value.code == 0
    assert "1 row: the same command with yes=true" in capsys.readouterr().out


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "back=N" in capsys.readouterr().out
