"""Several results folders as the command reads them: those that cannot be used, and where the tables go."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from leaderboard_runs import AddRun, predicted, rebuild
from merged_folders import report, row_of, tables

from bench.rows import merged_rows, row_path

pytestmark = pytest.mark.usefixtures("each_warning_anew")


def test_rows_of_another_schema_and_damaged_rows_are_a_sentence_each(two: tuple[Path, Path]) -> None:
    a, b = two
    of_schema, damaged = (row_path(b, row_of(b, model).key) for model in ("uni", "dino"))
    of_schema.write_text(json.dumps({**json.loads(of_schema.read_text()), "schema": 2}))
    damaged.write_text("{")
    found = merged_rows([a, b])
    assert [row.model for row in found.rows] == ["colour", "resnet50", "uni"]
    first, second = found.sentences
    assert first == f"Left out of the tables, run again or delete: {damaged} (it is not complete JSON)."
    assert second.endswith(f"as they are of another schema: {of_schema} (it is of schema 2, and this version reads 3).")


def test_tables_of_the_rest_are_made_where_a_folder_is_not_there_or_has_no_rows(
    two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = two
    (tmp_path / "empty").mkdir()
    link = tmp_path / "link"
    link.symlink_to(a)
    out = tmp_path / "out"
    named = [a, tmp_path / "bb", tmp_path / "empty", b / "rows", link, b]
    assert report(f"results=[{','.join(map(str, named))}]", f"out={out}") == 2
    captured = capsys.readouterr()
    assert "leaderboard.csv" in captured.out
    assert captured.err.splitlines() == [
        f"pfmbench: There is no results folder {tmp_path / 'bb'}. Is b meant?",
        f"pfmbench: There are no rows in {tmp_path / 'empty/rows'}: name the folder that a run had as its results=DIR.",
        f"pfmbench: There are no rows in {b / 'rows/rows'}: name the folder that a run had as its results=DIR. Is the "
        "folder above it meant?",
        f"pfmbench: {link} is the same folder as {a}: it is read once.",
    ]
    expected = tables(out)
    assert report(f"results={a},{b}", f"out={out}") == 0
    assert tables(out) == expected


def test_rows_in_a_folder_that_cannot_be_read_are_named(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    closed = b / "rows/demo/demo/uni"

    def scandir(folder: Path, scan: Any = os.scandir) -> Any:
        if folder == closed:
            raise PermissionError(13, "Permission denied", str(closed))
        return scan(folder)

    monkeypatch.setattr("bench.rows.rows.os.scandir", scandir)
    found = merged_rows([a, b])
    assert found.sentences == [f"Left out are rows in folders that cannot be read: {closed} (Permission denied)."]
    monkeypatch.undo()


def test_tables_of_several_folders_go_to_a_folder_of_their_own(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = two
    monkeypatch.chdir(tmp_path)
    assert report("results=a,b") == 0
    assert (tmp_path / "results-merged/leaderboard.csv").is_file()
    assert not list(a.glob("*.csv"))
    capsys.readouterr()
    for out in (a, b):
        assert report("results=a,b", f"out={out}") == 2
        assert capsys.readouterr().err == (
            f"pfmbench: The folder {out} has rows of its own, whose tables these would replace: name another with "
            "out=DIR.\n"
        )
    assert report("results=a", "out=b") == 2
    assert not list(b.glob("*.csv"))
    assert report("results=a", "out=a") == report("results=[b]") == report("results=a", "out=c") == 0
    assert tables(tmp_path / "a") == tables(tmp_path / "c")
    assert list(b.glob("*.csv"))


def test_rows_of_lost_jobs_are_written_only_where_the_tables_are(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = two
    written: list[Path] = []
    monkeypatch.setattr("bench.report.__main__.lost_rows", written.append)
    for arguments in ([f"results={a},{b}", f"out={tmp_path / 'out'}"], [f"results={a}", f"out={tmp_path / 'out'}"]):
        assert report(*arguments) == 0
        assert written == []
    assert report(f"results={a}") == 0
    assert written == [a]


def test_a_folder_whose_name_has_a_comma_is_one(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    a, _ = two
    monkeypatch.chdir(a.parent)
    a.rename("a,b")
    assert report("results=a,b") == 0
    assert (a.parent / "a,b/leaderboard.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["results=a,,b"], "results=a,,b has an empty name"),
        (["results=[]"], "results=[] has an empty name"),
        (["results=c,d"], "No rows to make a leaderboard of in c/rows, d/rows"),
        (["results=a,b", "out="], "'out=' is not an option here"),
        (["results=a,b", "out=file"], "The folder file cannot be written"),
    ],
)
def test_a_wrong_list_is_one_sentence(
    arguments: list[str],
    sentence: str,
    two: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(two[0].parent)
    Path("file").write_text("mine")
    assert report(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith(f"pfmbench: {sentence}")
    assert "=DIR" in captured.err.splitlines()[-1]


def test_tables_of_tracks_without_rows_are_removed(results: Path, add_run: AddRun, tmp_path: Path) -> None:
    add_run("uni", predicted(1.0))
    for name in ("restoration.csv", "robustness.csv", "robustness_summary.csv", "mine.csv"):
        (results / name).write_text("of an earlier report")
    rebuild(results)
    assert {path.name for path in results.glob("r*.csv")} == set()
    assert (results / "mine.csv").exists()
