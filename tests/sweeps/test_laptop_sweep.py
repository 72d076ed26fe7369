"""Sweeps in this process: the tables of a plain run, and what becomes of jobs that fail."""

import json
import re

import pytest
from sweep_commands import bench, left_in, records, refused

from bench import jobs
from bench.jobs import JobRecord, write_record
from bench.sweeps.compose import composed
from bench.sweeps.grid import units_of

pytestmark = pytest.mark.usefixtures("forget")


@pytest.fixture(scope="module")
def swept(common, tmp_path_factory):
    """A finished sweep of two models on two tasks, and its command."""
    folder = tmp_path_factory.mktemp("swept")
    command = ("sweep", *common, "model=tiny_a,tiny_b", "task=one,two", "null=none", "seeds=[0,1]")
    return folder, command, bench(folder, *command)


def test_rows_predictions_and_tables_are_those_of_a_plain_run(swept, common, tmp_path):
    folder, _, done = swept
    assert done.returncode == 0, done.stderr
    plain = bench(tmp_path, *common, "model=[tiny_a,tiny_b]", "task=[one,two]", "null=none", "seeds=[0,1]")
    assert plain.returncode == 0, plain.stderr

    ours, theirs = left_in(folder / "results"), left_in(tmp_path / "results")
    assert len(ours[0]) == 2 * 2 * 2
    assert ours == theirs
    printed = [line for line in done.stdout.splitlines() if re.match(r"  tiny_[ab]  ", line)]
    assert len(printed) == 4, "the tables are printed once"


def test_the_grid_is_printed_with_what_each_job_has_to_do(swept):
    _, _, done = swept
    lines = [" ".join(line.split()) for line in done.stderr.splitlines()]

    assert "tiny_a on one 0 2 0 48 ?" in lines
    [total] = [line for line in lines if line.startswith("total: ")]
    assert total.startswith("total: 4 of 4 jobs on 2 datasets have something to do; 8 rows to make, 192 tiles to embed")


def test_each_job_has_its_record_its_log_and_its_name_in_its_rows(swept):
    folder, _, _ = swept
    found = records(folder / "results")

    assert found.keys() == {(model, task) for model in ("tiny_a", "tiny_b") for task in ("one", "two")}
    assert {record.state for record in found.values()} == {"done"}
    assert {len(record.rows) for record in found.values()} == {2}
    record = found["tiny_b", "two"]
    log = jobs.log_path(folder / "results", record).read_text()
    assert "two · tiny_b · knn" in log
    assert "\r" not in log
    row = json.loads(next((folder / "results/rows/two").glob("*/tiny_b/*.json")).read_text())
    assert f"job {record.number} of {record.sweep}" in row["info"]["job"]


def test_a_second_sweep_has_nothing_to_do_and_prints_its_tables(swept):
    folder, command, first = swept

    done = bench(folder, *command)

    assert done.returncode == 0, done.stderr
    assert "Nothing to do: all 8 rows are up to date" in done.stderr
    assert done.stdout == first.stdout


def test_without_a_report_a_second_sweep_reads_no_results(swept, monkeypatch):
    folder, command, _ = swept
    before = sorted(folder.rglob("*"))

    def read(*_):
        raise AssertionError("the results folder is read")

    monkeypatch.setattr("bench.runs.reporting.read_leaderboard", read)
    monkeypatch.setattr("bench.rows.rows.read_rows", read)
    monkeypatch.setattr("bench.sweeps.command.states", read)
    done = bench(folder, *command, "steps=[embed,fit]")

    assert done.returncode == 0, done.stderr
    assert "Nothing to do: all 8 rows are up to date" in done.stderr
    assert done.stdout == ""
    assert sorted(folder.rglob("*")) == before


def test_what_is_done_is_left_out_and_the_rest_is_run(swept, common, tmp_path):
    assert bench(tmp_path, "sweep", *common, "model=tiny_a", "task=one", "null=none").returncode == 0

    done = bench(tmp_path, "sweep", *common, "model=tiny_a,tiny_b", "task=one", "null=none")

    assert done.returncode == 0, done.stderr
    assert "total: 1 of 2 jobs" in done.stderr
    assert len(records(tmp_path / "results")) == 2


@pytest.mark.parametrize("word", [["-m"], ["--multirun"]])
def test_hydras_option_is_the_same_as_the_word(swept, word):
    folder, command, _ = swept
    assert "Nothing to do" in bench(folder, *word, *command[1:]).stderr
    assert "Nothing to do" in bench(folder, *command[1:], *word).stderr


