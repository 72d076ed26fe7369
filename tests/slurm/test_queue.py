"""Slurm's own list of jobs, as `bench.jobs` asks for it."""

import pytest
from private_slurm import CPUS
from slurm_keeper import wait_for

from bench.jobs.queue import slurm_queue


@pytest.fixture
def on_slurm(slurm, monkeypatch):
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, slurm.environment[name])
    return slurm


def test_jobs_that_wait_or_run_are_in_the_queue_and_ended_ones_are_not(on_slurm):
    submit = ("sbatch", "--parsable", "--output=/dev/null")
    ended = on_slurm.run(*submit, "--wait", "--wrap", "true")
    array = on_slurm.run(*submit, "--array=0-3%2", f"--cpus-per-task={CPUS // 2}", "--wrap", "sleep 600")
    waiting = on_slurm.run(*submit, f"--dependency=afterany:{array}", "--wrap", "true")
    try:
        wait_for(lambda: list(on_slurm.states(array).values()).count("RUNNING") == 2, "two tasks of the array run")
        assert slurm_queue() == {*(f"{array}_{task}" for task in range(4)), waiting}
        assert ended not in slurm_queue()
    finally:
        on_slurm.run("scancel", array, waiting)
    wait_for(lambda: slurm_queue() == set(), "the queue is empty")


def test_a_controller_that_does_not_answer_is_no_queue(on_slurm, monkeypatch, tmp_path):
    """Jobs are not called lost because Slurm cannot be asked."""
    configuration = (on_slurm.root / "conf" / "slurm.conf").read_text()
    lines = [line for line in configuration.splitlines() if not line.startswith(("SlurmctldPort", "MessageTimeout"))]
    (tmp_path / "slurm.conf").write_text("\n".join([*lines, "SlurmctldPort=1", "MessageTimeout=1"]))
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    assert slurm_queue() is None
