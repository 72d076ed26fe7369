"""The functions of `bench` give what the command line gives, raise what a user can mend, and print nothing."""

import json
import sys
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.core.global_hydra import GlobalHydra
from PIL import Image

import bench
import bench.__main__ as command
from bench.demo import make_slides
from bench.rows import TIMES

REPO = Path(__file__).resolve().parents[2]
STAND_INS = str(REPO / "tests/runs/stand_in_models.py")  # `means` is a sound model, `faulty` fails when it is run
QUICK = {"null": "none", "bootstrap": 20}


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Eight patients with four tiles each, the second half of them for the test."""
    folder = tmp_path_factory.mktemp("tiles")
    rng = np.random.default_rng(0)
    lines = []
    for patient in range(8):
        for tile in range(4):
            label = ("light", "dark")[tile % 2]
            pixels = rng.normal((150, 120)[tile % 2], 40, (1, 1, 3)) + rng.normal(0, 20, (32, 32, 3))
            name = f"p{patient}_{tile}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name)
            side = "test" if patient > 3 else "train"
            lines.append({"path": name, "label": label, "patient": f"p{patient}", "split": side})
    pd.DataFrame(lines).to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


@pytest.fixture
def places(tiles, tmp_path):
    return {"data": tiles, "results": tmp_path / "results", "cache": tmp_path / "cache"}


def on_the_command_line(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["pfmbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        command.main()
    assert not stop.value.code


def contents(folder):
    """Every file by its path in the folder; rows without their times."""
    return {file.relative_to(folder): content(file) for file in sorted(folder.rglob("*")) if file.is_file()}


def content(file):
    if file.suffix != ".json":
        return file.read_bytes()
    row = json.loads(file.read_text())
    del row["written_crc32"]  # which depends on times
    return {**row, "info": {name: value for name, value in row["info"].items() if name not in TIMES}}


@pytest.mark.slow
def test_rows_and_predictions_are_those_of_the_command_line_bit_for_bit(places, tmp_path, monkeypatch):
    by_hand = tmp_path / "by_hand"
    common = [f"data={places['data']}", f"cache={places['cache']}", f"results={by_hand}", "bootstrap=20", "null=none"]
    on_the_command_line(
        monkeypatch,
        "model=colour",
        "task=tiles",
        "protocol=[linear,knn]",
        "seeds=[0,1]",
        "tasks.tiles.split.folds=2",
        *common,
    )

    tasks = {"tiles": {"split": {"folds": 2}}}
    found = bench.evaluate("colour", tasks, ["linear", "knn"], seeds=[0, 1], **QUICK, **places)

    for kind, number in (("rows", 8), ("predictions", 8)):
        own = contents(places["results"] / kind)
        assert len(own) == number
        assert own == contents(by_hand / kind)
    for frame, name in ((found.rows, "leaderboard.csv"), (found.leaderboard, "leaderboard_mean.csv")):
        table = pd.read_csv(by_hand / name, dtype=str, keep_default_na=False)
        numbers = frame.select_dtypes("number").columns
        assert {"value", "ci_low", "baseline_value"} <= set(numbers)
        as_read = table.apply(lambda column, names=numbers: pd.to_numeric(column) if column.name in names else column)
        pd.testing.assert_frame_equal(as_read[sorted(frame)], frame[sorted(frame)], check_dtype=False)


def test_what_stands_is_not_done_again(places, monkeypatch):
    first = bench.evaluate("colour", "tiles", "knn", **QUICK, **places)
    written = contents(places["results"])
    monkeypatch.setattr("bench.embedding.one_pass.Pass._embed", lambda *_: pytest.fail("something was embedded"))

    second = bench.evaluate("colour", "tiles", "knn", **QUICK, **places)

    pd.testing.assert_frame_equal(first.rows, second.rows)
    assert contents(places["results"]) == written


def test_results_are_of_the_evaluation_and_the_leaderboard_of_the_folder(places):
    bench.evaluate(
        ["colour", "means"], "tiles", ["knn", "linear"], seeds=[0, 1], plugins=[STAND_INS], **QUICK, **places
    )

    found = bench.evaluate("colour", "tiles", "knn", seeds=[1], **QUICK, **places)

    assert set(zip(found.rows.model, found.rows.protocol, found.rows.seed, strict=True)) == {("colour", "knn", 1)}
    assert found.leaderboard.n_runs.eq(1).all()
    assert found.differences.empty
    every = bench.leaderboard(places["results"])
    assert set(zip(every.model, every.protocol, every.n_runs, strict=True)) >= {
        ("means", "linear", 2),
        ("colour", "knn", 2),
    }


def test_predictions_of_a_run_are_a_data_frame(places):
    found = bench.evaluate("colour", "tiles", ["linear", "knn"], seeds=[0, 1], **QUICK, **places)

    own = found.predictions("colour", head="knn", seed=1)

    assert set(own.group) == {"p4", "p5", "p6", "p7"}
    assert np.allclose(own[["score_0", "score_1"]].sum(axis=1), 1)
    row = found.rows.query("metric == 'accuracy' and protocol == 'knn' and seed == 1").squeeze()
    assert (own[["score_0", "score_1"]].to_numpy().argmax(1) == own.y_true).mean() == pytest.approx(row.value)
    with pytest.raises(bench.UserError, match=r"2 runs of this evaluation.*name the task and the head"):
        found.predictions("colour")
    with pytest.raises(bench.UserError, match="0 runs of this evaluation"):
        found.predictions("colour", head="knn", seed=2)


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        (("colou", "tiles"), {}, "no model 'colou'; did you mean colour"),
        (("colour", "tile"), {}, "no task 'tile': is tiles meant"),
        (("colour", "tiles", "linaer"), {}, "no protocol 'linaer': is linear meant"),
        (("colour", "tiles"), {"seed": [0]}, "no setting 'seed': is seeds meant"),
        (("colour", {"tiles": {"splitt": {}}}), {}, "tasks.tiles has no setting splitt.* Is split meant"),
        (("colour", {"tiles": {"split": {"fold": 2}}}), {}, "tasks.tiles.split has no setting fold.* Is folds meant"),
        (("colour", {"tiles": {"options": {"grup": "x"}}}), {}, "no option grup.* Is group meant"),
        (("colour", {"mine": {"reader": "tilse"}}), {}, "No reader is called tilse.* Is tiles meant"),
        (("colour", "tiles", {"linear": {"c_mni": 1}}), {}, "no setting 'c_mni'.* Is c_min meant"),
        (("colour", "tiles"), {"seeds": 0}, "The setting seeds is wrong"),
        (("colour", "tiles"), {"null": "non"}, "The setting null is wrong.*none"),
        (("colour", "tiles"), {"bootstrap": 3}, "bootstrap=3 must be 20 or more"),
        (("colour", "tiles"), {"margin": -0.02}, "margin=-0.02 must be a number above 0"),
        (("colour", "tiles"), {"steps": ["plan"]}, "steps=.plan. computes nothing"),
        (("colour", "tiles", "cox"), {}, "for which protocol=cox is not"),
        (("colour", "tiles", []), {}, "No head is named"),
        (("colour", []), {}, "No task is named"),
        (([], "tiles"), {}, "must be a name or a list of names"),
    ],
)
def test_what_a_user_can_mend_is_an_exception_that_names_what_was_meant(places, arguments, settings, sentence):
    with pytest.raises(bench.UserError, match=sentence):
        bench.evaluate(*arguments, **{**QUICK, **settings}, **places)

    assert not list(places["results"].rglob("*.json"))


def test_data_that_are_not_there_are_an_exception(places, tmp_path):
    with pytest.raises(bench.UserError, match="nowhere of the task tiles are not there"):
        bench.evaluate("colour", "tiles", "knn", **{**places, "data": tmp_path / "nowhere"})
    with pytest.raises(bench.UserError, match="There are no rows in"):
        bench.leaderboard(tmp_path / "nowhere")


def test_a_device_that_is_not_there_is_an_exception(places):
    with pytest.raises(bench.UserError, match="device 'cuda:99' cannot be used here"):
        bench.evaluate("means", "tiles", "knn", device="cuda:99", plugins=[STAND_INS], **QUICK, **places)


def test_a_failing_model_is_a_warning_and_the_others_are_evaluated(places):
    with pytest.warns(UserWarning, match="faulty.*a layer is broken") as warned:
        found = bench.evaluate(["means", "faulty"], "tiles", "knn", plugins=[STAND_INS], **QUICK, **places)

    assert [str(one.message) for one in warned] == found.failures
    assert warned[0].filename == __file__
    assert dict(zip(found.rows.model, found.rows.status, strict=True)) == {"means": "ok", "faulty": "failed"}
    assert found.rows.query("model == 'faulty'").error.str.contains("a layer is broken").all()
    with pytest.raises(bench.UserError, match="faulty on tiles with knn has no predictions"):
        found.predictions("faulty")


def test_where_everything_fails_it_is_an_exception_though_other_rows_stand(places):
    bench.evaluate("means", "tiles", "knn", plugins=[STAND_INS], **QUICK, **places)

    with pytest.raises(bench.UserError, match="a layer is broken"):
        bench.evaluate("faulty", "tiles", "knn", plugins=[STAND_INS], **QUICK, **places)


def test_nothing_is_printed_unless_progress_is_wanted(places, tmp_path, capfd):
    damaged = places["results"] / "rows" / "tiles" / "cohort" / "colour" / "knn-head-seed0.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bench.evaluate("colour", "tiles", "knn", **QUICK, **places)
        bench.embed("means", "tiles", data=places["data"], cache=places["cache"], plugins=[STAND_INS])
        bench.open_features("colour", "tiles", data=places["data"], cache=places["cache"])
        with pytest.warns(UserWarning, match="Left out of the tables.*knn-head-seed0.json"):
            bench.leaderboard(places["results"])
    assert capfd.readouterr() == ("", "")

    bench.evaluate("colour", "tiles", "knn", progress=True, **QUICK, **{**places, "results": tmp_path / "again"})

    out, err = capfd.readouterr()
    assert out == ""
    assert "tiles · colour · knn: balanced_accuracy" in err


def test_calls_in_threads_give_what_one_call_gives_and_leave_no_hydra_state(places, tmp_path):
    alone = bench.evaluate("colour", "tiles", ["knn", "linear"], **QUICK, **places)

    def again(number):
        folders = {**places, "results": tmp_path / f"results{number}", "cache": tmp_path / f"cache{number}"}
        return bench.evaluate("colour", "tiles", ["knn", "linear"], **QUICK, **folders)

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(again, range(2)))

    for found in both:
        same = [name for name in alone.rows if name != "tiles_per_s"]
        pd.testing.assert_frame_equal(found.rows[same], alone.rows[same])
    assert not GlobalHydra.instance().is_initialized()


def test_only_features_that_stand_are_opened(places):
    where = {"data": places["data"], "cache": places["cache"]}
    with pytest.raises(bench.UserError, match="features of colour on tiles are not all in the cache"):
        bench.open_features("colour", "tiles", **where)
    assert not list(places["cache"].rglob("*.h5"))

    made = bench.embed("colour", "tiles", **where)
    opened = bench.open_features("colour", "tiles", **where)

    assert made.vectors.shape == (32, 54)
    assert made.vectors.dtype == np.float32
    assert made.bags is None
    np.testing.assert_array_equal(made.vectors, opened.vectors)
    assert [made.classes[label] for label in made.labels[:2]] == ["light", "dark"]
    assert made.ids[5] == "p1_1.png"
    assert made.groups[5] == "p1"
    with pytest.raises(bench.UserError, match="not all in the cache"):
        bench.open_features("colour", "tiles", preprocess="exact", **where)


def test_features_are_of_one_model_and_one_task(places):
    where = {"data": places["data"], "cache": places["cache"]}

    with pytest.raises(bench.UserError, match="one model on one task, not of 2 models on 1 tasks"):
        bench.embed(["colour", "means"], "tiles", plugins=[STAND_INS], **where)
    with pytest.raises(bench.UserError, match="one model on one task"):
        bench.embed("colour", {"tiles": {}, "more": {"reader": "tiles"}}, **where)


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """A patient a label and side, with two slides or more each."""
    made = make_slides(tmp_path_factory.mktemp("slides") / "cohort", patients=12, sides=(600, 800))
    table = pd.read_csv(made)
    table.assign(patient=table.label + " " + table.split).to_csv(made, index=False)
    return made


def test_features_of_slides_and_of_patients_are_bags_and_their_means(slides, tmp_path):
    where = {"data": slides, "cache": tmp_path / "cache", "plugins": [STAND_INS]}
    settings = {"tiling": {"size": 64, "min_tissue": 0.05}, "min_groups": 1}
    table = pd.read_csv(slides)

    of_slides = bench.embed("means", {"slides": settings}, **where)
    of_patients = bench.embed("means", {"slides": {**settings, "unit": "patient"}}, **where)

    tiles_of = dict(zip(of_slides.ids, map(len, of_slides.bags), strict=True))
    for features in (of_slides, of_patients):
        means = np.stack([np.asarray(bag, np.float64).mean(0) for bag in features.bags])
        np.testing.assert_allclose(features.vectors, means, atol=1e-5)
    of_patient = {Path(slide).stem: patient for slide, patient in zip(table.slide, table.patient, strict=True)}
    expected = Counter()
    for slide, number in tiles_of.items():
        expected[of_patient[slide]] += number
    assert dict(zip(of_patients.ids, map(len, of_patients.bags), strict=True)) == expected
    assert len(expected) < len(tiles_of)


def test_features_of_slides_are_opened_without_opening_a_slide(slides, tmp_path, monkeypatch):
    where = {"data": slides, "cache": tmp_path / "cache", "plugins": [STAND_INS]}
    task = {"slides": {"tiling": {"size": 64, "min_tissue": 0.05}, "min_groups": 1}}
    monkeypatch.chdir(tmp_path)
    with pytest.raises(bench.UserError, match="not all in the cache"):
        bench.open_features("means", task, **where)
    made = bench.embed("means", task, **where)
    for module in ("bench.data.slide_units", "bench.slides.reader"):
        monkeypatch.setattr(f"{module}.open_slide", lambda *_, **how: pytest.fail("a slide was opened"))

    opened = bench.open_features("means", task, **where)

    np.testing.assert_array_equal(made.vectors, opened.vectors)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
