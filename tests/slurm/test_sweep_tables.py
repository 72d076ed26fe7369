"""A sweep on Slurm leaves what the same sweep leaves on a laptop."""

import json

from sweep_helpers import SLURM, TILES, Running, bench, left_in, records, same
from watched_models import embedded, hold, release

GRID = ("model=colour,small_vit", "task=[one,two]", "seeds=[0,1]")


def test_a_grid_as_one_array_leaves_the_tables_of_a_laptop(slurm, cohorts, tmp_path):
    left = {}
    for site, settings in (("laptop", ("site=laptop",)), ("slurm", SLURM)):
        (tmp_path / site).mkdir()
        done = bench(slurm, tmp_path / site, "sweep", *settings, *GRID, *cohorts)
        assert done.returncode == 0, done.stderr
        left[site] = left_in(tmp_path / site)
    same(left["laptop"], left["slurm"])
    assert len(left["slurm"].rows) == 2 * 2 * 2 * 2, "models, tasks, seeds and heads"
    assert len(left["slurm"].tables) == 7

    jobs = records(tmp_path / "slurm")
    [array] = {job.job_id.split("_")[0] for job in jobs}
    assert {job.job_id for job in jobs} == {f"{array}_{number}" for number in range(4)}
    assert {(*job.models, job.task) for job in jobs} == {
        (m, t) for m in ("colour", "small_vit") for t in ("one", "two")
    }
    assert slurm.states(array) == {job.job_id: "COMPLETED" for job in jobs}
    by_work = {(*job.models, job.task): job.job_id for job in jobs}
    assert by_work.keys() == {(model, task) for model in ("colour", "small_vit") for task in ("one", "two")}
    for path in (tmp_path / "slurm" / "results" / "rows").rglob("*.json"):
        row = json.loads(path.read_text())
        assert by_work[row["model"], row["task"]] in json.dumps(row["info"]["job"])
    [script] = (tmp_path / "slurm" / "results" / "sweeps").glob("*/.submitit/*/*_submission.sh")
    [step] = [line for line in script.read_text().splitlines() if line.startswith("srun ")]
    assert "--cpus-per-task=1" in step, "some versions of srun take one core if they are not told"


def test_a_dataset_in_four_shards_with_the_heads_in_a_job_that_waits_for_them(slurm, cohorts, tmp_path):
    one = ("model=watched_0", "task=one", "seeds=[0,1]")
    (tmp_path / "laptop").mkdir()
    (tmp_path / "slurm").mkdir()
    done = bench(slurm, tmp_path / "laptop", "sweep", "site=laptop", *one, *cohorts)
    assert done.returncode == 0, done.stderr

    hold(tmp_path / "slurm", "watched_0", 0)
    with Running(slurm, tmp_path / "slurm", "sweep", *SLURM, "shards=4", *one, *cohorts) as sweep:
        sweep.until(lambda: embedded(tmp_path / "slurm", "watched_0") == TILES, "every shard is before its batch")
        own = ",".join(job.job_id for job in records(tmp_path / "slurm"))
        reasons = slurm.run("squeue", "--noheader", "--array", "--format=%T %r", f"--jobs={own}").splitlines()
        release(tmp_path / "slurm", "watched_0")
        done = sweep.finish()
    assert done.returncode == 0, done.stderr
    assert sorted(reasons) == ["PENDING Dependency", *["RUNNING None"] * 4]
    assert sorted(job.part or "" for job in records(tmp_path / "slurm")) == ["", "1/4", "2/4", "3/4", "4/4"]
    same(left_in(tmp_path / "laptop"), left_in(tmp_path / "slurm"))
    assert embedded(tmp_path / "slurm", "watched_0") == TILES, "no tile is embedded twice"
