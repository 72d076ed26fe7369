"""The whole command on every kind of target, and over test folds."""

import re

import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, files, refused, row_files, rows
from command_helpers import row as any_row
from PIL import Image
from scipy.stats import pearsonr

from bench.metrics import PRIMARY
from bench.rows import read_predictions

PATIENTS, EACH = 24, 2
SHADE = np.random.default_rng(0).permutation(np.linspace(60, 200, PATIENTS))  # what a tile of a patient looks like
USUAL = {
    "classes": "linear",
    "ordinal": "ridge",
    "regression": "ridge",
    "survival": "cox",
    "multilabel": "linear",
}
TARGETS = {"survival": "[time,event]", "multilabel": "[dark,middle]"}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Tiles whose shade says all that can be asked."""
    folder = tmp_path_factory.mktemp("kinds")
    rng = np.random.default_rng(1)
    rows = []
    for patient, shade in enumerate(SHADE):
        for number in range(EACH):
            pixels = np.clip(shade + rng.normal(0, 12, (64, 64, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{patient}_{number}.png")
            rows.append(
                {
                    "path": f"{patient}_{number}.png",
                    "patient": f"P{patient}",
                    "classes": "dark" if shade < 130 else "light",
                    "ordinal": int(np.searchsorted([100, 160], shade)),
                    "regression": shade / 10,
                    "time": 300 - shade,
                    "event": int(patient % 3 > 0),
                    "dark": int(shade < 130),
                    "middle": int(90 < shade < 170),
                }
            )
    pd.DataFrame(rows).to_csv(folder / "tiles.csv", index=False)
    return folder / "tiles.csv"


def run(folder, cohort, kind, *more):
    targets = TARGETS.get(kind, f"[{kind}]")
    asked = (f"tasks.tiles.kind={kind}", f"tasks.tiles.targets={targets}")
    return bench(folder, "task=tiles", f"data={cohort}", *asked, "model=colour", "null=none", "bootstrap=50", *more)


def row(folder, protocol, fold=0, seed=0):
    found = any_row(folder, task="tiles", model="colour", protocol=protocol, fold=fold, seed=seed)
    assert found["status"] == "ok", found["error"]
    return found


@pytest.mark.parametrize("kind", USUAL)
def test_every_kind_goes_from_table_to_leaderboard(cohort, tmp_path, kind):
    inner = "tasks.tiles.split.seed=1"  # no tested patient is darker or lighter than all that are trained on
    done = run(tmp_path, cohort, kind, f"protocol=[{USUAL[kind]},knn]", inner)
    assert done.returncode == 0, done.stderr
    one = row(tmp_path, USUAL[kind])
    metric = PRIMARY[kind]
    assert one["kind"] == kind
    assert one["primary_metric"] == metric
    assert one["metrics"][metric]["value"] > 0.8, "the shade is all there is to know"
    value, low, high = (one["metrics"][metric][name] for name in ("value", "ci_low", "ci_high"))
    # Where nothing that is left out changes a C-index of 1, there is no spread to make an interval of.
    assert (low is None) if (kind, value) == ("survival", 1) else low <= value <= high
    assert f"primary metric {metric}" in done.stdout
    long = pd.read_csv(tmp_path / "results/leaderboard.csv")
    of_metric = long[(long["metric"] == metric) & (long["protocol"] == USUAL[kind])]["value"]
    assert of_metric.tolist() == [pytest.approx(one["metrics"][metric]["value"], abs=1e-6)]
    assert ("left out: knn" in done.stderr) == (kind not in ("classes", "ordinal"))


def test_the_numbers_of_a_row_are_those_of_its_predictions(cohort, tmp_path):
    assert run(tmp_path, cohort, "regression", "protocol=ridge").returncode == 0
    one = row(tmp_path, "ridge")
    saved = read_predictions(tmp_path / "results" / one["predictions"])
    assert one["classes"] == list(saved.classes) == ["regression"]
    correlation = pearsonr(saved.y_true[:, 0], saved.scores[:, 0]).statistic
    assert one["metrics"]["pearson"]["value"] == pytest.approx(correlation)
    assert set(saved.y_true[:, 0]) <= set(SHADE / 10)


def test_scores_that_need_other_samples_stand_in_the_row_and_the_table_but_are_not_printed(cohort, tmp_path):
    further = ["average_precision", "mcc", "sensitivity_at_95_specificity", "specificity_at_95_sensitivity"]
    done = run(tmp_path, cohort, "classes", "protocol=linear")
    assert done.returncode == 0, done.stderr
    one = row(tmp_path, "linear")
    assert set(further) < set(one["metrics"])
    long = pd.read_csv(tmp_path / "results/leaderboard.csv").set_index("metric")["value"]
    saved = read_predictions(tmp_path / "results" / one["predictions"])
    for name, label in zip(further[2:], (1, 0), strict=True):
        called = saved.scores[:, 1] >= one["info"]["thresholds"][name]
        expected = (called == label)[saved.y_true == label].mean()
        assert one["metrics"][name]["value"] == pytest.approx(expected)
        assert long[name] == pytest.approx(expected, abs=1e-6)
    assert not any(name in done.stdout for name in further)
    assert "auroc" in done.stdout


@pytest.mark.parametrize("several", [False, True], ids=["one_tile_a_patient", "two"])
def test_a_row_of_survival_has_the_auc_at_times_and_the_curves_of_two_halves(cohort, tmp_path, several):
    table = pd.read_csv(cohort)
    table["path"] = [str(cohort.parent / path) for path in table["path"]]
    table = table if several else table.drop_duplicates("patient")
    table.to_csv(tmp_path / "tiles.csv", index=False)
    done = run(tmp_path, tmp_path / "tiles.csv", "survival", "protocol=cox", "tasks.tiles.split.seed=1")
    assert done.returncode == 0, done.stderr
    one = row(tmp_path, "cox")
    assert set(one["metrics"]) == {"c_index", "auc_dynamic", "integrated_brier"}
    assert 0 < one["metrics"]["integrated_brier"]["value"] < 0.25
    assert one["metrics"]["auc_dynamic"]["value"] > 0.8
    found = one["info"]["risk_groups"]
    assert found["cut"] == "the median risk of the test samples"
    assert found["high"]["samples"] + found["low"]["samples"] == one["n_test"]
    assert (found["log_rank_p"] is None) == several, "tiles of one patient are not independent"
    assert "auc_dynamic" not in done.stdout


def test_folds_are_rows_and_the_table_is_their_mean(cohort, tmp_path):
    arguments = ("protocol=ridge", "tasks.tiles.split.folds=3", "seeds=[0,1]")
    done = run(tmp_path, cohort, "regression", *arguments)
    assert done.returncode == 0, done.stderr
    assert "48 tiles (3 test folds)" in done.stderr
    of_folds = [row(tmp_path, "ridge", fold) for fold in (1, 2, 3)]
    assert [r["fold"] for r in of_folds] == [1, 2, 3]
    tested = [set(read_predictions(tmp_path / "results" / r["predictions"]).ids) for r in of_folds]
    assert sum(map(len, tested)) == len(set.union(*tested)) == PATIENTS * EACH
    of_folds += [row(tmp_path, "ridge", fold, seed=1) for fold in (1, 2, 3)]
    mean = pd.read_csv(tmp_path / "results/leaderboard_mean.csv").set_index("metric").loc["pearson"]
    assert mean["value"] == pytest.approx(np.mean([r["metrics"]["pearson"]["value"] for r in of_folds]), abs=1e-6)
    assert (mean["n_seeds"], mean["n_folds"]) == (2, 3)
    before = files(tmp_path, "results/rows/**/*.json")
    assert run(tmp_path, cohort, "regression", *arguments).returncode == 0
    assert files(tmp_path, "results/rows/**/*.json") == before, "nothing is done twice"


@pytest.mark.slow
def test_rows_of_another_number_of_folds_stand_beside_the_others(cohort, tmp_path):
    """The terminal shows those of the command and names the others; none is written again when its turn comes back."""
    earlier = {}
    for folds, expected in ((3, [1, 2, 3]), (2, [1, 2]), (0, [0]), (3, [])):
        done = run(tmp_path, cohort, "regression", "protocol=ridge", f"tasks.tiles.split.folds={folds}")
        assert done.returncode == 0, done.stderr
        now = {path: (path.stat().st_mtime_ns, row) for path, row in row_files(tmp_path).items()}
        assert now.items() >= earlier.items()
        new = [now[path][1] for path in now.keys() - earlier.keys()]
        assert sorted(row["fold"] for row in new) == expected
        assert len({row["cohort_hash"] for row in new}) == bool(expected)
        others = {row["cohort_hash"] for _, row in earlier.values()}
        shown = done.stdout.count("primary metric")
        named = re.findall(r"not shown: rows of tiles with other samples, splits or metrics \((.*?)\)", done.stdout)
        if expected:
            assert (shown, [set(names.split(", ")) for names in named]) == (1, [others] if others else [])
        earlier = now
    assert len(earlier) == 6
    assert len({row["cohort_hash"] for _, row in earlier.values()}) == 3
    assert bench(tmp_path, "report").stdout.count("primary metric") == 3


def test_no_head_for_the_kind(cohort, tmp_path):
    done = run(tmp_path, cohort, "survival", "protocol=[linear,knn]")
    refused(done, "has survival of tiles to predict", "protocol=linear,knn is not", "such as protocol=cox")


def test_a_head_that_fails_leaves_the_others_their_rows(cohort, tmp_path):
    done = run(tmp_path, cohort, "classes", "protocol=[linear,simpleshot]", "protocols.simpleshot.shots=[500]")
    refused(done, "colour")
    assert row(tmp_path, "linear")["status"] == "ok"
    failed = any_row(tmp_path, protocol="simpleshot-500shot")
    assert failed["status"] == "failed"
    assert "500" in failed["error"]


def means(folder):
    table = pd.read_csv(folder / "results/leaderboard_mean.csv", dtype={"cohort_hash": str, "head_config_hash": str})
    return table[table["metric"] == table["metric"].iloc[0]]


@pytest.mark.slow
def test_only_runs_of_the_same_samples_and_settings_are_averaged(cohort, tmp_path):
    assert run(tmp_path, cohort, "classes", "protocol=knn", "seeds=[0,1]").returncode == 0
    assert means(tmp_path)["n_seeds"].tolist() == [2]
    done = run(tmp_path, cohort, "classes", "protocol=knn", "tasks.tiles.split.seed=5")
    assert sorted(means(tmp_path)["n_seeds"]) == [1, 2], "those of the first split stand"
    assert means(tmp_path)["cohort_hash"].nunique() == 2
    assert not re.search(r" head +runs ", done.stdout), "a line of one run"
    assert "not shown: rows of tiles with other samples" in done.stdout
    headings = [name for name in pd.read_csv(tmp_path / "results/leaderboard_wide.csv").columns if "tiles" in name]
    assert len(headings) == 2, "a column each"
    assert all(name.startswith("tiles: balanced_accuracy, ") for name in headings), "which says what it is of"
    done = run(tmp_path, cohort, "classes", "protocol=knn", "tasks.tiles.split.seed=5", "seeds=[1]")
    assert means(tmp_path)["n_seeds"].tolist() == [2, 2]
    done = run(tmp_path, cohort, "classes", "protocol=knn", "tasks.tiles.split.seed=5", "protocols.knn.k=[1]")
    found = means(tmp_path).groupby(["cohort_hash", "head_config_hash"])["n_seeds"].first()
    assert sorted(found) == [1, 2, 2]
    assert means(tmp_path)["head_config_hash"].nunique() == 2
    other = row_files(tmp_path, seed=1)
    [settings] = {row["head_config_hash"] for row in other.values()}
    assert f"not shown: rows of tiles with other heads or settings (knn [{settings}])" in done.stdout
    assert done.stdout.count("  colour (baseline)") == 1
    assert bench(tmp_path, "report").stdout.count("  colour (baseline)") == 3


@pytest.mark.slow
def test_a_baseline_of_other_samples_is_no_baseline_value(cohort, tmp_path):
    def values():
        table = pd.read_csv(tmp_path / "results/leaderboard.csv", dtype={"cohort_hash": str})
        return table.query("metric == 'balanced_accuracy'").set_index(["cohort_hash", "model"])

    assert run(tmp_path, cohort, "classes", "protocol=knn", "model=[efficientnet_lite0,colour]").returncode == 0
    [(own, _), _] = values().index
    assert values().baseline_value[own, "efficientnet_lite0"] == values().value[own, "colour"]
    split = ("protocol=knn", "tasks.tiles.split.seed=5")
    assert run(tmp_path, cohort, "classes", *split, "model=efficientnet_lite0").returncode == 0
    [other] = {cohort for cohort, _ in values().index} - {own}
    assert np.isnan(values().baseline_value[other, "efficientnet_lite0"])
    assert values().baseline_value[own, "efficientnet_lite0"] == values().value[own, "colour"]
    assert run(tmp_path, cohort, "classes", *split).returncode == 0
    assert values().baseline_value[other, "efficientnet_lite0"] == values().value[other, "colour"]


def test_a_run_that_fails_on_new_data_is_not_hidden_by_the_old_row(cohort, tmp_path):
    assert run(tmp_path, cohort, "classes", "protocol=simpleshot", "protocols.simpleshot.shots=[1]").returncode == 0
    few = ("protocol=simpleshot", "protocols.simpleshot.shots=[1]", "protocols.simpleshot.episodes=10")
    done = run(tmp_path, cohort, "classes", *few, "protocols.simpleshot.shots=[500]")
    refused(done, "fewer than 500 shots")
    assert "failed: colour, simpleshot-500shot" in done.stdout


def test_predictions_that_are_gone_are_made_again(cohort, tmp_path):
    assert run(tmp_path, cohort, "classes", "protocol=knn").returncode == 0
    [saved] = (tmp_path / "results/predictions").rglob("*.parquet")
    whole = saved.read_bytes()
    for damage in (saved.unlink, lambda: saved.write_bytes(whole[:100])):
        damage()
        assert run(tmp_path, cohort, "classes", "protocol=knn").returncode == 0
        assert saved.read_bytes() == whole


def test_a_fold_of_one_patient_has_no_interval_and_all_folds_together_have_one(cohort, tmp_path):
    frame = pd.read_csv(cohort)
    frame["path"] = [str(cohort.parent / path) for path in frame["path"]]
    number = frame["patient"].str[1:].astype(int)
    frame["fold"] = np.where(number == 0, "a", np.where(number % 2, "b", "c"))
    frame["regression"] += np.arange(len(frame)) / 1000
    frame.to_csv(tmp_path / "one.csv", index=False)
    done = run(tmp_path, tmp_path / "one.csv", "regression", "protocol=ridge")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "results/leaderboard.csv").set_index(["metric", "fold"]).loc["mae"]
    assert rows["ci_low"].isna().tolist() == [True, False, False]
    mean = pd.read_csv(tmp_path / "results/leaderboard_mean.csv").set_index("metric").loc[["mae", "pearson"]]
    assert mean["n_runs"].tolist() == [3, 3]
    assert mean.loc["mae", "ci_low"] < mean.loc["mae", "value"] < mean.loc["mae", "ci_high"]  # of all folds together


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("tasks.tiles.split.fold=3",), ("tasks.tiles.split has no setting fold", "folds")),
        (("tasks.tiles.bogus=1",), ("tasks.tiles has no setting bogus",)),
        (("tasks.tiles.tiling.max_tile=3",), ("tasks.tiles.tiling has no setting max_tile", "max_tiles")),
        (("tasks.tile.split.folds=3",), ("there is no task tile in this run: its tasks are tiles",)),
        (("tasks.tiles.name=model",), ("tasks.tiles.name is model",)),
        (("tasks.tiles.split.seed=-3",), ("tasks.tiles.split.seed is -3",)),
        (("tasks.tiles.targets=[classes,classes]",), ("names classes more than once",)),
        (("bootstrap=1",), ("bootstrap=1 must be 20 or more",)),
        (("memory_gib=-1",), ("memory_gib=-1.0 must be a number above 0",)),
        (("margin=0",), ("margin=0.0 must be a number above 0",)),
        (("margin=nan",), ("margin=nan must be a number above 0",)),
        (("batch_size=-3",), ("batch_size=-3 must be 1 or more",)),
        (("workers=0",), ("workers=0 must be 1 or more",)),
        (("shard_tiles=0",), ("shard_tiles=0 must be 1 or more",)),
        (("model=null",), ("model=None must be a name or a list of names",)),
        (("model=[colour,null]",), ("must be a name or a list of names",)),
        (("protocols.knn=5",), ("protocols.knn is 5", "protocols.knn.FIELD=VALUE")),
        (("tasks.tiles=5",), ("tasks.tiles is 5",)),
        (("protocols.dsmil.epochs=5",), ("there is no protocol dsmil in this run: its protocols are knn",)),
        (("seeds=[]",), ("must name one seed or more",)),
        (("seeds=[-1]",), ("must name one seed or more",)),
        (("model=colour,random_vit_s16",), ("several names need brackets", "model=[colour,random_vit_s16]")),
        (("tasks.tiles.split.folds=49",), ("fewer than tasks.tiles.split.folds=49",)),
    ],
)
def test_what_cannot_be_is_a_sentence(cohort, tmp_path, arguments, parts):
    refused(run(tmp_path, cohort, "classes", "protocol=knn", *arguments), *parts)


@pytest.mark.slow
def test_as_many_folds_as_patients(cohort, tmp_path):
    done = run(tmp_path, cohort, "regression", "protocol=ridge", f"tasks.tiles.split.folds={PATIENTS}")
    assert done.returncode == 0, done.stderr
    assert [fold for *_, fold in sorted(rows(tmp_path))] == list(range(1, PATIENTS + 1))
