"""What sweeps expect of submitit on the private Slurm: arrays, and a state for jobs that were cancelled."""

import time
from pathlib import Path

import pytest
from slurm_keeper import wait_for

submitit = pytest.importorskip("submitit", reason="submitit is not installed: pip install 'pfmbench[sweep]'")


def started_and_asleep(file: Path) -> None:
    file.touch()
    time.sleep(600)


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


def test_a_cancelled_job_ends_the_waiting(executor, slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(submitit.SlurmJob, "_results_timeout_s", 1)  # that a result may come after the job's end
    job = executor.submit(started_and_asleep, tmp_path / "started")
    wait_for((tmp_path / "started").exists, "the job has started")
    slurm.run("scancel", job.job_id)
    wait_for(lambda: slurm.states(job.job_id) == {job.job_id: "CANCELLED"}, "the job is cancelled")
    with pytest.raises(submitit.core.utils.UncompletedJobError, match="CANCELLED"):
        job.result()
