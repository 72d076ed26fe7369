"""The whole command on small real work."""

import random
import signal
import sys
import time

import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, files, killed, refused, row, row_files, rows
from PIL import Image

from bench.demo import make_tiles
from bench.report.__main__ import main as report

SHARDS = 36  # of a tile each
LIGHT = ("bootstrap=50", "protocols.linear.n_strengths=9")
FEW = ("protocols.simpleshot.shots=[1,4]", "protocols.simpleshot.episodes=20")
PLUGIN = """
from registry.card import Architecture, ModelCard, Preprocessing, Pretraining

CARDS = (
    ModelCard(
        name="tiny", family="tiny", title="Tiny", dim=192, params=5_524_416, paper="none", url="none", licence="none",
        architecture=Architecture(builder="timm:vit_tiny_patch16_224", kwargs={"num_classes": 0}),
        preprocessing=Preprocessing(size=224, mpp=None, tile_size=224, resize=224),
        pretraining=Pretraining(method="none", data="none"),
    ),
)
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """The manifest of a small phantom cohort."""
    return make_tiles(tmp_path_factory.mktemp("cohort") / "tiles", patients=6, tiles_per_patient=6)


@pytest.fixture(scope="module")
def finished(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    done = bench(folder, "task=tiles", f"data={cohort}", "null=same", *LIGHT)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_rows_baselines_and_tables(finished):
    folder, done = finished
    table = pd.read_csv(folder / "results/leaderboard.csv", keep_default_na=False)
    assert set(table.model) == {"efficientnet_lite0", "efficientnet_lite0@random", "random_vit_s16", "colour"}
    assert set(table.protocol) == {"linear", "knn"}
    assert {"accuracy", "balanced_accuracy", "f1_macro", "auroc"} <= set(table.metric)
    assert {"ece", "ece_mass", "brier", "nll", "nll_scaled"} <= set(table.metric)
    nll = table[table.metric == "nll"]
    baselines = nll[nll.model.isin(["colour", "random_vit_s16"])].groupby("protocol").value.min().astype(float)
    for _, line in nll[nll.model == "efficientnet_lite0"].iterrows():
        assert float(line.baseline_value) <= baselines[line.protocol]  # of errors, the better one is the smaller
    assert set(table.status) == {"ok"}
    own = table[(table.model == "efficientnet_lite0") & (table.metric == "balanced_accuracy")]
    value, low, high = (own[name].astype(float) for name in ("value", "ci_low", "ci_high"))
    assert ((low <= value) & (value <= high)).all()
    wide = pd.read_csv(folder / "results/leaderboard_wide.csv")
    assert any(name.startswith("tiles: balanced_accuracy, ") for name in wide.columns)
    assert "efficientnet_lite0" in done.stdout
    assert "leaderboard.csv" in done.stdout


def test_every_score_is_that_of_the_saved_predictions(finished):
    from sklearn.metrics import balanced_accuracy_score

    folder, _ = finished
    found = rows(folder)
    assert len(found) == 4 * 2
    for one in found.values():
        saved = pd.read_parquet(folder / "results" / one["predictions"])
        guess = saved.filter(like="score_").to_numpy().argmax(1)
        expected = balanced_accuracy_score(saved.y_true, guess)
        assert one["metrics"]["balanced_accuracy"]["value"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
def test_a_second_run_does_nothing_again(finished, cohort):
    folder, _ = finished
    before = files(folder, "cache/features/**/*.h5"), files(folder, "results/rows/**/*.json")
    tables = {name: data for name, (_, data) in files(folder, "results/*.csv").items()}
    done = bench(folder, "task=tiles", f"data={cohort}", "null=same", *LIGHT)
    assert done.returncode == 0, done.stderr
    assert (files(folder, "cache/features/**/*.h5"), files(folder, "results/rows/**/*.json")) == before
    assert {name: data for name, (_, data) in files(folder, "results/*.csv").items()} == tables
    rebuilt = bench(folder, entry=lambda: sys.exit(report([])))
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert {name: data for name, (_, data) in files(folder, "results/*.csv").items()} == tables


def test_a_changed_setting_is_a_new_row_from_the_same_features(finished, cohort):
    folder, _ = finished
    features = files(folder, "cache/features/**/*.h5")
    done = bench(folder, "task=tiles", f"data={cohort}", "protocol=knn", "null=none", "bootstrap=300", "results=other")
    assert done.returncode == 0, done.stderr
    assert files(folder, "cache/features/**/*.h5") == features
    assert row(folder, "other")["status"] == "ok"


@pytest.mark.slow
def test_batches_workers_and_company_change_no_feature(finished, cohort):
    """The tolerance: one unit in the last place of the stored float16."""
    from bench.embedding import read_features

    folder, _ = finished
    done = bench(
        folder,
        "task=tiles",
        f"data={cohort}",
        "model=[efficientnet_lite2,efficientnet_lite0]",
        "null=none",
        "protocol=knn",
        "batch_size=5",
        "workers=3",
        "cache=other_cache",
        "results=order",
    )
    assert done.returncode == 0, done.stderr
    own, other = (
        read_features(next((folder / cache / "features/efficientnet_lite0").glob("*/*.h5")))[0][:]
        for cache in ("cache", "other_cache")
    )
    np.testing.assert_allclose(own.astype(np.float32), other.astype(np.float32), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_exact_preprocessing_gives_the_same_features(finished, cohort):
    from bench.embedding import read_features

    folder, _ = finished
    done = bench(
        folder, "task=tiles", f"data={cohort}", "preprocess=exact", "null=none", "protocol=knn", "results=exact"
    )
    assert done.returncode == 0, done.stderr
    one, two = (read_features(p)[0][:] for p in (folder / "cache/features/efficientnet_lite0").glob("*/*.h5"))
    np.testing.assert_allclose(one.astype(np.float32), two.astype(np.float32), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_sweep_is_a_job_a_model(cohort, tmp_path):
    done = bench(
        tmp_path, "-m", "model=efficientnet_lite0,colour", "task=tiles", f"data={cohort}", "null=none", "protocol=knn"
    )
    assert done.returncode == 0, done.stderr
    assert {model for model, *_ in rows(tmp_path)} == {"efficientnet_lite0", "colour"}


@pytest.mark.slow
def test_a_task_is_one_yaml_and_a_model_is_one_card(cohort, tmp_path):
    (tmp_path / "conf/task").mkdir(parents=True)
    (tmp_path / "conf/task/mine.yaml").write_text(
        f"# @package tasks.mine\nname: mine\ndata: {cohort}\nmetric: accuracy\n"
    )
    (tmp_path / "my_models.py").write_text(PLUGIN)
    done = bench(
        tmp_path,
        f"--config-dir={tmp_path / 'conf'}",
        "task=mine",
        "plugins=[my_models.py]",
        "model=tiny",
        "weights=random",
        "null=none",
        "protocol=knn",
    )
    assert done.returncode == 0, done.stderr
    one = row(tmp_path, task="mine", model="tiny@random", protocol="knn", seed=0)
    assert one["status"] == "ok"
    assert one["primary_metric"] == "accuracy"
    assert one["feature_dim"] == 192


@pytest.mark.slow
def test_one_failing_model_is_a_row_and_the_others_finish(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "broken.pth").write_bytes(b"not a checkpoint")
    arguments = ("task=tiles", f"data={cohort}", "null=none", "protocol=knn", "offline=true", "model=[uni,colour]")
    done = bench(tmp_path, *arguments, "checkpoints.uni=broken.pth")
    refused(done, "broken.pth")
    assert row(tmp_path, model="colour")["status"] == "ok"
    failed = row(tmp_path, model="uni")
    assert failed["status"] == "failed"
    assert "broken.pth" in failed["error"]
    table = pd.read_csv(tmp_path / "results/leaderboard.csv", keep_default_na=False)
    assert (table[table.model == "uni"].status == "failed").all()
    refused(bench(tmp_path, *arguments), "uni", "checkpoint")


@pytest.mark.slow
def test_bad_words_are_refused_in_a_sentence(cohort, tmp_path):
    data = f"data={cohort}"
    refused(bench(tmp_path, "model=unni", "task=tiles", data), "unni", "uni")
    refused(bench(tmp_path, "task=tilez", data), "tilez", "tiles")
    refused(bench(tmp_path, "task=tiles", "data=nowhere"), "nowhere")
    refused(bench(tmp_path, "task=tiles", data, "batch_sice=3"), "batch_sice")
    refused(bench(tmp_path, "task=tiles", data, "model=[uni,colour]", "checkpoint=x.bin"), "checkpoints.uni")
    (tmp_path / "file").write_text("")
    refused(bench(tmp_path, "task=tiles", data, "results=file"), "results=DIR")
    refused(bench(tmp_path, "task=tiles", data, "cache=file/x"), "cache=DIR")


def test_a_truncated_tile_stops_it_or_is_counted(cohort, tmp_path):
    frame = pd.read_csv(cohort)
    broken = tmp_path / "broken.png"
    whole = (cohort.parent / frame.path[0]).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    frame["path"] = [str(broken), *(str(cohort.parent / p) for p in frame.path[1:])]
    frame.to_csv(tmp_path / "manifest.csv", index=False)
    arguments = ("task=tiles", "data=manifest.csv", "model=colour", "null=none", "protocol=knn")
    refused(bench(tmp_path, *arguments), "broken.png", "on_corrupt=skip")
    done = bench(tmp_path, *arguments, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    one = row(tmp_path, model="colour", protocol="knn")
    assert (one["status"], one["n_skipped"]) == ("ok", 1)


def test_what_a_baseline_can_and_cannot_tell(tmp_path):
    """Two classes that differ in colour alone: the colour baseline finds them."""
    rng = np.random.default_rng(0)
    for side, n in (("train", 8), ("test", 6)):
        for name, shift in (("pale", 40), ("dark", -40)):
            (tmp_path / "data" / side / name).mkdir(parents=True)
            for i in range(n):
                pixels = np.clip(rng.normal(128 + shift, 30, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / side / name / f"{i}.png")
    done = bench(tmp_path, "task=tiles", "data=data", "model=colour", "null=none", "protocol=linear")
    assert done.returncode == 0, done.stderr
    one = row(tmp_path, model="colour", protocol="linear")
    assert one["baseline"]
    assert one["metrics"]["auroc"]["value"] == 1.0


@pytest.mark.slow
def test_killed_five_times_the_features_are_those_of_an_undisturbed_run(cohort, tmp_path):
    """Each time at a random moment after a further shard is written and before all are."""
    arguments = ["task=tiles", f"data={cohort}", "null=none", "protocol=knn", "shard_tiles=1", "batch_size=1"]
    assert bench(tmp_path, *arguments, "cache=plain", "results=plain_results").returncode == 0
    kills, rng, before = 5, random.Random(0), {}

    def shards():
        return {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/features/**/*.h5")}

    for _ in range(kills):

        def embedding(child, before=before):
            while child.poll() is None and len(shards()) <= len(before):
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.1))

        code = killed(tmp_path, arguments, embedding, most=len(before) + 2)
        assert code == -signal.SIGKILL, "it ended before it was killed"
        now = shards()
        assert len(before) < len(now) < SHARDS, "killed in the middle"
        assert now.items() >= before.items(), "what is done is not done again"
        before = now
    assert not row_files(tmp_path), "no run came to its end"
    done = bench(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    plain, resumed = (
        {p.name: p.read_bytes() for p in (tmp_path / c).glob("features/**/*.h5")} for c in ("plain", "cache")
    )
    assert len(plain) == SHARDS
    assert plain == resumed
    assert shards().items() >= before.items()


def test_what_a_head_measures_itself_is_in_its_row(cohort, tmp_path):
    done = bench(tmp_path, "task=tiles", f"data={cohort}", "model=colour", "null=none", "protocol=simpleshot", *FEW)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "results/leaderboard.csv", keep_default_na=False)
    main = table[table.metric == "balanced_accuracy"]
    assert main.protocol.tolist() == ["simpleshot-1shot", "simpleshot-4shot"]
    assert set(table.interval) == {"episodes"}
    assert set(table.metric) == {"accuracy", "auroc", "balanced_accuracy", "f1_macro"}, "none of the votes"
    assert main.head_config_hash.nunique() == 2
    assert all(name in done.stdout for name in main.protocol)
