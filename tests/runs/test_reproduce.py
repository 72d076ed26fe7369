"""A row says what made it, and `python -m bench reproduce` makes it again from that and compares."""

from __future__ import annotations

import collections
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_helpers import Done, bench, refused, row_files
from PIL import Image
from plain_loop import USUAL
from restoration_helpers import stands

from bench.rows import RowInfo, read_predictions, read_rows
from bench.rows.predictions import write_predictions

__all__ = ["stands"]
HEADS = ("protocol=[knn,linear]", "protocols.linear.n_strengths=1", "bootstrap=50", "null=none")
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-two tiles of two classes that differ in brightness, each class of eight patients."""
    folder = tmp_path_factory.mktemp("tiles")
    rng = np.random.default_rng(0)
    lines = ["path,label,patient,split"]
    for number in range(32):
        pixels = rng.normal(90 + 20 * (number % 2), 40, (16, 16, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{'ab'[number % 2]},p{number // 2},{'train' if number < 20 else 'test'}")
    (folder / "tiles.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def finished(tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model with two heads and two seeds."""
    folder = tmp_path_factory.mktemp("finished")
    settings = ("task=tiles", f"data={tiles / 'tiles.csv'}", "model=means", "seeds=[0,1]", *USUAL, *HEADS)
    done = bench(folder, *settings)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def path_of(folder: Path, **fields: Any) -> Path:
    return next(iter(row_files(folder, **{"protocol": "linear", "seed": 0, **fields})))


def edit(path: Path, change: Change) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def reproduce(folder: Path, row: str | Path, *options: str) -> Done:
    return bench(folder, "reproduce", str(row), "trust=true", *options)


def test_a_row_says_what_made_it(folder: Path) -> None:
    (row, *_) = [row for row in read_rows(folder / "results")[0] if (row.protocol, row.seed) == ("linear", 1)]
    info = RowInfo(row)
    assert info.config["seeds"] == [1]
    assert info.config["protocols"].keys() == {"linear"}
    assert info.config["protocols"]["linear"]["n_strengths"] == 1
    assert info.config["tasks"].keys() == {"tiles"}
    assert not info.config.keys() & {"results", "cache", "steps", "device"}
    assert info.digests.keys() == {"card", "data", "features", "head", "samples", "weights"}
    assert info.digests["head"] == row.head_config_hash
    assert {"python", "numpy", "torch", "pfmbench"} <= info.versions.keys()
    assert info.device.startswith("cpu")
    assert info.seconds.keys() == {"fit"}
    assert pd.Timestamp(info.finished).tz is not None
    assert info.card.dim == 9
    assert info.card.cohorts_evidence == "unknown"
    assert info.contamination.level == "none"
    assert info.peak_memory_mib is None, "nothing is measured on a CPU"
    added = {name: row.info[name] for name in ("config", "command", "model_card", "contamination", "versions")}
    assert len(json.dumps(added, indent=1)) < 3000, "a results folder has tens of thousands of rows"


def test_the_command_of_a_row_makes_it_again(folder: Path) -> None:
    (before,) = row_files(folder, protocol="linear", seed=1).values()
    words = shlex.split(before["info"]["command"])
    assert words[:3] == ["python", "-m", "bench"]
    done = bench(folder, *words[3:], "results=again")
    assert done.returncode == 0, done.stderr
    (after,) = row_files(folder, results="again").values()
    assert after["run_hash"] == before["run_hash"]
    assert after["metrics"] == before["metrics"]
    assert after["info"]["config"] == before["info"]["config"]
    assert after["info"]["command"] == before["info"]["command"]


@pytest.mark.parametrize("fresh", ["fresh=true", "fresh=false"])
def test_a_row_is_identical_when_it_is_made_again(folder: Path, fresh: str) -> None:
    before = {path: path.read_bytes() for path in (folder / "results").rglob("*") if path.is_file()}
    done = reproduce(folder, path_of(folder), fresh)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tiles · means · linear · seed 0: made again in ")
    assert lines[1].startswith("Identical bit for bit: ")
    assert lines[1].endswith(" metrics with their intervals and 12 predictions.")
    assert lines[2:] == ["Versions, device, data, weights and settings are those that the row was made with."]
    assert {path: path.read_bytes() for path in (folder / "results").rglob("*") if path.is_file()} == before


