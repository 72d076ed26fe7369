"""``python -m bench status``: what has become of the jobs, and what to do."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from job_records import LATER, SWEEP, add, add_many, add_sweep, record_of, running

from bench.jobs import status_command, status_text, write_record
from bench.jobs.record import record_path

COMMAND = "run only those again: python -m bench sweep model=uni,gpfm 'task=[tiles,demo]'"


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.jobs.state.slurm_queue", lambda: frozenset({"12_1", "12_2"}))


def failed(number: int, *failures: str, **changes: Any):
    return running(number, **{"state": "failed", "failures": failures, **changes})


def shown(results: Path, **options: Any) -> list[str]:
    return status_text(results, **options)[0].splitlines()


def test_the_counts_of_a_sweep_come_first(tmp_path: Path) -> None:
    done = [running(number, state="done") for number in (5, 6, 7)]
    add_sweep(tmp_path, [*done, running(1), record_of(2, job_id="12_2"), failed(3, "x"), running(4)])
    assert shown(tmp_path)[0] == f"sweep {SWEEP}, slurm, 7 jobs: 3 done, 1 running, 1 queued, 1 failed, 1 lost"


def test_a_sweep_that_is_done_is_one_line(tmp_path: Path) -> None:
    add_sweep(tmp_path, [running(state="done")])
    assert shown(tmp_path) == [f"sweep {SWEEP}, slurm, 1 job: 1 done"]
    add_sweep(tmp_path / "b", [])
    assert shown(tmp_path / "b") == [f"sweep {SWEEP}, slurm, 0 jobs: no records yet"]


def test_a_running_job_says_where_it_is_and_for_how_long(tmp_path: Path) -> None:
    add_sweep(tmp_path, [running(1, models=("uni", "gpfm", "virchow2"), part="2/4")])
    path = record_path(tmp_path, SWEEP, 1)
    now = os.stat(path).st_mtime
    os.utime(path, (now - 7805, now - 7805))
    _, line = shown(tmp_path)
    assert line.startswith("  running  job 1  uni, gpfm +1 on tiles, part 2/4  node7 (12_1), 2 h 10 min, heartbeat ")
    assert line.endswith(" s ago")


def test_reasons_that_differ_in_names_alone_are_one_line(tmp_path: Path) -> None:
    missing = [failed(n, f"m{n}: The weights of m{n} are missing on tiles.", models=(f"m{n}",)) for n in range(10, 15)]
    other = [failed(30, "gpfm: Out of memory.", "again", models=("gpfm",)), failed(31, "No file 7."), failed(32)]
    add_sweep(tmp_path, [*missing, *other])
    lines = shown(tmp_path)
    assert [" ".join(line.split()) for line in lines[1:5]] == [
        "failed jobs 10, 11, 12 +2 m10 on tiles ... The weights of m10 are missing on tiles.",
        "failed job 30 gpfm on tiles (+1) Out of memory.",
        "failed job 31 uni on tiles No file 7.",
        "failed job 32 uni on tiles it did not say why",
    ]
    assert lines[5].startswith("  output of job 10: /")
    assert lines[6:] == [COMMAND]


def test_lost_jobs_say_how(tmp_path: Path) -> None:
    add_sweep(tmp_path, [running(7), running(8), running(4, engine="local"), record_of(9, job_id="12_9")])
    add(tmp_path, running(4, engine="local"), beat=500)
    lines = [" ".join(line.split()) for line in shown(tmp_path)]
    assert lines[1:4] == [
        "lost jobs 7, 8 uni on tiles ... slurm 12_7 on node7: killed, out of memory or time, or its machine stopped",
        "lost job 4 uni on tiles local 12_4 on node7: killed, out of memory or time, or its machine stopped",
        "lost job 9 uni on tiles slurm 12_9: it left the queue before it started",
    ]
    assert lines[-1] == COMMAND


def test_the_table_fits_whatever_the_names_are(tmp_path: Path) -> None:
    long = {"models": ("m" * 90, "n" * 90), "task": "t" * 90, "host": "node" * 30}
    add_sweep(tmp_path, [running(1, **long), running(2, **long), failed(3, "word " * 90, **long), running(4, **long)])
    lines = shown(tmp_path)
    assert [line for line in lines if len(line) > 120] == []
    assert max(map(len, lines)) == 120
    assert sum("word word" in line for line in lines) == 1


def test_many_jobs_are_counted_and_few_are_named(tmp_path: Path) -> None:
    add_sweep(tmp_path, [running(number, engine="local") for number in range(50)])
    lines = shown(tmp_path)
    assert lines[0].endswith("50 jobs: 50 running")
    assert len(lines) == 22
    assert lines[-1] == "  and 30 more lines of running jobs"


def test_control_characters_of_records_are_escaped(tmp_path: Path) -> None:
    add_sweep(tmp_path, [failed(3, "\x1b[31mred\nline\udcff", models=("a\x07",), task="x\udc80")])
    text = "\n".join(shown(tmp_path))
    assert "\\x1b[31mred line\\udcff" in text
    assert "a\\x07 on x\\udc80" in text
    text.encode()


def test_sweeps_without_jobs_left_are_counted(tmp_path: Path) -> None:
    add_sweep(tmp_path, [running(0, state="done", sweep="2026-11-20")], "2026-11-20")
    add_sweep(
        tmp_path, [failed(0, "x", sweep="2026-11-21"), running(1, sweep="2026-11-21", state="done")], "2026-11-21"
    )
    add_sweep(tmp_path, [running(1)])
    add_sweep(tmp_path, [running(0, state="done", sweep=LATER)], LATER)
    assert [line.split(",")[0] for line in shown(tmp_path) if line.startswith("sweep")] == [
        f"sweep {SWEEP}",
        f"sweep {LATER}",
    ]
    assert shown(tmp_path)[-1] == "not shown: 2 sweeps without jobs left (2 done, 1 run again since); sweep=2026-11-21"
    assert shown(tmp_path, sweep="2026-11-21") == [
        "sweep 2026-11-21, slurm, 2 jobs: 1 done, 1 run again since",
    ]


def test_a_failed_job_with_other_settings_is_not_run_again(tmp_path: Path) -> None:
    add_sweep(tmp_path, [failed(0, "x")])
    add_sweep(tmp_path, [running(0, state="done", sweep=LATER, settings="0ther")], LATER)
    assert shown(tmp_path)[0] == f"sweep {SWEEP}, slurm, 1 job: 1 failed"


def test_a_sweep_whose_own_record_is_missing_is_shown(tmp_path: Path) -> None:
    add_sweep(tmp_path, [failed(0, "x")])
    (tmp_path / "sweeps" / SWEEP / "sweep.json").unlink()
    lines = shown(tmp_path)
    assert lines[0] == f"sweep {SWEEP}, 1 job: 1 failed"
    assert lines[-1].startswith("run the sweep again for those; its command is not in ")


def test_damaged_records_are_named_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_sweep(tmp_path, [running(1, state="done"), record_of(2)])
    record_path(tmp_path, SWEEP, 2).write_text("{")
    assert status_command([f"results={tmp_path}"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"sweep {SWEEP}, slurm, 1 job: 1 done\n"
    assert captured.err.startswith("pfmbench: Records of jobs that cannot be read")
    assert "00002.json (it is not complete JSON)" in captured.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["results={}/nowhere"], "There are no sweeps in {}/nowhere: start one with `make sweep`, or name another"),
        (["results={}", "sweep=2026-11-23_04-10-33"], f"the last is {SWEEP}. Is {SWEEP} meant?"),
        (["result={}"], "'result={}' is not an option here: those are results=DIR and sweep=NAME. Is results meant?"),
        (["results="], "'results=' is not an option here"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    write_record(tmp_path, record_of())
    assert status_command([argument.format(tmp_path) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence.format(tmp_path) in captured.err
    assert captured.err.count("\n") == 1


def test_no_row_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a row was read")

    for name in ("read_row", "read_rows"):
        monkeypatch.setattr(f"bench.rows.{name}", refused)
        monkeypatch.setattr(f"bench.rows.rows.{name}", refused)
    add_sweep(tmp_path, [running(7)])
    assert "1 lost" in shown(tmp_path)[0]


def test_many_records_are_shown_without_torch(tmp_path: Path) -> None:
    add_many(tmp_path, 200)
    command = [sys.executable, "-X", "importtime", "-m", "bench", "status", f"results={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"sweep {SWEEP}, 200 jobs: 200 running\n")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "bench.jobs.status" in loaded
    assert not {"torch", "hydra", "omegaconf", "pyarrow", "pandas"} & loaded


def test_help_names_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_command(["--help"]) == 0
    assert "results=DIR" in capsys.readouterr().out
