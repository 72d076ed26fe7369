"""Saved blocks: the same tables as computed ones, made anew where anything has changed, and never needed."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, predicted, rebuild, run_key

from bench import targets
from bench.report import table_text
from bench.results import blocks, read_leaderboard, saved_blocks
from bench.rows import predictions_path, read_predictions, read_row, write
from bench.rows.predictions import write_predictions
from benchmarks.rooms import imports, modules, room_of


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_blocks, "LEAST_ROWS", 1)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks of the blocks that were computed and not read."""
    tasks: list[str] = []

    def counted(results: Path, entries: list, *, robust: bool) -> blocks.BlockResults:
        tasks.append(entries[0].key.task)
        return blocks.block_results(results, entries, robust=robust)

    monkeypatch.setattr(saved_blocks, "block_results", counted)
    return tasks


def test_the_code_that_saved_numbers_follow_from_is_in_their_digest() -> None:
    package = Path(saved_blocks.__file__).parents[1]

    assert all((package / name).exists() for name in saved_blocks.CODE)
    assert Path(saved_blocks.__file__).parent.name in saved_blocks.CODE


def tables(results: Path) -> dict[str, bytes]:
    """All tables, and the text for a terminal."""
    rebuild(results)
    found = {path.name: path.read_bytes() for path in results.glob("*.*") if path.is_file()}
    return {**found, "text": table_text(read_leaderboard(results)).encode()}


def saved(results: Path) -> set[Path]:
    return set((results / "computed").glob("*"))


def test_tables_of_saved_blocks_are_those_of_computed_ones(
    filled: Path, add_run: AddRun, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in (0, 1, 2):
        for place, model in enumerate(("uni", "resnet50", "colour")):
            add_run(model, predicted(place, seed=9 * seed + place), task="seeds", seed=seed)
            for fold in (1, 2):
                one = predicted(place, seed=place, n=30 * fold)
                own = replace(one, ids=np.array([f"{fold} {name}" for name in one.ids]))
                add_run(model, own, task="folds", seed=seed, fold=fold)
    monkeypatch.setattr(saved_blocks, "LEAST_ROWS", 1000)
    expected = tables(filled)
    assert not saved(filled)
    monkeypatch.setattr(saved_blocks, "LEAST_ROWS", 1)
    assert tables(filled) == expected
    assert len(saved(filled)) == 4
    computed.clear()
    assert tables(filled) == expected
    assert computed == []


def test_one_further_run_costs_its_own_block(filled: Path, add_run: AddRun, computed: list[str]) -> None:
    tables(filled)
    before = saved(filled)
    computed.clear()
    add_run("dino", predicted(2.0, seed=7), task="other")
    tables(filled)
    assert computed == ["other"]
    assert len(saved(filled) & before) == 1
    assert len(saved(filled)) == 2  # what is of no use any more is removed


def test_other_predictions_of_the_same_size_and_time_are_read_anew(filled: Path, computed: list[str]) -> None:
    """A row and a time stamp may lie; the bytes of the predictions do not."""
    tables(filled)
    own, others = (predictions_path(filled, run_key(model)) for model in ("uni", "resnet50"))
    before = own.stat()
    saved_there = read_predictions(others)
    write_predictions(own, saved_there, saved_there.classes)
    assert own.stat().st_size == before.st_size
    os.utime(own, ns=(before.st_atime_ns, before.st_mtime_ns))
    computed.clear()
    assert b"0.000000,," in tables(filled)["leaderboard_paired.csv"]  # uni less resnet50
    assert computed[0] == "demo"
    assert "other" not in computed


@pytest.mark.parametrize("change", [{"n_groups": 9}, {"notes": ["seen"]}, {"status": "failed", "error": "no"}])
def test_a_changed_row_is_another_block(filled: Path, computed: list[str], change: dict) -> None:
    tables(filled)
    computed.clear()
    row = read_row(filled, run_key("uni"))
    assert row is not None
    write(filled, replace(row, **change), None)
    tables(filled)
    assert set(computed) == {"demo"}


def test_other_code_is_another_block(filled: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    tables(filled)
    computed.clear()
    monkeypatch.setattr(saved_blocks, "_code_digest", lambda: "another")
    rebuild(filled)
    assert computed == ["demo", "other"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and no more", None])
def test_damaged_files_are_made_again(filled: Path, computed: list[str], damage: bytes | None) -> None:
    expected = tables(filled)
    for path in saved(filled):
        path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    computed.clear()
    assert tables(filled) == expected
    assert computed == ["demo", "other"]


def test_a_changed_number_in_a_saved_file_is_a_damaged_file(filled: Path, computed: list[str]) -> None:
    expected = tables(filled)
    for path in saved(filled):
        content = path.read_bytes()
        at = content.index(b'"p_by"') if b'"p_by"' in content else content.index(b'"comparisons"') + 40
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    assert tables(filled) == expected


def test_blocks_with_lost_predictions_are_named_each_time(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions_path(filled, run_key("uni")).write_bytes(b"PAR1")
    for _ in range(2):
        warned: list[str] = []
        read_leaderboard(filled, warn=warned.append)
        assert "holds no complete predictions" in warned[0]
    assert len(saved(filled)) == 1


def test_a_part_of_the_rows_removes_no_saved_block(filled: Path) -> None:
    tables(filled)
    before = saved(filled)
    read_leaderboard(filled, {run_key("uni")})
    assert saved(filled) >= before


def test_a_folder_that_cannot_be_written_is_no_error(filled: Path) -> None:
    (filled / "computed").write_text("in the way")
    assert read_leaderboard(filled).differences


def test_what_a_plugin_describes_is_not_saved(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "is_built_in", lambda name: False)
    tables(filled)
    assert not saved(filled)


def test_the_digest_covers_all_code_that_the_numbers_follow_from():
    every = [one for one in imports(modules()) if not one.types_only]
    rooms, todo = set(), ["bench.results"]
    while todo:
        room = todo.pop()
        if room.startswith("bench.") and room not in rooms:
            rooms.add(room)
            todo += [room_of(one.target) for one in every if room_of(one.importer) == room]

    assert {f"bench.{name.removesuffix('.py')}" for name in saved_blocks.CODE} == rooms
