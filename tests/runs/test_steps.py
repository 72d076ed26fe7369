"""The steps plan, embed, fit and report, each by itself, leave what one command leaves."""

import re
import shutil

import pytest
from command_helpers import bench, files, refused, row_files, rows
from step_helpers import run, slides, tiles, untimed

import registry

__all__ = ["slides", "tiles"]


@pytest.fixture
def no_network(monkeypatch):
    """Loading a network is an error."""

    def load(name, *_, **__):
        raise AssertionError(f"{name} was loaded")

    monkeypatch.setattr(registry, "load", load)


@pytest.mark.parametrize("data", ["tiles", "slides"])
def test_a_plan_computes_and_writes_nothing(data, request, tmp_path, no_network):
    done = run(tmp_path, request.getfixturevalue(data), step=["plan"])
    assert done.returncode == 0, done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not (tmp_path / "results").exists()
    for model in ("means", "colour"):
        assert re.search(rf"^  {model} .* to embed; 2 of 2 rows to fit$", done.stdout, re.MULTILINE)
    tiles = {"tiles": "32 tiles to embed", "slides": "0 tiles to embed, and the tiles of 10 slides that have no grid"}
    assert f"total: {tiles[data]}" in done.stdout
    assert done.stdout.rstrip().endswith("; 4 rows to fit, 0 up to date, 0 cannot be made")


def test_a_plan_says_what_stands_and_what_cannot_be_made(tiles, tmp_path):
    assert run(tmp_path, tiles, model="means").returncode == 0
    before = files(tmp_path, "**/*.*")
    done = run(tmp_path, tiles, step=["plan"], model="[means,scaled,colour]")
    refused(done, "scaled has no public weights")
    assert re.search(r"^  means +embedded; all 2 rows are up to date$", done.stdout, re.MULTILINE)
    assert re.search(r"^  colour +16 tiles to embed; 2 of 2 rows to fit$", done.stdout, re.MULTILINE)
    assert re.search(r"^  scaled +cannot be run: scaled has no public weights", done.stdout, re.MULTILINE)
    assert "total: 16 tiles to embed" in done.stdout
    assert "; 2 rows to fit, 2 up to date, 2 cannot be made" in done.stdout
    assert files(tmp_path, "**/*.*") == before
    done = run(tmp_path, tiles, "protocols.knn.k=[3]", step=["plan"], model="means")
    assert re.search(r"^  means +embedded; 1 of 2 rows to fit$", done.stdout, re.MULTILINE)


def test_a_plan_takes_no_rate_from_another_cache_of_the_same_name(tiles, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    assert run(tmp_path / "first", tiles, model="colour").returncode == 0
    assert run(tmp_path / "first", tiles, "shard_tiles=4", step=["plan"], model="colour").returncode == 0
    done = run(tmp_path / "second", tiles, step=["plan"], model="colour")
    assert "rates measured here" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("data", "model"), [("tiles", "[means,colour]"), ("slides", "[means,slide_means]")])
def test_embed_fit_and_report_leave_what_one_command_leaves(data, model, request, tmp_path, monkeypatch):
    arguments = request.getfixturevalue(data)
    one, apart = tmp_path / "one", tmp_path / "apart"
    for folder in (one, apart):
        folder.mkdir()
    at_once = run(one, arguments, model=model)
    assert at_once.returncode == 0, at_once.stderr

    embedded = run(apart, arguments, step=["embed"], model=model)
    assert (embedded.returncode, embedded.stdout) == (0, ""), embedded.stderr
    assert not row_files(apart)
    features = files(apart, "cache/**/*.h5")
    assert features
    assert not list(apart.glob("results/*.csv"))
    with monkeypatch.context() as patch:
        patch.setattr(registry, "load", lambda *_, **__: pytest.fail("a network was loaded"))
        fitted = run(apart, arguments, step=["fit"], model=model)
        assert (fitted.returncode, fitted.stdout) == (0, ""), fitted.stderr
        assert len(row_files(apart)) == 4
        assert not list(apart.glob("results/*.csv"))
        reported = bench(apart, "report")
    assert reported.returncode == 0, reported.stderr
    assert files(apart, "cache/**/*.h5") == features
    assert untimed(apart) == untimed(one)

    def untimed_text(done):  # the speed is the last column
        return [re.sub(r" +[\d.]+$", "", line) for line in done.stdout.splitlines()]

    assert untimed_text(reported) == untimed_text(at_once)
    again = run(apart, arguments, "steps=[fit,report]", model=model)
    assert untimed_text(again) == untimed_text(at_once)