def test_rows_are_named_by_run_hash_and_by_key(folder: Path) -> None:
    path = path_of(folder, protocol="knn", seed=1)
    row = json.loads(path.read_text())
    for name in (row["run_hash"][:8], path.stem, f"means/{path.stem}", f"rows/{path.relative_to(folder / 'results')}"):
        done = reproduce(folder, name.replace("rows/rows", "rows"))
        assert done.returncode == 0, done.stderr
        assert "tiles · means · knn · seed 1: " in done.stdout
    refused(reproduce(folder, "means"), "means names 4 rows")
    refused(reproduce(folder, path.stem.replace("knn", "knm")), "No row in results", f"Is {path.stem} meant?")
    refused(reproduce(folder, "ffffffff", "results=nowhere"), "There is no results folder nowhere")
    refused(bench(folder, "reproduce"), "0 rows are named")
    refused(reproduce(folder, path, "colour=red"), "'colour=red' is not an option here")
    refused(reproduce(folder, path, "tolerance=many"), "tolerance=many must be a number")


def _worse(record: dict[str, Any]) -> None:
    record["metrics"]["accuracy"]["value"] += 0.25


def _slightly_worse(record: dict[str, Any]) -> None:
    record["metrics"]["accuracy"]["value"] += 1e-9


def _other_versions(record: dict[str, Any]) -> None:
    record["info"]["versions"]["torch"] = "1.0"
    record["info"]["device"] = "cpu (riscv)"
    record["info"]["digests"]["weights"] = "0" * 16


def _fewer_metrics(record: dict[str, Any]) -> None:
    del record["metrics"]["accuracy"]


