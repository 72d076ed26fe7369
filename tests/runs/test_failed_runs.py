"""What a failure leaves behind: the row that stood, the folder named, the rest of the run."""

import os
from pathlib import Path

import pytest
from command_helpers import bench, refused, row, row_files

from bench import rows
from bench.demo import make_tiles
from registry import identity
from registry.errors import UserError


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return make_tiles(tmp_path_factory.mktemp("tiles") / "cohort", patients=8, tiles_per_patient=6)


def run(folder, cohort, *arguments):
    return bench(folder, "task=tiles", f"data={cohort}", "model=colour", "null=none", "protocol=knn", *arguments)


def test_a_row_tells_of_a_later_failure_until_a_run_succeeds(cohort, tmp_path):
    assert run(tmp_path, cohort).returncode == 0
    good = row(tmp_path)
    assert good["stale_error"] == ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "fingerprint", lambda *_, **__: (_ for _ in ()).throw(UserError("The hub is closed.")))
        refused(run(tmp_path, cohort), "The hub is closed.")
    failed = row(tmp_path)
    assert failed == {**good, "stale_error": "colour: The hub is closed."}
    assert run(tmp_path, cohort).returncode == 0
    again = row(tmp_path)
    for one in (again, good):
        one["info"] = {name: value for name, value in one["info"].items() if name not in rows.TIMES}
    assert again == good


def test_a_row_follows_what_the_task_says_of_its_scale(cohort, tmp_path):
    assert run(tmp_path, cohort).returncode == 0
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("features/**/*.h5")}
    assert run(tmp_path, cohort, "tasks.tiles.notes=[scanned twice]").returncode == 0
    assert "scanned twice" in row(tmp_path)["notes"], "one row: what is said of the task is no other cohort"
    assert run(tmp_path, cohort, "tasks.tiles.mpp=2.0").returncode == 0
    assert "scanned twice" not in row(tmp_path)["notes"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("features/**/*.h5")} == made


def test_a_full_disk_is_named_by_the_folder_that_is_full(cohort, tmp_path, monkeypatch):
    whole = os.replace

    def full(source, target):
        if Path(target).suffix in (".parquet", ".json") and "results" in Path(target).parts:
            raise OSError(28, "No space left on device", str(source))
        whole(source, target)

    monkeypatch.setattr(os, "replace", full)
    done = run(tmp_path, cohort)
    refused(done, "The disk of results/predictions/tiles/", "/colour is full", "results=DIR")
    assert "fault" not in done.stderr
    assert not row_files(tmp_path)


@pytest.mark.slow
def test_what_cannot_be_saved_is_a_row_and_the_other_heads_finish(cohort, tmp_path, monkeypatch):
    write = rows.write

    def spoilt(results, one, predictions, *slides):
        if predictions is not None and one.protocol == "knn":
            raise ValueError("Predictions that cannot be stored.")
        return write(results, one, predictions, *slides)

    monkeypatch.setattr(rows, "write", spoilt)
    refused(run(tmp_path, cohort, "protocol=[knn,linear]"), "Predictions that cannot be stored.")
    assert row(tmp_path, protocol="knn")["status"] == "failed"
    assert row(tmp_path, protocol="linear")["status"] == "ok"
