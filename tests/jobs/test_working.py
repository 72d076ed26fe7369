"""What a job writes while it works: running with a heartbeat, then how it ended."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from job_records import SWEEP, key_of_run, record_of

from bench.jobs import Working, current_job, read_records, state_of, submitting, working, write_record
from bench.jobs.record import alive_path, record_path
from bench.rows import Row
from registry.errors import UserError

HOST = socket.gethostname().split(".")[0]


@pytest.fixture(autouse=True)
def outside_of_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)


def on_disk(results: Path, number: int = 0):
    return next(one for one in read_records(results)[0] if one.number == number)


def test_a_job_is_running_and_then_done(tmp_path: Path) -> None:
    write_record(tmp_path, record_of(submitted="2026-11-22T04:10:33+00:00"))
    with Working(tmp_path, record_of()) as work:
        now = on_disk(tmp_path)
        assert work.record == now
        assert (now.state, now.host, now.pid, now.starts) == ("running", HOST, os.getpid(), 1)
        assert now.submitted == "2026-11-22T04:10:33+00:00", "what stands there goes before what was pickled"
        assert now.started > now.submitted
        assert state_of(now, tmp_path) == "running"
        work.finish()
    done = on_disk(tmp_path)
    assert (done.state, done.failures) == ("done", ())
    assert done.ended >= done.started
    assert state_of(done, tmp_path) == "done"


def test_failures_make_a_job_failed(tmp_path: Path) -> None:
    with Working(tmp_path, record_of()) as work:
        work.finish(["uni: Out of memory.", "gpfm: No file."])
    assert on_disk(tmp_path).state == "failed"
    assert on_disk(tmp_path).failures == ("uni: Out of memory.", "gpfm: No file.")


def test_a_block_without_finish_had_no_failures(tmp_path: Path) -> None:
    with Working(tmp_path, record_of()):
        pass
    assert on_disk(tmp_path).state == "done"


@pytest.mark.parametrize("error", [RuntimeError("a fault"), SystemExit(143), KeyboardInterrupt()])
def test_a_job_that_is_interrupted_is_lost_at_once_unless_slurm_starts_it_again(
    tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    with pytest.raises(type(error)), Working(tmp_path, record_of()):
        raise error
    left = on_disk(tmp_path)
    assert (left.state, left.ended) == ("running", "")
    assert state_of(left, tmp_path) == "lost"
    assert state_of(left, tmp_path, {"77"}) == "queued"
    with Working(tmp_path, record_of()):
        again = on_disk(tmp_path)
        assert (again.state, again.starts) == ("running", 2)
        assert state_of(again, tmp_path, {"77"}) == "running"


def test_a_requeued_job_has_no_failures_of_before(tmp_path: Path) -> None:
    with Working(tmp_path, record_of()) as work:
        work.finish(["uni: Out of memory."])
    with Working(tmp_path, record_of()):
        assert (on_disk(tmp_path).failures, on_disk(tmp_path).ended) == ((), "")
    assert on_disk(tmp_path).state == "done"


def test_the_rows_of_a_plan_are_in_the_record(tmp_path: Path) -> None:
    key = key_of_run(3)
    row = Row("tiles", "colour", "", "knn", 1, "failed", "auroc", "ordinal", baseline=True, info={"track": "a track"})
    with Working(tmp_path, record_of()) as work:
        work.plan([key, row])
        of_key, of_row = on_disk(tmp_path).rows
    assert of_key == vars(key)
    assert of_row == {
        **vars(row.key),
        **{"kind": "ordinal", "primary_metric": "auroc", "baseline": True, "track": "a track"},
    }
    assert on_disk(tmp_path).rows == (of_key, of_row), "also after the end"


def test_a_thread_touches_the_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "BEAT_S", 0.02)
    path = alive_path(tmp_path, record_of())
    with Working(tmp_path, record_of()):
        os.utime(path, (5, 5))
        deadline = time.monotonic() + 120
        while os.stat(path).st_mtime == 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert os.stat(path).st_mtime > 5
        path.unlink()
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.exists(), "somebody removed it"
    os.utime(path, (5, 5))
    time.sleep(0.1)
    assert os.stat(path).st_mtime == 5, "it has ended"


def test_the_job_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert current_job() == ""
    with Working(tmp_path, record_of(engine="laptop")):
        assert current_job() == f"laptop job 0 of {SWEEP} on {HOST}"
        with Working(tmp_path, record_of(1, engine="local", job_id="4711")):
            assert current_job() == f"local 4711 on {HOST}"
        assert current_job() == f"laptop job 0 of {SWEEP} on {HOST}"
    assert current_job() == ""
    monkeypatch.setenv("SLURM_JOB_ID", "130")
    assert current_job() == f"slurm 130 on {HOST}", "without a record"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "123")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")
    with Working(tmp_path, record_of(2)) as work:
        assert current_job() == f"slurm 123_4 on {HOST}"
        assert work.record.job_id == "123_4"


def test_a_job_whose_folder_cannot_be_written_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "sweeps").write_text("a file")
    with pytest.raises(UserError, match="results=DIR"), Working(tmp_path, record_of()):
        pytest.fail("it started")
    assert current_job() == ""


def test_a_killed_process_leaves_a_record_that_is_lost_when_its_heartbeat_is_old(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from job_records import record_of; from bench.jobs import Working\n"
        "with Working(Path(sys.argv[1]), record_of(engine='local')): os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=False)
    assert done.returncode == -9
    left = on_disk(tmp_path)
    assert state_of(left, tmp_path) == "running", "nobody can know yet"
    path = alive_path(tmp_path, left)
    os.utime(path, (os.stat(path).st_mtime - 121,) * 2)
    assert state_of(left, tmp_path) == "lost"


def test_jobs_that_only_their_sweep_can_start_are_lost_when_it_ends(tmp_path: Path) -> None:
    waiting = record_of(engine="local")
    write_record(tmp_path, waiting)
    assert state_of(waiting, tmp_path) == "queued", "whether its sweep lives is not known"
    with submitting(tmp_path, SWEEP):
        assert state_of(waiting, tmp_path) == "queued"
        unsent = record_of(1)
        write_record(tmp_path, unsent)
    assert state_of(waiting, tmp_path) == "lost"
    assert state_of(unsent, tmp_path) == "lost", "it was never submitted"
    assert state_of(record_of(2, job_id="77"), tmp_path) == "queued", "Slurm starts it"
    assert state_of(record_of(3, engine="pbs"), tmp_path) == "queued", "its engine starts it"
    assert record_path(tmp_path, SWEEP, 1).is_file()
