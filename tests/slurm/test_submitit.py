"""What sweeps expect of submitit: arrays, requeues at the signal, and a state for jobs that were cancelled."""

import time
from pathlib import Path

import pytest
from slurm_keeper import wait_for

submitit = pytest.importorskip("submitit", reason="submitit is not installed: pip install 'pfmbench[sweep]'")


class Work:
    """Adds a line to a file at each start and takes its time at the first."""

    def __init__(self, file: Path):
        self.file = file

    def __call__(self, result: int) -> int:
        with self.file.open("a") as lines:
            lines.write("start\n")
        if self.starts() == 1:
            time.sleep(60)
        return result

    def starts(self) -> int:
        return len(self.file.read_text().splitlines()) if self.file.exists() else 0

    def checkpoint(self, *arguments: int) -> object:
        return submitit.helpers.DelayedSubmission(self, *arguments)


@pytest.fixture
def executor(slurm, tmp_path, monkeypatch):
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, slurm.environment[name])
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    made = submitit.AutoExecutor(cluster="slurm", folder=tmp_path / "jobs")
    made.update_parameters(timeout_min=60, cpus_per_task=1)
    return made


def test_an_array_gives_its_results(executor):
    jobs = executor.map_array(abs, [-1, -2, -3, -4])
    assert [job.result() for job in jobs] == [1, 2, 3, 4]
    assert {job.job_id for job in jobs} == {f"{jobs[0].job_id.split('_')[0]}_{number}" for number in range(4)}


def test_the_signal_requeues_a_job_that_then_gives_its_result(executor, slurm, tmp_path):
    work = Work(tmp_path / "starts.txt")
    job = executor.submit(work, 7)
    wait_for(lambda: work.starts() == 1, "the job has started")
    slurm.run("scancel", "--signal=USR2", job.job_id)
    assert job.result() == 7
    assert work.starts() == 2


def test_a_cancelled_job_ends_the_waiting(executor, slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(submitit.SlurmJob, "_results_timeout_s", 1)  # that a result may come after the job's end
    work = Work(tmp_path / "starts.txt")
    job = executor.submit(work, 7)
    wait_for(lambda: work.starts() == 1, "the job has started")
    slurm.run("scancel", job.job_id)
    wait_for(lambda: slurm.states(job.job_id) == {job.job_id: "CANCELLED"}, "the job is cancelled")
    with pytest.raises(submitit.core.utils.UncompletedJobError, match="CANCELLED"):
        job.result()
