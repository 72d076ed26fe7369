"""A pack has rows and predictions and nothing of the machine; the same rows give the same bytes."""

import dataclasses
import zipfile

import pytest
from packed_runs import add_run, fill, predictions, rewrite, row_of

from bench import config, frozen, rows, runs, tasks
from bench.packs import submit_command
from bench.packs.pseudonyms import Pseudonyms
from bench.packs.stripping import PATH_SETTINGS, stripped
from bench.packs.submit import submit
from bench.rows import Row
from bench.settings import PATH, PATHS, PATHS_BY_NAME
from registry.errors import UserError

SALT = "correct horse battery"


def texts(pack):
    with zipfile.ZipFile(pack) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_same_rows_give_the_same_bytes(tmp_path):
    results = fill(tmp_path / "results")
    fill(tmp_path / "again", ("colour", "gpfm", "uni"))
    for salt in ("", SALT):
        submit(results, tmp_path / "a.zip", salt)
        submit(tmp_path / "again", tmp_path / "b.zip", salt)

        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_pack_unpacked_is_a_results_folder_with_the_same_scores(tmp_path):
    results = fill(tmp_path / "results")
    submit(results, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "unpacked")

    found, left_out = rows.read_rows(tmp_path / "unpacked")

    assert left_out == []
    assert [row.metrics for row in found] == [row.metrics for row in rows.read_rows(results)[0]]
    assert all(rows.has_predictions(tmp_path / "unpacked", row) for row in found)


def test_failed_rows_are_packed_and_features_and_tables_are_not(tmp_path, capsys):
    results = fill(tmp_path / "results")
    rows.write(results, Row("mine", "broken", "", "linear", 0, "failed", "auroc", error="out of memory"), None)
    (results / "leaderboard.csv").write_text("task\n")
    (results / "rows" / "weights.bin").write_bytes(b"0")

    assert submit_command([f"results={results}", f"out={tmp_path / 'a.zip'}"]) == 0

    assert "4 rows, 1 of them failed" in capsys.readouterr().out
    names = list(texts(tmp_path / "a.zip"))
    assert len(names) == 1 + 4 + 3
    assert {name.rpartition(".")[2] for name in names} == {"json", "parquet"}


def test_rows_left_out_by_a_choice_are_counted(tmp_path):
    results = fill(tmp_path / "results")

    assert submit(results, tmp_path / "a.zip", wanted={"model": "uni,gpfm"}).rows == 2
    assert b'"left_out": 1' in texts(tmp_path / "a.zip")["pack.json"]


def test_paths_of_the_machine_are_in_no_file(tmp_path):
    results = fill(tmp_path / "results")
    secret = "/data/secret folder/pcam"
    info = {
        "command": f"python -m bench data='{secret}'",
        "config": {
            "data": secret,
            "checkpoint": "weights/hidden.pth",
            "tasks": {"mine": {"data": secret}},
            "seeds": [1],
        },
        "weights": {"sha256": "ab", "notes": [f"read from {secret}/a.bin", "see https://example.org/a/b at 5 tiles/s"]},
    }
    notes = [
        f"2 tiles of {secret}/x.png",
        r"C:\secret\y",
        "~/secret and ../secret/z",
        f"in {results}/rows",
        "weights/hidden.pth",
    ]
    rewrite(results, dataclasses.replace(row_of(results, "uni"), info=info, notes=notes))

    submit(results, tmp_path / "a.zip")

    every = b"".join(texts(tmp_path / "a.zip").values())
    for part in (b"secret", b"hidden", str(tmp_path).encode(), b"python -m bench"):
        assert part not in every
    assert b"https://example.org/a/b at 5 tiles/s" in every
    assert b'"seeds"' in every


def test_every_setting_that_is_a_path_is_left_out():
    kinds = {field.name: field.metadata.get("kind") for field in dataclasses.fields(config.BenchConfig)}

    assert {name for name, kind in kinds.items() if kind in (PATH, PATHS, PATHS_BY_NAME)} == PATH_SETTINGS


def test_hashed_ids_are_the_same_in_every_row_and_task_and_none_is_left(tmp_path):
    results = fill(tmp_path / "results", tasks=("mine", "other"))
    row = row_of(results, "uni")
    noted = ["mine/tile-003 of patient-2 is odd", "left out: TCGA-AB-1234", "no patient is known, 1.5 % of 12 tiles"]
    rewrite(results, dataclasses.replace(row, notes=noted))

    submit(results, tmp_path / "a.zip", SALT)

    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    saved = [
        rows.read_predictions(tmp_path / "unpacked" / own.predictions)
        for own in rows.read_rows(tmp_path / "unpacked")[0]
    ]
    assert all(saved[0].groups.tolist() == other.groups.tolist() for other in saved)
    assert [one.ids.tolist() for one in saved[:3]] == [saved[0].ids.tolist()] * 3
    assert len({*saved[0].groups}) == 12
    every = b"".join(texts(tmp_path / "a.zip").values())
    assert b"tile-0" not in every
    assert b"patient-" not in every
    assert b"TCGA" not in every
    hashes = Pseudonyms(SALT)
    assert (
        f"{hashes.of('mine/tile-003')} of {hashes.of('patient-2')} is odd".encode() not in every
    )  # hashes are no words
    assert b"no patient is known, 1.5 % of 12 tiles" in every


def test_ids_that_are_paths_are_refused_unless_hashed(tmp_path):
    of_uni = predictions("mine", "uni")
    paths = dataclasses.replace(of_uni, ids=[f"/home/ann/{name}" for name in of_uni.ids])
    add_run(tmp_path / "results", paths, "uni")

    with pytest.raises(UserError, match=r"paths of this machine .*add salt="):
        submit(tmp_path / "results", tmp_path / "a.zip")
    assert submit(tmp_path / "results", tmp_path / "a.zip", SALT).rows == 1
    assert b"ann" not in b"".join(texts(tmp_path / "a.zip").values())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["out=a.zip", "salt=short"], "salt= has 5 characters"),
        (["results=results"], "Name the file of the pack"),
        (["out=a.zip", "modle=uni"], "Is model meant"),
        (["out=a.zip", "results=nothing"], "There is no results folder"),
        (["out=a.zip", "model=uno"], "Is uni meant"),
    ],
)
def test_what_cannot_be_packed_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, sentence):
    fill(tmp_path / "results", ("uni",))
    monkeypatch.chdir(tmp_path)

    assert submit_command(arguments) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_a_row_without_its_predictions_is_left_out_and_named(tmp_path):
    results = fill(tmp_path / "results")
    (results / row_of(results, "uni").predictions).unlink()

    found = submit(results, tmp_path / "a.zip")

    assert found.rows == 2
    assert "uni/linear" in found.left_out[0]


def test_the_settings_of_published_tasks_stand_as_they_are_though_their_patterns_look_like_paths(tmp_path):
    for name, published in frozen.frozen_tasks().items():
        settings = {**published.definition, "own_options": runs.published_task(name).own_options}
        row = Row(name, "uni", "", "linear", 0, "ok", "auroc", info={"config": {"tasks": {name: settings}}})

        stated = runs.stated_task(stripped(row, tmp_path, ["40X"], Pseudonyms(SALT)))

        assert tasks.definition(stated) == published.definition


def test_an_error_without_names_stays_as_it_is(tmp_path):
    row = Row("mine", "uni", "", "linear", 0, "failed", "auroc", error="CUDA is out of memory")

    assert stripped(row, tmp_path, (), None).error == row.error
