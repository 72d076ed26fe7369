"""A model is measured against baselines of its own samples, protocol, settings, frontend, seed and fold."""

from pathlib import Path

import pytest
from leaderboard_runs import AddRun, lines, predicted, rebuild


def baseline_values(results: Path, **where: str) -> dict[str, str]:
    rebuild(results)
    return {line["model"]: line["baseline_value"] for line in lines(results / "leaderboard.csv", **where)}


def test_baseline_value_is_the_best_baseline_of_its_own_comparison(add_run: AddRun, results: Path) -> None:
    add_run("uni", values={"auroc": 0.9, "accuracy": 0.8})
    add_run("colour", values={"auroc": 0.7, "accuracy": 0.4})
    add_run("random_vit_s16", values={"auroc": 0.6, "accuracy": 0.5})
    add_run("colour", values={"auroc": 0.99}, task="other")
    add_run("colour", values={"auroc": 0.99}, protocol="knn")
    add_run("colour", values={"auroc": 0.99}, seed=1)
    add_run("dinov2_vits14", values={"auroc": 0.99})
    assert baseline_values(results, task="demo", protocol="linear", metric="auroc", seed="0") == {
        "uni": "0.700000",
        "colour": "0.700000",
        "random_vit_s16": "0.700000",
        "dinov2_vits14": "0.700000",
    }
    assert baseline_values(results, task="demo", metric="accuracy")["uni"] == "0.500000"


def test_the_best_baseline_of_an_error_is_the_lowest_where_heads_compute_it(add_run: AddRun, results: Path) -> None:
    for model, value in (("uni", 0.1), ("colour", 0.3), ("random_vit_s16", 0.2)):
        scores = {"integrated_brier": value, "auc_dynamic": value}
        add_run(model, values=scores, kind="survival", classes=["risk"])
    assert baseline_values(results, metric="integrated_brier")["uni"] == "0.200000"
    assert baseline_values(results, metric="auc_dynamic")["uni"] == "0.300000"


def test_a_random_init_baseline_counts_for_its_own_model_only(add_run: AddRun, results: Path) -> None:
    add_run("uni", values={"auroc": 0.9})
    add_run("resnet50", values={"auroc": 0.8})
    add_run("uni@random", values={"auroc": 0.75})
    add_run("colour", values={"auroc": 0.7})
    assert baseline_values(results) == {
        "uni": "0.750000",
        "resnet50": "0.700000",
        "uni@random": "0.700000",
        "colour": "0.700000",
    }


def test_baseline_value_passes_over_baselines_that_failed_or_are_undefined(add_run: AddRun, results: Path) -> None:
    add_run("uni", values={"auroc": 0.9})
    add_run("colour", status="failed", error="no")
    add_run("random_vit_s16", values={"auroc": None})
    assert baseline_values(results, metric="auroc") == {"uni": "", "random_vit_s16": ""}


def test_baseline_value_behind_a_frontend_knows_the_baselines_before_and_behind_it(
    add_run: AddRun, results: Path
) -> None:
    add_run("uni", values={"auroc": 0.9})
    add_run("uni", values={"auroc": 0.9}, frontend="restored")
    add_run("uni", values={"auroc": 0.9}, frontend="blurred")
    add_run("colour", values={"auroc": 0.6})
    add_run("colour", values={"auroc": 0.7}, frontend="restored")
    assert baseline_values(results, model="uni", frontend="") == {"uni": "0.600000"}
    assert baseline_values(results, model="uni", frontend="restored") == {"uni": "0.700000"}
    assert baseline_values(results, model="uni", frontend="blurred") == {"uni": "0.600000"}


def test_baseline_value_is_of_the_same_fold(add_run: AddRun, results: Path) -> None:
    for fold, cohort_hash in ((0, "a_split"), (1, "folds"), (2, "folds")):
        add_run("uni", values={"auroc": 0.9}, fold=fold, cohort_hash=cohort_hash)
        add_run("colour", values={"auroc": 0.5 + fold / 10}, fold=fold, cohort_hash=cohort_hash)
    rebuild(results)
    found = [(line["fold"], line["baseline_value"]) for line in lines(results / "leaderboard.csv", model="uni")]
    assert found == [("", "0.500000"), ("1", "0.600000"), ("2", "0.700000")]


OTHER = pytest.mark.parametrize(
    "other", [{"cohort_hash": "other"}, {"head_config_hash": "other"}], ids=lambda one: next(iter(one))
)


@OTHER
def test_baseline_value_is_of_the_same_samples_and_settings(
    add_run: AddRun, results: Path, other: dict[str, str]
) -> None:
    add_run("uni", values={"auroc": 0.9})
    add_run("random_vit_s16", values={"auroc": 0.6})
    add_run("colour", values={"auroc": 0.7}, **other)
    expected = {"uni": "0.600000", "random_vit_s16": "0.600000", "colour": "0.700000"}
    assert baseline_values(results) == expected
    assert {line["model"]: line["baseline_value"] for line in lines(results / "leaderboard_mean.csv")} == expected


@OTHER
def test_pairs_are_of_the_same_samples_and_settings(add_run: AddRun, results: Path, other: dict[str, str]) -> None:
    for model in ("a", "b"):
        add_run(model, predicted(1.0))
    for model in ("c", "colour"):
        add_run(model, predicted(1.0), **other)
    rebuild(results)
    table = lines(results / "leaderboard_paired.csv")
    assert {(line["model_a"], line["model_b"]) for line in table} == {("a", "b"), ("c", "colour")}
