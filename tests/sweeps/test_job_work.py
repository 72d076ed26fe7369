"""The work of one job in the process that it is sent to: its place, its log, and what an interruption leaves."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from bench.config import BenchConfig, Step
from bench.jobs import JobRecord, log_path, read_record, write_record
from bench.sweeps import work as work_module
from bench.sweeps.work import MOST_RESTARTS, Progress, Work
from registry.errors import UserError

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A job whose plan and results are set by `outcome`."""
    monkeypatch.chdir(tmp_path)
    record = JobRecord("s", 0, "one", ("tiny_a",), None, "local", (), "")
    config = BenchConfig(model="colour", device="cpu", results="results", steps=[Step.embed, Step.fit])
    return Work(record, config, str(tmp_path), own_log=False)


def standing(work):
    return read_record(Path(work.folder, work.config.results), "s", 0)


def outcome(monkeypatch, result):
    def evaluate_plan(context, planned):
        if isinstance(result, BaseException):
            raise result
        return type("Outcome", (), {"failures": result})

    monkeypatch.setattr(work_module, "evaluate_plan", evaluate_plan)


def test_a_machine_that_does_not_see_the_results_says_so(work):
    with pytest.raises(UserError, match="must lie on a file system that the nodes of the cluster share"):
        work()
    work.folder += "/nowhere"
    with pytest.raises(UserError, match=r"Job 0 \(tiny_a on one\) is not in .*nowhere/results"):
        work()


@pytest.mark.parametrize(
    ("result", "state", "sentence"),
    [
        ([], "done", None),
        (["one thing"], "failed", "one thing"),
        (UserError("first\nsecond"), "failed", "second"),
        (ZeroDivisionError("oh"), "failed", f"ZeroDivisionError: oh ({__file__} line "),
    ],
)
def test_how_a_job_ends_is_in_its_record(work, monkeypatch, result, state, sentence):
    outcome(monkeypatch, result)
    write_record(Path("results"), work.record)
    failures = work()

    record = standing(work)
    assert (record.state, record.failures, record.starts) == (state, tuple(failures), 1)
    assert not sentence or sentence in failures[-1]


@pytest.mark.parametrize("end", [SystemExit(-1), KeyboardInterrupt()])
def test_an_interrupted_job_says_nothing_and_is_started_again(work, monkeypatch, end):
    write_record(Path("results"), work.record)
    outcome(monkeypatch, end)
    with pytest.raises(type(end)):
        work()
    assert standing(work).state == "running"

    outcome(monkeypatch, [])
    work()
    assert (standing(work).state, standing(work).starts) == ("done", 2)


def test_restarts_are_counted_while_nothing_is_made(work, monkeypatch, tmp_path):
    made = iter([False, False, True, False])
    monkeypatch.setattr(Progress, "made", lambda self: next(made))
    counts = []
    for _ in range(4):
        work._progress = Progress.__new__(Progress)
        work = pickle.loads(pickle.dumps(work.checkpoint().function))
        assert work._progress is None
        counts.append(work.restarts)

    assert counts == [1, 2, 0, 1]
    assert work.checkpoint().function.restarts == 2, "a job that was not planned has made nothing"


def test_a_job_that_never_gets_on_gives_up_with_a_sentence(work, monkeypatch):
    outcome(monkeypatch, AssertionError("it is not to start"))
    write_record(Path("results"), work.record)
    work.restarts = MOST_RESTARTS

    [sentence] = work()
    assert "Job 0 (tiny_a on one) was interrupted 3 times in a row" in sentence
    assert "hydra.launcher.timeout_min" in sentence
    assert standing(work).state == "failed"


def test_a_new_feature_file_or_row_is_progress(tmp_path, monkeypatch):
    features, row = tmp_path / "features", tmp_path / "rows" / "row.json"
    features.mkdir()
    monkeypatch.setattr(work_module, "rows_to_make", lambda plan: [])
    progress = Progress(type("Plan", (), {"tasks": []}), tmp_path)
    progress._folders, progress._rows = {features, tmp_path / "not_there"}, [row]
    progress._before = progress._state()

    assert not progress.made()
    (features / "one.h5.tmp").touch()
    assert not progress.made()
    (features / "one.h5").touch()
    assert progress.made()
    (features / "one.h5").unlink()
    row.parent.mkdir()
    row.touch()
    assert progress.made()


@pytest.mark.slow
def test_the_output_of_a_process_goes_to_the_log_of_its_job(work, tmp_path):
    write_record(tmp_path / "results", work.record)
    (tmp_path / "work.pkl").write_bytes(pickle.dumps(Work(work.record, work.config, work.folder)))
    code = (
        "import os, pickle, sys; import bench.sweeps.work as w\n"
        "def plan(*_):\n    os.write(1, b'of C\\n')\n"
        "    print('of Python', file=sys.stderr)\n    raise w.UserError('a reason')\n"
        "w.evaluate_plan = plan\n"
        f"pickle.load(open({str(tmp_path / 'work.pkl')!r}, 'rb'))()"
    )
    here = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=here)

    assert (done.stdout, done.stderr) == ("", "")
    log = log_path(tmp_path / "results", work.record).read_text().splitlines()
    assert log == ["of C", "of Python", "pfmbench: a reason"]
