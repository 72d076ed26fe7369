"""Rows that jobs of a sweep make, and those that a lost job did not: what a run says of them and does about them."""

import json
import os
from dataclasses import asdict, replace
from socket import gethostname

import pytest
from command_helpers import bench, row, row_files

from bench.demo import make_tiles
from bench.jobs import JobRecord, Working, declare_dead, write_record
from bench.rows import TIMES, RunKey

IDS = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID")
RECORD = JobRecord("2026-11-22_04-10-33", 0, "tiles", ("colour",), None, "local", (), "5e771")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return make_tiles(tmp_path_factory.mktemp("tiles") / "cohort", patients=8, tiles_per_patient=6)


@pytest.fixture(autouse=True)
def outside_of_slurm(monkeypatch):
    for name in IDS:
        monkeypatch.delenv(name, raising=False)


def run(folder, cohort, *arguments):
    settings = ("task=tiles", f"data={cohort}", "model=colour", "null=none", "protocol=knn")
    done = bench(folder, *settings, *arguments)
    assert done.returncode == 0, done.stderr
    return done


def key_of(values):
    names = {"cohort": "cohort_hash", "head": "head_config_hash"}
    return RunKey(**{name: values[names.get(name, name)] for name in RunKey.__dataclass_fields__})


@pytest.mark.slow
def test_a_row_names_its_job_and_is_the_same_otherwise(cohort, tmp_path, monkeypatch):
    for folder in ("job", "alone"):
        (tmp_path / folder).mkdir()
    for name, value in zip(IDS, ("130", "123", "4"), strict=True):
        monkeypatch.setenv(name, value)
    run(tmp_path / "job", cohort)
    of_job = row(tmp_path / "job")
    assert of_job["info"].pop("job") == f"slurm 123_4 on {gethostname().split('.')[0]}"
    for name in IDS:
        monkeypatch.delenv(name)
    run(tmp_path / "alone", cohort)
    alone = row(tmp_path / "alone")
    for one in (of_job, alone):
        one["info"] = {name: value for name, value in one["info"].items() if name not in TIMES}
        one["tiles_per_s"] = None
    assert of_job == alone
    (path,) = row_files(tmp_path / "job")
    before = path.read_bytes()
    run(tmp_path / "job", cohort)
    assert path.read_bytes() == before, "up to date, whichever job made it"


def test_a_failed_row_names_its_job(cohort, tmp_path):
    results = tmp_path / "results"
    with Working(results, replace(RECORD, engine="laptop")):
        settings = ("task=tiles", f"data={cohort}", "model=uni", "null=none", "protocol=knn", "checkpoints.uni=nowhere")
        assert bench(tmp_path, *settings).returncode == 2
    failed = row(tmp_path)
    assert failed["status"] == "failed"
    assert failed["info"]["job"].startswith("laptop job 0 of 2026-11-22_04-10-33 on ")


def test_the_tables_of_a_run_have_lost_rows_and_the_next_run_makes_them(cohort, tmp_path):
    run(tmp_path, cohort)
    good, results = row(tmp_path), tmp_path / "results"
    keys = [replace(key_of(good), seed=seed) for seed in (0, 1)]
    lost = replace(RECORD, state="running", starts=1, host="node7", rows=tuple(map(asdict, keys)))
    write_record(results, lost)
    declare_dead(results, lost)
    shown = run(tmp_path, cohort).stdout
    assert "  lost: colour, knn, seed 1: The job local job 0 of 2026-11-22_04-10-33 on node7 was lost" in shown
    assert row(tmp_path, seed=0) == good, "a good row stands"
    found = row(tmp_path, seed=1)
    assert (found["status"], found["primary_metric"], found["kind"]) == ("lost", good["primary_metric"], good["kind"])
    assert "1 of 2 rows" in run(tmp_path, cohort, "seeds=[0,1]", "steps=[plan]").stdout
    assert "lost" not in run(tmp_path, cohort, "seeds=[0,1]").stdout
    assert row(tmp_path, seed=1)["status"] == "ok"
    assert json.loads((results / "sweeps/2026-11-22_04-10-33/jobs/00000.json").read_text())["state"] == "running"
    assert os.listdir(results / "sweeps/2026-11-22_04-10-33/jobs").count("00000.lost") == 1
