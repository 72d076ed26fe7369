"""What clusters do to jobs: after each, the same sweep again leaves the features and rows of an undisturbed run."""

import os
import re
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from private_slurm import MAX_ARRAY_SIZE
from sweep_helpers import SHARD, SLURM, Done, Left, Running, alive, bench, left_in, records, repeated, same
from watched_models import embedded, hold, processes, release

BLOWS = {
    "watched_0": "scontrol requeue",
    "watched_1": "scancel --signal=USR2",
    "watched_2": "scancel",
    "watched_3": "kill -9",
    "watched_4": "slurmd stopped and started",
}
SURVIVED = ("watched_0", "watched_1", "watched_4")  # Slurm starts these again, or they went on
SWEEP = (f"model={','.join(BLOWS)}", "task=one")
FINISHED = 2  # shards that every job has finished before it is hit


@dataclass(frozen=True)
class Broken:
    """A sweep whose jobs were hit, and the same sweep again."""

    folder: Path
    first: Done
    status: Done
    tiles_of_first: dict[str, int]
    again: Done
    left: Left


@pytest.fixture(scope="module")
def undisturbed(slurm, cohorts, tmp_path_factory) -> Left:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = bench(slurm, folder, "sweep", "site=laptop", *SWEEP, *cohorts)
    assert done.returncode == 0, done.stderr
    return left_in(folder)


@pytest.fixture(scope="module")
def broken(slurm, cohorts, tmp_path_factory) -> Broken:
    """All jobs are held up with their third batch, hit, and released."""
    folder = tmp_path_factory.mktemp("broken")
    for name in BLOWS:
        hold(folder, name, FINISHED * SHARD)
    with Running(slurm, folder, "sweep", *SLURM, *SWEEP, *cohorts) as sweep:
        for name in BLOWS:
            sweep.until(lambda name=name: is_held(folder, name), f"{name} is at its third batch")
        pids = {name: processes(folder, name)[0] for name in BLOWS}
        jobs = {job.models[0]: job.job_id for job in records(folder)}
        slurm.stop_node()
        release(folder, "watched_4")
        sweep.until(lambda: not alive(pids["watched_4"]), "the job ends while slurmd is away")
        slurm.start_node()
        slurm.run("scontrol", "requeue", jobs["watched_0"])
        slurm.run("scancel", "--signal=USR2", jobs["watched_1"])
        slurm.run("scancel", jobs["watched_2"])
        os.kill(pids["watched_3"], signal.SIGKILL)
        for name in ("watched_0", "watched_1", "watched_2", "watched_3"):
            sweep.until(lambda name=name: not alive(pids[name]), f"the process of {name} is gone")
            release(folder, name)
        first = sweep.finish()
    tiles_of_first = {name: embedded(folder, name) for name in BLOWS}
    status = bench(slurm, folder, "status")
    again = bench(slurm, folder, "sweep", *SLURM, *SWEEP, *cohorts)
    return Broken(folder, first, status, tiles_of_first, again, left_in(folder))


def is_held(folder, name):
    """Whether the third batch waits and the two shards before it are in the cache."""
    written = list((folder / "cache" / "features" / name).glob("*/*.h5"))
    return embedded(folder, name) == (FINISHED + 1) * SHARD and len(written) == FINISHED


def complaints(done):
    return [line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]


def test_the_sweep_again_leaves_what_an_undisturbed_one_leaves(broken, undisturbed):
    assert broken.again.returncode == 0, broken.again.stderr
    same(undisturbed, broken.left)


@pytest.mark.parametrize("name", BLOWS)
def test_no_more_is_repeated_than_the_batch_that_was_hit(broken, name):
    again = repeated(broken.folder, [name])[name]
    print(f"{BLOWS[name]}: {again} tiles of {4 * SHARD} embedded again")
    assert again == (0 if name == "watched_4" else SHARD)


def test_jobs_that_slurm_starts_again_end_well_in_the_first_sweep(broken):
    for name in SURVIVED:
        assert broken.tiles_of_first[name] == embedded(broken.folder, name), "the sweep again embedded nothing of it"
        assert not any(name in line for line in complaints(broken.first))


def test_more_jobs_than_an_array_may_have_are_several_arrays(broken):
    first = sorted(job.sweep for job in records(broken.folder))[0]
    submitted = [job.job_id.split("_")[0] for job in records(broken.folder) if job.sweep == first]
    assert sorted(Counter(submitted).values()) == [len(BLOWS) - MAX_ARRAY_SIZE, MAX_ARRAY_SIZE]


def test_jobs_that_did_not_come_back_are_lines_of_the_first_sweep(broken):
    assert broken.first.returncode == 2
    said = complaints(broken.first)
    for name in BLOWS.keys() - set(SURVIVED):
        assert sum(name in line for line in said) == 1, said
    assert "5 jobs: 3 done, 2 lost" in broken.status.stdout
    assert re.search(r"lost +jobs 2, 3 .*killed", broken.status.stdout)