DIFFERENCES: dict[str, tuple[Change, int, tuple[str, ...]]] = {
    "worse": (_worse, 1, ("Different by more than 0.001", "accuracy: value ", ", was ")),
    "slightly": (_slightly_worse, 0, ("Equal within 0.001: ", "differ by 1e-09 at most", "accuracy: value ")),
    "versions": (
        _other_versions,
        0,
        (
            "Identical bit for bit",
            "Other than when the row was made: torch ",
            "(was 1.0)",
            "(was cpu (riscv))",
            "weights",
        ),
    ),
    "metrics": (_fewer_metrics, 1, ("accuracy: the row before lacks it",)),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_differs_is_printed(folder: Path, name: str) -> None:
    change, code, parts = DIFFERENCES[name]
    path = path_of(folder)
    edit(path, change)
    done = reproduce(folder, path)
    assert (done.returncode, [part for part in parts if part not in done.stdout]) == (code, []), done.stdout


def test_predictions_of_another_run_differ(folder: Path) -> None:
    linear, knn = (
        folder / "results" / json.loads(path_of(folder, protocol=name).read_text())["predictions"]
        for name in ("linear", "knn")
    )
    write_predictions(linear, read_predictions(knn), ["a", "b"])
    done = reproduce(folder, path_of(folder))
    assert done.returncode == 1
    assert "The scores of the predictions differ by " in done.stdout
    linear.unlink()
    done = reproduce(folder, path_of(folder))
    assert done.returncode == 0
    assert "The predictions of the row cannot be read, so metrics alone are compared." in done.stdout


def test_data_that_were_moved(folder: Path, tiles: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(tiles, moved)
    path = path_of(folder)
    edit(path, lambda record: record["info"]["config"].update(data="/nowhere/tiles.csv"))
    refused(reproduce(folder, path), "/nowhere/tiles.csv")
    done = reproduce(folder, path, f"data={moved / 'tiles.csv'}", "fresh=true")
    assert done.returncode == 0, done.stderr
    assert "Identical bit for bit" in done.stdout
    table = pd.read_csv(moved / "tiles.csv")
    table.assign(label=table.label.replace({"a": "b", "b": "a"})).to_csv(moved / "other.csv", index=False)
    refused(reproduce(folder, path, f"data={moved / 'other.csv'}"), "The data make the cohort ", "data=DIR")


REFUSED: dict[str, tuple[Change, tuple[str, ...]]] = {
    "older": (
        lambda record: record["info"].pop("config"),
        ("has no settings (info.config)", "run the benchmark again"),
    ),
    "failed": (lambda record: record.update(status="failed"), ("is failed and has no scores", "Its command runs it: ")),
    "unknown": (lambda record: record["info"]["config"].update(colour="red"), ("settings of the row cannot be used",)),
    "head": (
        lambda record: record["info"]["config"]["protocols"]["linear"].update(n_strengths=2),
        ("The settings of the head have the digest ",),
    ),
    "task": (lambda record: record["info"]["config"].update(tasks=[3]), ("settings of the row cannot be used",)),
    "text": (lambda record: record["info"].update(config="all"), ("has no settings (info.config)",)),
    "model": (lambda record: record["info"]["config"].update(model="colour"), ("do not make the row",)),
    "torn": (lambda record: record.update(notes=3), ("cannot be used (notes is 3)",)),
}


SETTINGS: list[dict[str, Any]] = [
    {"model": 3},
    {"model": None},
    {"seeds": ["x"]},
    {"seeds": []},
    {"protocols": {"linear": 3}},
    {"protocols": {"linear": {"kind": "nothing"}}},
    {"protocols": []},
    {"tasks": {"tiles": 3}},
    {"tasks": {"tiles": {"name": "tiles", "reader": "nothing"}}},
    {"tasks": {"other": {"name": "tiles"}}},
    {"tasks": {}},
    {"precision": "int4"},
    {"bootstrap": -1},
    {"checkpoint": {"a": 1}},
    {"frontend": "nothing"},
    {"data": "${oc.env:NOTHING_OF_THIS_NAME}"},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_settings_that_were_edited_are_refused(folder: Path, settings: dict[str, Any]) -> None:
    path = path_of(folder)
    edit(path, lambda record: record["info"]["config"].update(settings))
    done = reproduce(folder, path)
    refused(done)
    assert "fault of the harness" not in done.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_a_row_that_cannot_be_made_again_is_refused(folder: Path, name: str) -> None:
    change, parts = REFUSED[name]
    path = path_of(folder)
    edit(path, change)
    refused(reproduce(folder, path), *parts)


def test_code_that_is_not_of_pfmbench_runs_only_where_the_row_is_trusted(folder: Path) -> None:
    refused(
        bench(folder, "reproduce", str(path_of(folder))), "runs code that is not of pfmbench (plugins=", "trust=true"
    )


TRACK = (
    *("tasks.{}.track.corruptions=[darker,speckled]", "tasks.{}.track.severities=[1,5]"),
    "tasks.{}.track.restorers=[lighter]",
)


@pytest.mark.slow
def test_rows_of_tracks(tmp_path: Path, stands: collections.Counter[str]) -> None:
    (tmp_path / "tiles").mkdir()
    rng = np.random.default_rng(0)
    lines = ["path,label,patient,split"]
    for number in range(24):
        pixels = rng.normal(90 + 40 * (number % 2), 8, (24, 24, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "tiles" / f"{number}.png")
        lines.append(f"{number}.png,{'ab'[number % 2]},p{number // 2},{'train' if number < 16 else 'test'}")
    (tmp_path / "tiles" / "manifest.csv").write_text("\n".join(lines) + "\n")
    own = (
        "data=tiles",
        "model=colour",
        "null=none",
        "protocol=linear",
        "protocols.linear.n_strengths=1",
        "bootstrap=50",
    )
    for task in ("robustness", "restoration"):
        done = bench(tmp_path, f"task={task}", *own, *(part.format(task) for part in TRACK))
        assert done.returncode == 0, done.stderr
    chosen = [
        {"task": "robustness", "protocol": "similarity", "frontend": "darker_1+lighter"},
        {"task": "robustness", "protocol": "linear", "frontend": "speckled_5"},
        {"task": "robustness", "protocol": "linear-augmented", "frontend": ""},
        {"task": "restoration", "model": "lighter", "frontend": "darker_5"},
    ]
    for fields in chosen:
        (path,) = row_files(tmp_path, **fields)
        done = reproduce(tmp_path, path)
        assert done.returncode == 0, (fields, done.stderr)
        assert "Identical bit for bit" in done.stdout, (fields, done.stdout)
        assert "are those that the row was made with" in done.stdout, (fields, done.stdout)