def test_the_plan_alone_writes_nothing(common, tmp_path):
    done = bench(tmp_path, "sweep", "plan", *common, "model=tiny_a,tiny_b", "task=one", "null=none")

    assert done.returncode == 0, done.stderr
    assert "total: 2 of 2 jobs on 1 dataset have" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_models_in_brackets_share_a_job(common, tmp_path):
    done = bench(tmp_path, "sweep", *common, "model=[tiny_a,tiny_b]", "task=one")

    assert done.returncode == 0, done.stderr
    assert records(tmp_path / "results").keys() == {("tiny_a", "tiny_b", "one"), ("colour", "random_vit_s16", "one")}


def test_a_missing_weight_file_is_a_row_and_the_others_finish(common, tmp_path):
    done = bench(tmp_path, "sweep", *common, "model=tiny_a,uni", "task=one", "null=none", "checkpoints.uni=nowhere.pth")

    assert done.returncode == 2
    [sentence] = done.sentences
    assert "uni" in sentence
    assert "nowhere.pth" in sentence
    rows = {path.parent.name: json.loads(path.read_text()) for path in (tmp_path / "results/rows").rglob("*.json")}
    assert {model: row["status"] for model, row in rows.items()} == {"tiny_a": "ok", "uni": "failed"}
    assert {record.state for record in records(tmp_path / "results").values()} == {"done", "failed"}
    assert "uni" in done.stdout, "the tables name it"


def test_without_any_model_there_are_no_baselines(common, tmp_path):
    done = bench(tmp_path, "sweep", *common, "model=uni", "task=one", "checkpoints.uni=nowhere.pth")

    assert done.returncode == 2
    assert "left out, as there is no model to compare them with" in done.stderr
    assert {path.parent.name for path in (tmp_path / "results/rows").rglob("*.json")} == {"uni"}


def test_a_checkpoint_of_no_model_is_refused(common, tmp_path):
    done = bench(tmp_path, "sweep", *common, "model=tiny_a,tiny_b", "task=one", "checkpoints.tiny_c=x.pth")

    refused(done, "checkpoints.tiny_c is set but neither model= nor frontend= names tiny_c")
    assert not (tmp_path / "results" / "sweeps").exists()


def test_a_dataset_that_is_not_there_is_named_once_a_job_and_the_other_is_run(common, tmp_path):
    done = bench(
        tmp_path, "sweep", *common, "model=tiny_a,tiny_b", "task=one,tiles", "null=none", "tasks.tiles.data=nowhere"
    )

    assert done.returncode == 2
    assert "nowhere" in " ".join(done.sentences)
    states = {name: record.state for name, record in records(tmp_path / "results").items()}
    assert states["tiny_a", "one"] == states["tiny_b", "one"] == "done"
    assert states["tiny_a", "tiles"] == states["tiny_b", "tiles"] == "failed"


def test_a_job_that_raises_is_a_line_and_the_next_one_runs(common, tmp_path):
    done = bench(tmp_path, "sweep", *common, "model=tiny_faulty,tiny_a", "task=one", "null=none")

    assert done.returncode == 2
    [sentence] = done.sentences[-1:]
    assert sentence.startswith("Job 0 (tiny_faulty on one): ")
    assert "a fault of the network" in sentence
    assert {name[0]: record.state for name, record in records(tmp_path / "results").items()} == {
        "tiny_faulty": "failed",
        "tiny_a": "done",
    }


def of_another_sweep(results, **values):
    (results / "sweeps" / "other").mkdir(parents=True)
    (results / "sweeps" / "other" / "sweep.alive").touch()
    record = JobRecord("other", 3, "one", ("tiny_a",), None, "local", (), "", **values)
    return lambda settings: write_record(results, JobRecord(**{**vars(record), "settings": settings}))


def test_a_job_that_another_sweep_is_doing_is_left_out_and_other_settings_are_refused(common, tmp_path):
    command = ("sweep", *common, "model=tiny_a,tiny_b", "task=one", "null=none", "results=again")
    with composed(command[1:]) as made:
        settings = units_of(made.combinations)[0].settings
    results = tmp_path / "again"
    write = of_another_sweep(results)

    write(settings)
    done = bench(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert "tiny_a on one is left out: job 3 of the sweep other is doing it" in done.stderr
    assert {name[0] for name, record in records(results).items() if record.sweep != "other"} == {"tiny_b"}

    write("others")
    done = bench(tmp_path, *command, "seeds=[2]")
    refused(done, "The sweep other is not finished", "job 3 (tiny_a on one) has other settings", "results=DIR")
