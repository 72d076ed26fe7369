"""What a lost job was to make is in the tables, with the reason, and no good row is touched."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from job_records import LATER, SWEEP, add, key_of_run, record_of, running

from bench.jobs import lost_rows, write_record
from bench.jobs.record import record_path
from bench.report.__main__ import main as report
from bench.rows import Row, RunKey, read_row, read_rows, row_path, rows, write

PATHS = dict.fromkeys(("task", "model", "frontend", "protocol", "seed", "fold"))


def row_of(key: RunKey, **changes: object) -> Row:
    own = {name: getattr(key, name) for name in PATHS}
    known = {"status": "ok", "primary_metric": "auroc", "cohort_hash": key.cohort, "head_config_hash": key.head}
    return Row(**{**own, **known, **changes})  # type: ignore[arg-type]


def older(results: Path, row: Row) -> Row:
    """Write a row as if before any job."""
    row = write(results, row, None)
    os.utime(row_path(results, row.key), (1e9, 1e9))
    return row


def lost_job(results: Path, *keys: RunKey, number: int = 0, sweep: str = SWEEP, **of_row: object):
    made = tuple({**asdict(key), **of_row} for key in keys)
    return add(results, running(number, engine="local", sweep=sweep, rows=made), beat=500)


def test_a_lost_row_says_which_job_was_to_make_it(tmp_path: Path) -> None:
    lost_job(tmp_path, key_of_run(), kind="ordinal", primary_metric="quadratic_kappa", baseline=True, track="t")
    written = lost_rows(tmp_path)
    row = read_row(tmp_path, key_of_run())
    assert [row] == written == read_rows(tmp_path)[0]
    assert row is not None
    assert (row.status, row.ok, row.value("quadratic_kappa")) == ("lost", False, None)
    assert (row.kind, row.primary_metric, row.baseline) == ("ordinal", "quadratic_kappa", True)
    assert row.info == {"job": "local 12_0 on node7", "track": "t"}
    assert row.error == (
        "The job local 12_0 on node7, started 2026-11-22T04:10:40+00:00, was lost before it made this row (killed, "
        "out of memory or time, or its machine stopped): run the sweep again."
    )


def test_a_job_that_left_the_queue_before_it_started_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.jobs.state.slurm_queue", frozenset)
    add(tmp_path, record_of(job_id="12_0", rows=(asdict(key_of_run()),)))
    (row,) = lost_rows(tmp_path)
    assert row.error == (
        "The job slurm 12_0 was lost before it made this row (it left the queue before it started): "
        "run the sweep again."
    )


@pytest.mark.parametrize("beat", [0, 500])
def test_a_folder_without_lost_jobs_stays_as_it_is(tmp_path: Path, beat: float) -> None:
    assert lost_rows(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    state = "running" if not beat else "done"
    add(tmp_path, running(engine="local", state=state, rows=(asdict(key_of_run()),)), beat)
    assert lost_rows(tmp_path) == []
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize("stale", ["", "a later run failed"])
def test_a_good_row_stands(tmp_path: Path, stale: str) -> None:
    good = older(tmp_path, row_of(key_of_run(), stale_error=stale))
    lost_job(tmp_path, key_of_run(), key_of_run(1))
    assert [row.seed for row in lost_rows(tmp_path)] == [1]
    assert read_row(tmp_path, key_of_run()) == good


def test_a_good_row_stands_that_comes_while_the_lost_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost_job(tmp_path, key_of_run())
    flushed = rows.atomic_write
    good = row_of(key_of_run())

    def meanwhile(path: Path):
        monkeypatch.setattr(rows, "atomic_write", flushed)
        write(tmp_path, good, None)
        return flushed(path)

    monkeypatch.setattr(rows, "atomic_write", meanwhile)
    assert lost_rows(tmp_path) == []
    assert read_row(tmp_path, key_of_run()) == good
    assert [path.name for path in (tmp_path / "rows").rglob("*") if path.is_file()] == ["linear-1f2e-seed0.json"]


def test_of_failed_rows_those_before_the_job_are_lost_and_those_since_say_more(tmp_path: Path) -> None:
    older(tmp_path, row_of(key_of_run(0), status="failed", error="of an earlier run"))
    lost_job(tmp_path, key_of_run(0), key_of_run(1))
    write(tmp_path, row_of(key_of_run(1), status="failed", error="Out of memory."), None)
    assert [row.seed for row in lost_rows(tmp_path)] == [0]
    assert [row.status for row in read_rows(tmp_path)[0]] == ["lost", "failed"]


def test_a_damaged_row_of_before_is_lost(tmp_path: Path) -> None:
    older(tmp_path, row_of(key_of_run()))
    path = row_path(tmp_path, key_of_run())
    path.write_text("{")
    os.utime(path, (1e9, 1e9))
    lost_job(tmp_path, key_of_run())
    assert len(lost_rows(tmp_path)) == 1
    assert read_rows(tmp_path)[0][0].status == "lost"


def test_rows_that_another_job_is_to_make_are_left_to_it(tmp_path: Path) -> None:
    lost_job(tmp_path, *map(key_of_run, range(3)))
    add(tmp_path, running(0, engine="local", sweep=LATER, rows=(asdict(key_of_run(1)),)), beat=0)
    add(tmp_path, record_of(1, sweep=LATER, rows=(asdict(key_of_run(2)),)))
    assert [row.seed for row in lost_rows(tmp_path)] == [0]


def test_a_lost_row_is_written_once_until_its_job_starts_again(tmp_path: Path) -> None:
    record = lost_job(tmp_path, key_of_run())
    assert len(lost_rows(tmp_path)) == 1
    before = row_path(tmp_path, key_of_run()).stat()
    assert lost_rows(tmp_path) == []
    assert row_path(tmp_path, key_of_run()).stat() == before
    row_path(tmp_path, key_of_run()).unlink()  # somebody took it out
    assert lost_rows(tmp_path) == []
    write_record(tmp_path, replace(record, starts=2))
    assert len(lost_rows(tmp_path)) == 1


def test_the_last_job_that_lost_a_row_is_named_in_it(tmp_path: Path) -> None:
    lost_job(tmp_path, key_of_run(), number=4)
    lost_job(tmp_path, key_of_run(), number=2, sweep=LATER)
    (row,) = lost_rows(tmp_path)
    assert row.info == {"job": "local 12_2 on node7"}
    assert read_rows(tmp_path)[0] == [row]


def test_what_the_record_does_not_tell_other_rows_on_the_same_samples_do(tmp_path: Path) -> None:
    of_head = {"kind": "multilabel", "primary_metric": "map", "info": {"track": "t"}}
    write(tmp_path, row_of(key_of_run(model="gpfm"), **of_head), None)
    write(tmp_path, row_of(key_of_run(model="a", protocol="knn"), kind="ordinal", primary_metric="mae"), None)
    path = row_path(tmp_path, key_of_run(model="gpfm", seed=0))
    path.with_name("linear-1f2e-seed7.json").write_text("{")
    lost_job(tmp_path, key_of_run(), key_of_run(protocol="ridge"), key_of_run(cohort="other"))
    found = {(row.protocol, row.cohort_hash): row for row in lost_rows(tmp_path)}
    like = found["linear", "c0ffee"]
    assert (like.kind, like.primary_metric, like.info["track"]) == ("multilabel", "map", "t")
    assert found["ridge", "c0ffee"].primary_metric in ("map", "mae")
    assert (found["linear", "other"].kind, found["linear", "other"].primary_metric) == ("classes", "")


def test_damaged_records_are_named_and_the_others_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost_job(tmp_path, key_of_run())
    lost_job(tmp_path, key_of_run(1), number=1)
    record_path(tmp_path, SWEEP, 1).write_text("{")
    assert [row.seed for row in lost_rows(tmp_path)] == [0]
    assert "00001.json (it is not complete JSON)" in capsys.readouterr().err


def test_a_full_disk_is_a_sentence_and_the_rows_are_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    lost_job(tmp_path, key_of_run())
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        assert report([f"results={tmp_path}"]) == 2
    assert "is full: make room or name another folder with results=DIR" in capsys.readouterr().err
    assert len(lost_rows(tmp_path)) == 1


def test_report_writes_lost_rows_and_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"auroc": {"value": 0.9, "ci_low": 0.8, "ci_high": 1.0}}
    write(tmp_path, row_of(key_of_run(1), metrics=metrics, n_test=9), None)
    lost_job(tmp_path, key_of_run(0), key_of_run(2))
    assert report([f"results={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert "  lost: uni, linear, seed 0: The job local 12_0 on node7, started" in shown
    assert shown.count("  lost: ") == 2
    assert "uni, the only model, has 0.900 [0.800, 1.000] in 1 of 3 runs." in shown
    assert "only 1 of 3" in shown
    assert "each line is the mean of 3 seeds" not in shown
    table = (tmp_path / "leaderboard.csv").read_text()
    assert table.count(",lost,") == 2
    assert report([f"results={tmp_path}"]) == 0
    assert (tmp_path / "leaderboard.csv").read_text() == table


def test_tables_of_lost_rows_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost_job(tmp_path, key_of_run(0), key_of_run(0, model="gpfm"))
    assert report([f"results={tmp_path}"]) == 0
    assert capsys.readouterr().out.count("  lost: ") == 2


def test_a_row_of_an_unknown_kind_is_named_when_it_is_read(tmp_path: Path) -> None:
    lost_job(tmp_path, key_of_run(), kind="nonsense")
    lost_rows(tmp_path)
    found, (sentence,) = read_rows(tmp_path)
    assert not found
    assert "kind is none of" in sentence


def test_lost_rows_are_json_like_any_other(tmp_path: Path) -> None:
    lost_job(tmp_path, key_of_run(), key_of_run(1, protocol="red\x1b\udcff"))
    lost_rows(tmp_path)
    for path in (tmp_path / "rows").rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert list(json.loads(text)) == sorted(json.loads(text))
        assert text.endswith("}\n")
    assert len(read_rows(tmp_path)[0]) == 2