@pytest.mark.parametrize("data", ["tiles", "slides"])
def test_fit_without_features_is_refused_in_a_sentence(data, request, tmp_path, no_network):
    done = run(tmp_path, request.getfixturevalue(data), step=["fit"], model="means")
    command = f"make them first, with `python -m bench embed task={data} model=means`"
    refused(done, f"The features of means on {data} are not all in the cache: {command}", "cache=DIR")
    assert len([line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]) == 1
    assert not row_files(tmp_path), "the model has not failed"
    assert not list(tmp_path.glob("cache/**/*.h5"))
    assert not list(tmp_path.glob("results/previews/**/*.jpg"))


def test_fit_goes_on_with_the_models_whose_features_are_there(tiles, tmp_path):
    assert run(tmp_path, tiles, step=["embed"], model="means").returncode == 0
    done = run(tmp_path, tiles, step=["fit"])
    refused(done, "The features of colour on tiles are not all in the cache")
    assert "means are" not in done.stderr
    status = {(model, protocol): one["status"] for (model, protocol, *_), one in rows(tmp_path).items()}
    assert status == {("means", "knn"): "ok", ("means", "linear"): "ok"}


def test_each_model_without_features_is_named_and_a_report_beside_it_has_no_failed_row(tiles, tmp_path):
    done = run(tmp_path, tiles, "steps=[fit,report]")
    for model in ("means", "colour"):
        refused(done, f"`python -m bench embed task=tiles model={model}`")
    assert len([line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]) == 2
    assert done.stdout == ""
    assert not list(tmp_path.glob("results/**/*.*"))


@pytest.mark.slow
def test_a_good_row_without_its_features_stays_with_a_note(tiles, tmp_path):
    """Its head is fitted anew, with other intervals, for which the features are needed."""
    assert run(tmp_path, tiles, model="means").returncode == 0
    before = rows(tmp_path)
    shutil.rmtree(tmp_path / "cache/features")
    assert run(tmp_path, tiles, step=["fit"], model="means").returncode == 0, "rows that are up to date need none"
    assert rows(tmp_path) == before
    refused(run(tmp_path, tiles, "bootstrap=30", step=["fit"], model="means"), "model=means` and the other settings")
    after = rows(tmp_path)
    assert after.keys() == before.keys()
    for name, one in after.items():
        assert one.pop("stale_error").startswith("The features of means on tiles are not all in the cache")
        assert one == {field: value for field, value in before[name].items() if field != "stale_error"}


def test_vectors_of_slides_are_features_that_fit_must_find(slides, tmp_path):
    """The tiles' features alone are not enough, the network of slides is not loaded for it, and no row is written."""
    assert run(tmp_path, slides, step=["embed"], model="means").returncode == 0
    refused(run(tmp_path, slides, step=["fit"], model="slide_means"), "The features of slide_means on slides are not")
    assert not row_files(tmp_path)
    assert not list(tmp_path.glob("cache/features/slide_means/**/*.h5"))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("steps=[]",), ("steps=[] must be [plan] alone",)),
        (("steps=[plan,fit]",), ("steps=[plan,fit] must be [plan] alone",)),
        (("steps=[plan,report]",), ("steps=[plan,report] must be [plan] alone",)),
        (("part=1/2",), ("part=1/2 embeds a part of the shards only: set steps=[embed]",)),
        (("part=3/2", "steps=[embed]"), ("part=3/2 must be K/N",)),
        (("part=0/2", "steps=[embed]"), ("part=0/2 must be K/N",)),
        (("part=half", "steps=[embed]"), ("part=half must be K/N",)),
        (("steps=[embedd]",), ("embedd",)),
    ],
)
def test_steps_and_parts_that_cannot_be(tiles, tmp_path, arguments, parts):
    refused(run(tmp_path, tiles, *arguments), *parts)
    assert not row_files(tmp_path)
    assert not list(tmp_path.glob("cache/**/*.h5"))


@pytest.mark.slow
def test_a_plan_of_the_built_in_cohort_leaves_nothing_behind(tmp_path):
    done = bench(tmp_path, "plan", "task=demo", "model=colour")
    assert done.returncode == 0, done.stderr
    assert "384 tiles to embed" in done.stdout
    assert not list(tmp_path.iterdir())
