"""Jobs that nobody waits for: an interrupted sweep, a killed job, and two jobs that want the same features."""

import os
import re
import signal

import pandas as pd
from slurm_keeper import wait_for
from sweep_helpers import SLURM, TILES, Running, alive, bench, left_in, records, same
from watched_models import embedded, hold, processes, release


def logs(folder):
    return "".join(log.read_text() for log in folder.glob("*/sweeps/*/jobs/*.log"))


def table(folder):
    return pd.read_csv(folder / "results" / "leaderboard.csv", keep_default_na=False)


def test_a_killed_job_of_an_interrupted_sweep_is_lost_until_the_sweep_runs_again(slurm, cohorts, tmp_path):
    grid = ("model=watched_0,watched_1", "task=one", *cohorts)
    hold(tmp_path, "watched_0", 0)
    hold(tmp_path, "watched_1", 0)
    with Running(slurm, tmp_path, "sweep", *SLURM, *grid) as sweep:
        for name in ("watched_0", "watched_1"):
            sweep.until(lambda name=name: embedded(tmp_path, name) > 0, f"{name} has started")
        sweep.interrupt()
        stopped = sweep.finish()
    assert stopped.returncode == 2
    assert "the jobs go on" in stopped.stderr
    assert "bench status" in stopped.stderr
    [killed] = processes(tmp_path, "watched_0")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: not alive(killed), "the process is gone")
    jobs = {job.models[0]: job.job_id for job in records(tmp_path)}
    wait_for(lambda: slurm.states(jobs["watched_0"]) == {jobs["watched_0"]: "FAILED"}, "Slurm has noticed")
    assert slurm.states(jobs["watched_1"]) == {jobs["watched_1"]: "RUNNING"}, "the interrupt is not for the jobs"

    status = bench(slurm, tmp_path, "status")
    assert "2 jobs: 1 running, 1 lost" in status.stdout
    assert re.search(r"lost +job 0 +watched_0 on one .*killed", status.stdout)
    assert "run only those again: python -m bench sweep" in status.stdout
    release(tmp_path, "watched_1")
    wait_for(lambda: slurm.states(jobs["watched_1"]) == {jobs["watched_1"]: "COMPLETED"}, "the other job ends")
    assert bench(slurm, tmp_path, "report").returncode == 0
    found = table(tmp_path)
    assert set(found[found.model == "watched_0"].status) == {"lost"}
    assert set(found[found.model == "watched_1"].status) == {"ok"}

    release(tmp_path, "watched_0")
    again = bench(slurm, tmp_path, "sweep", *SLURM, *grid)
    assert again.returncode == 0, again.stderr
    assert set(table(tmp_path).status) == {"ok"}
    assert embedded(tmp_path, "watched_1") == TILES, "what was done is not done again"


def test_two_jobs_at_once_on_the_same_features_make_them_once(slurm, cohorts, tmp_path):
    """Two sweeps with a results folder each share the cache; the job that comes second finds the other at work."""
    grid = ("model=watched_0", "task=one", f"cache={tmp_path / 'cache'}", *cohorts)
    hold(tmp_path, "watched_0", TILES // 2)
    with (
        Running(slurm, tmp_path, "sweep", *SLURM, "results=first", *grid) as first,
        Running(slurm, tmp_path, "sweep", *SLURM, "results=second", *grid) as second,
    ):
        first.until(lambda: "waiting for" in logs(tmp_path), "one job has met the other")
        release(tmp_path, "watched_0")
        ended = [sweep.finish() for sweep in (first, second)]
    assert [done.returncode for done in ended] == [0, 0], ended
    print(f"{embedded(tmp_path, 'watched_0')} tiles embedded by two jobs on {TILES}")
    assert embedded(tmp_path, "watched_0") == TILES, "each tile is embedded by one of the two"
    same(left_in(tmp_path, "first"), left_in(tmp_path, "second"))
