"""Slurm's own time limit: the job is signalled before it, starts again, and goes on from the cache."""

from sweep_helpers import SHARD, SLURM, Running, alive, records, repeated
from watched_models import embedded, hold, processes, release

MODEL = "watched_0"
LIMIT = ("hydra.launcher.timeout_min=60", "hydra.launcher.signal_delay_s=5")


def set_limit(slurm, job, minutes):
    slurm.run("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}")


def shortened(slurm, job):
    """The next full minute of a job that leaves Slurm, which looks every half minute, the time to signal first."""
    minutes, seconds = map(int, slurm.run("squeue", "--noheader", "--format=%M", f"--jobs={job}").split(":"))
    return minutes + (1 if seconds < 20 else 2)


def test_a_job_that_reaches_its_time_limit_goes_on_where_it_was(slurm, cohorts, tmp_path):
    hold(tmp_path, MODEL, 2 * SHARD)
    with Running(slurm, tmp_path, "sweep", *SLURM, *LIMIT, f"model={MODEL}", "task=one", *cohorts) as sweep:
        sweep.until(lambda: embedded(tmp_path, MODEL) == 3 * SHARD, "the third batch is held")
        (first,) = processes(tmp_path, MODEL)
        (job,) = (record.job_id for record in records(tmp_path))
        assert "TimeLimit=01:00:00" in slurm.run("scontrol", "show", "job", job)
        set_limit(slurm, job, shortened(slurm, job))  # once it is held, so that no machine is too slow to come so far
        sweep.until(lambda: not alive(first), "Slurm ends the job at its limit")
        sweep.until(lambda: slurm.states(job).get(job) in ("PENDING", "RUNNING"), "it starts again")
        set_limit(slurm, job, 60)
        release(tmp_path, MODEL)
        done = sweep.finish()

    assert done.returncode == 0, done.stderr
    assert len(processes(tmp_path, MODEL)) == 2
    assert repeated(tmp_path, [MODEL])[MODEL] == SHARD
    assert [record.state for record in records(tmp_path)] == ["done"]
    assert slurm.run("scontrol", "show", "job", job).count("Restarts=1") == 1
