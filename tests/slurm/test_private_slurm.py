"""The private Slurm itself: it does what the tests of sweeps rest on, and leaves no process behind."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from private_slurm import MAX_ARRAY_SIZE, PrivateSlurm, free_ports, why_not
from slurm_keeper import descendants, wait_for

HERE = Path(__file__).parent

HOLD = """
import sys, time
from pathlib import Path
from private_slurm import PrivateSlurm
from slurm_keeper import wait_for
with PrivateSlurm(Path(sys.argv[1])) as slurm:
    job = slurm.run("sbatch", "--parsable", "--output=/dev/null", "--wrap", "sleep 987")
    wait_for(lambda: slurm.states(job) == {job: "RUNNING"}, "the job runs")
    print(slurm.keeper_pid, flush=True)
    time.sleep(600)
"""


def command_lines(keeper):
    """Of the keeper and all below it; Slurm calls a job RUNNING before its step daemon has its command line."""
    lines = []
    for pid in (keeper, *descendants(keeper)):
        with contextlib.suppress(OSError):
            lines.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
    return lines


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_daemons_and_jobs_end_with_the_process_that_wanted_them(tmp_path, end):
    if reason := why_not():
        pytest.skip(reason)
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path / "slurm")],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    keeper = int(holder.stdout.readline())
    parts = ("munged", "slurmctld", "slurmd -D", "slurmstepd", "sleep 987")
    wait_for(lambda: all(any(part in line for line in command_lines(keeper)) for part in parts), "all have started")
    started = [keeper, *descendants(keeper)]
    holder.send_signal(end)
    holder.wait(timeout=180)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), "all processes have ended")


def test_two_instances_side_by_side(slurm, tmp_path):
    with PrivateSlurm(tmp_path / "another") as other:
        job = other.run("sbatch", "--parsable", "--output=/dev/null", "--wrap", "sleep 600")
        assert job in other.states()
        wait_for(lambda: slurm.run("sinfo", "--noheader", "--format=%t") == "idle", "the jobs of other tests have left")
        assert len({one.run("scontrol", "show", "config") for one in (slurm, other)}) == 2
    assert slurm.run("srun", "echo", "still there") == "still there"


def test_without_the_daemons_the_reason_names_them(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name, path: None if name == "munged" else f"/usr/bin/{name}")
    assert why_not() == "Slurm is not installed, munged is missing: apt-get install slurm-wlm munge"


def test_ports_are_free_and_differ():
    assert len(set(free_ports(20))) == 20


def test_an_array_runs_and_a_job_is_requeued(slurm, tmp_path):
    """Each start of a job adds a line; the job that is requeued while it runs has two, under the same id."""
    lines = (
        "#!/bin/bash",
        f'echo start >>"{tmp_path}/$SLURM_ARRAY_TASK_ID.txt"',
        "if [[ $SLURM_ARRAY_TASK_ID == 1 && -z $SLURM_RESTART_COUNT ]]; then sleep 600; fi",
    )
    (tmp_path / "job.sh").write_text("\n".join([*lines, ""]))
    array = ["sbatch", "--parsable", "--output=/dev/null", "--array=0-2", str(tmp_path / "job.sh")]
    job = slurm.run(*array)
    # Slurm calls it RUNNING before its script is
    wait_for((tmp_path / "1.txt").exists, "the second job runs")
    slurm.run("scontrol", "requeue", f"{job}_1")
    wait_for(lambda: set(slurm.states(job).values()) == {"COMPLETED"}, "the array has ended")
    starts = [len((tmp_path / f"{number}.txt").read_text().splitlines()) for number in range(3)]
    assert starts == [1, 2, 1]


def test_an_array_above_the_limit_is_refused(slurm):
    refused = slurm.run("sbatch", f"--array=0-{MAX_ARRAY_SIZE}", "--wrap", "true", check=False)
    assert "Invalid job array specification" in refused


def test_a_job_outlives_the_daemon_of_its_node(slurm, tmp_path):
    job = slurm.run(
        "sbatch", "--parsable", f"--output={tmp_path}/out.txt", "--wrap", "echo started; sleep 2; echo finished"
    )
    output = tmp_path / "out.txt"
    wait_for(lambda: output.exists() and output.read_text() != "", "the job runs")
    slurm.stop_node()
    slurm.start_node()
    wait_for(lambda: slurm.states(job) == {job: "COMPLETED"}, "the job has ended")
    assert output.read_text() == "started\nfinished\n"
