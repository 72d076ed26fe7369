"""Means over seeds and folds, their intervals and their paired differences, against plain loops over the runs."""

import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, Predicted, lines, predicted, rebuild, run_key
from scipy import stats

from bench.metrics import METRIC_SETS, METRICS, Interval, Replicates, degrees_of_freedom, resample, score_all
from bench.rows import predictions_path, read_predictions, read_rows

COLUMNS = [
    *("task", "kind", "model", "frontend", "protocol", "metric", "value", "ci_low", "ci_high"),
    *("interval", "sd", "n_runs"),
    *("n_seeds", "n_folds", "n_failed", "baseline_value", "cohort_hash", "head_config_hash"),
    *("contaminated", "contamination_evidence"),
    *("task_digest", "frozen", "audit"),
]
CALIBRATION = ("ece", "ece_mass", "brier", "nll")


def text(value: float) -> str:
    return f"{round(value, 6) + 0.0:.6f}"


def fold_of(predictions: Predicted, fold: int) -> Predicted:
    """The same under other names: another fold's tiles and patients."""
    ids, groups = (np.array([f"{fold}-{name}" for name in names]) for names in (predictions.ids, predictions.groups))
    return Predicted(ids, groups, predictions.y_true, predictions.scores, predictions.calibrated, predictions.kind)


def scored_together(results: Path, model: str, seed: int, folds: tuple[int, ...], metric: str) -> Replicates:
    """A metric on the predictions of some folds as if they were one run."""
    saved = [read_predictions(predictions_path(results, run_key(model, "demo", seed, fold))) for fold in folds]
    name = metric.removesuffix("_scaled")
    tables = [one.calibrated if name != metric else one.scores for one in saved]
    ids, groups, y_true = (
        np.concatenate([getattr(one, field) for one in saved]) for field in ("ids", "groups", "y_true")
    )
    order = np.argsort(ids)
    scores = np.concatenate([table for table in tables if table is not None])[order]
    found = resample(y_true[order], {0: scores}, groups[order], kind=saved[0].kind, metrics=[name], n_boot=1000)
    return found[0][name]


def bounds(of: Interval) -> list[str]:
    return ["" if math.isnan(bound) else text(bound) for bound in (of.ci_low, of.ci_high)]


FOLDS = (1, 2, 3)
MEAN_OVER_FOLDS = ("auroc", "average_precision")


@pytest.fixture
def seeds_and_folds(results: Path, add_run: AddRun) -> Path:
    """Two models and a baseline, two seeds by three folds; each row also has a metric that is not of predictions."""
    for number, model in enumerate(("uni", "resnet50", "colour")):
        for seed in (0, 1):
            for fold in (1, 2, 3):
                one = predicted(2.0 - 0.8 * number, seed=100 * number + 10 * seed + fold, n=60 + fold)
                flat = one.scores**0.5
                one = Predicted(one.ids, one.groups, one.y_true, one.scores, flat / flat.sum(axis=1, keepdims=True))
                scored = score_all(one.y_true, one.scores, one.calibrated, one.groups, n_boot=20)
                values = {name: of.value for name, of in scored.items()} | {"of_episodes": seed + fold / 10}
                add_run(model, fold_of(one, fold), seed=seed, fold=fold, values=values)
    return results


def test_means_are_of_all_folds_together_and_intervals_are_wider_by_what_training_adds(seeds_and_folds: Path) -> None:
    rebuild(seeds_and_folds)
    table = lines(seeds_and_folds / "leaderboard_mean.csv")
    assert list(table[0]) == COLUMNS
    keys = [(line["task"], line["protocol"], line["metric"], line["model"]) for line in table]
    assert keys == sorted(keys)
    of_scores = [*METRICS["classes"], *CALIBRATION, *(f"{name}_scaled" for name in CALIBRATION)]
    of_scores += METRIC_SETS["classes"].reported
    assert {line["metric"] for line in table} == {*of_scores, "of_episodes"}
    rows = {row.key: row for row in read_rows(seeds_and_folds)[0]}
    for line in table:
        runs = [
            rows[run_key(line["model"], "demo", seed, fold)].value(line["metric"]) for seed in (0, 1) for fold in FOLDS
        ]
        known = [value for value in runs if value is not None]
        assert line["sd"] == text(statistics.stdev(known))
        assert [line[name] for name in ("n_runs", "n_seeds", "n_folds", "n_failed")] == ["6", "2", "3", "0"]
        if line["metric"] == "of_episodes":
            assert [line[name] for name in ("value", "ci_low", "ci_high")] == [text(sum(known) / 6), "", ""]
            continue
        seeds = [scored_together(seeds_and_folds, line["model"], seed, FOLDS, line["metric"]) for seed in (0, 1)]
        value = sum(one.value for one in seeds) / 2
        centre = sum(one.centre for one in seeds) / 2
        if line["metric"] in MEAN_OVER_FOLDS:
            value = centre = sum(known) / 6
        influence = sum(one.influence for one in seeds) / 2 * math.sqrt(1 + 1 / 2)
        expected = replace(seeds[0], value=value, centre=centre, influence=influence).interval()
        assert line["value"] == text(value), line
        assert [line["ci_low"], line["ci_high"]] == bounds(expected), line


def test_paired_differences_of_folds_are_corrected_for_shared_training(seeds_and_folds: Path) -> None:
    rebuild(seeds_and_folds)
    table = lines(seeds_and_folds / "leaderboard_paired.csv")
    pairs = {(line["model_a"], line["model_b"]) for line in table}
    assert pairs == {("uni", "colour"), ("resnet50", "colour"), ("resnet50", "uni")}
    assert {line["metric"] for line in table} == set(METRICS["classes"])
    assert len(table) == len(pairs) * 4
    rows = {row.key: row for row in read_rows(seeds_and_folds)[0]}
    for line in table:
        a, b = (
            [scored_together(seeds_and_folds, line[model], seed, FOLDS, line["metric"]) for seed in (0, 1)]
            for model in ("model_a", "model_b")
        )
        if line["metric"] in MEAN_OVER_FOLDS:  # Nadeau & Bengio 2003
            by_fold = [
                sum(
                    (rows[run_key(line["model_a"], "demo", seed, fold)].value("auroc") or 0)
                    - (rows[run_key(line["model_b"], "demo", seed, fold)].value("auroc") or 0)
                    for seed in (0, 1)
                )
                / 2
                for fold in FOLDS
            ]
            value, df = statistics.mean(by_fold), 2.0
            error = math.sqrt((1 / 3 + 1 / 2) * statistics.variance(by_fold))
        else:
            value = sum(one.value - other.value for one, other in zip(a, b, strict=True)) / 2
            influence = sum(one.influence - other.influence for one, other in zip(a, b, strict=True)) / 2
            error, df = math.sqrt((1 + 3 / 2) * (influence**2).sum()), degrees_of_freedom(influence, a[0].n_added)
        low, high = stats.t.interval(0.95, df, value, error)
        assert [line["difference"], line["ci_low"], line["ci_high"]] == [text(value), text(low), text(high)], line
        assert line["p"] == text(2 * stats.t.sf(abs(value) / error, df))
        assert line["p_by"] == "corrected t"
        assert (line["n_runs"], line["n_test"], line["n_groups"]) == ("6", str(61 + 62 + 63), "30")


def test_seeds_add_no_patients_and_folds_do(results: Path, add_run: AddRun) -> None:
    """A run repeated over seeds is no more certain; the same numbers on other patients are."""
    one = predicted(0.7, n=300)
    for model, change in (("seeds", "seed"), ("folds", "fold")):
        for number in (1, 2, 3, 4):
            add_run(model, fold_of(one, number) if change == "fold" else one, task=model, **{change: number})
    add_run("one", one, task="seeds")
    rebuild(results)
    width = {
        line["model"]: float(line["ci_high"]) - float(line["ci_low"])
        for line in lines(results / "leaderboard_mean.csv", metric="accuracy")
    }
    assert width["seeds"] == pytest.approx(width["one"], abs=2e-6)
    assert 0.4 * width["one"] < width["folds"] < 0.7 * width["one"]


def test_repeats_on_other_training_patients_widen_the_interval_by_their_spread(results: Path, add_run: AddRun) -> None:
    """Folds that test the same samples are repeats, whose heads saw other training patients."""
    for repeat, skill in enumerate((0.5, 1.0, 1.5, 2.0), start=1):
        add_run("uni", predicted(skill, seed=repeat), fold=repeat)
        add_run("resnet50", predicted(1.0, seed=10 + repeat), fold=repeat)
    rebuild(results)
    rows = {row.key: row for row in read_rows(results)[0]}
    (line,) = lines(results / "leaderboard_paired.csv", metric="accuracy")
    a, b = (
        [scored_together(results, line[model], 0, (fold,), "accuracy") for fold in (1, 2, 3, 4)]
        for model in ("model_a", "model_b")
    )
    differences = [one.value - other.value for one, other in zip(a, b, strict=True)]
    of_test = sum(one.influence - other.influence for one, other in zip(a, b, strict=True)) / 4
    of_training = 4 * statistics.variance(differences)  # of 80 % of the training patients: (n - d) / d = 4
    error = math.sqrt((of_test**2).sum() + of_training)
    width = float(line["ci_high"]) - float(line["ci_low"])
    deviations = np.array(differences) - np.mean(differences)
    df = degrees_of_freedom(np.append(np.sqrt(4 / 3) * deviations, of_test), a[0].n_added)
    assert width == pytest.approx(2 * stats.t.ppf(0.975, df) * error, abs=1e-5)
    assert line["p_by"] == "t"
    assert (line["n_runs"], line["n_test"]) == ("4", "60")
    means = {r["model"]: float(r["value"]) for r in lines(results / "leaderboard_mean.csv", metric="accuracy")}
    assert means["uni"] == pytest.approx(
        np.mean([rows[run_key("uni", fold=fold)].value("accuracy") for fold in (1, 2, 3, 4)]), abs=1e-6
    )


def test_a_lone_run_has_the_interval_of_its_row_and_no_sd(filled: Path) -> None:
    rebuild(filled)
    table = {(line["task"], line["model"], line["metric"]): line for line in lines(filled / "leaderboard_mean.csv")}
    rows = [row for row in read_rows(filled)[0] if row.ok]
    assert len(table) == len(rows) * 4 + 1
    for row in rows:
        for metric, interval in row.metrics.items():
            line = table[row.task, row.model, metric]
            assert {name: line[name] for name in interval} == {name: f"{x:.6f}" for name, x in interval.items()}
            assert [line[name] for name in ("sd", "n_runs", "n_seeds", "n_folds", "n_failed")] == [
                *("", "1", "1", "0", "0"),
            ]
    failed = table["demo", "virchow2", ""]
    assert (failed["value"], failed["n_runs"], failed["n_failed"], failed["baseline_value"]) == ("", "0", "1", "")


def test_a_failed_fold_is_counted_and_pairs_are_over_the_others(seeds_and_folds: Path, add_run: AddRun) -> None:
    add_run("uni", status="failed", error="Out of memory.", seed=1, fold=2)
    rebuild(seeds_and_folds)
    (line,) = lines(seeds_and_folds / "leaderboard_mean.csv", model="uni", metric="accuracy")
    rows = {(row.seed, row.fold): row for row in read_rows(seeds_and_folds)[0] if row.model == "uni"}
    left = [rows[draw].metrics["accuracy"]["value"] or 0.0 for draw in ((0, 1), (0, 2), (0, 3), (1, 1), (1, 3))]
    assert [line[name] for name in ("n_runs", "n_seeds", "n_folds", "n_failed")] == ["5", "2", "3", "1"]
    assert [line["value"], line["ci_low"]] == [text(sum(left) / 5), ""]
    paired = lines(seeds_and_folds / "leaderboard_paired.csv", metric="accuracy")
    runs = {(line["model_a"], line["model_b"]): line["n_runs"] for line in paired}
    assert runs == {("uni", "colour"): "4", ("resnet50", "uni"): "4", ("resnet50", "colour"): "6"}
    (difference,) = [line for line in paired if line["model_a"] == "uni"]
    expected = sum(
        scored_together(seeds_and_folds, "uni", seed, (1, 3), "accuracy").value
        - scored_together(seeds_and_folds, "colour", seed, (1, 3), "accuracy").value
        for seed in (0, 1)
    )
    assert (difference["difference"], difference["n_test"]) == (text(expected / 2), str(61 + 63))


def test_a_baseline_that_lacks_a_run_is_no_baseline_value(results: Path, add_run: AddRun) -> None:
    for seed, value in enumerate((0.9, 0.8)):
        add_run("uni", values={"auroc": value}, seed=seed)
        add_run("random_vit_s16", values={"auroc": value - 0.4}, seed=seed)
    add_run("colour", values={"auroc": 0.7}, seed=0)
    rebuild(results)
    found = {line["model"]: line["baseline_value"] for line in lines(results / "leaderboard_mean.csv")}
    assert found == {"uni": "0.450000", "random_vit_s16": "0.450000", "colour": "0.700000"}


def test_of_an_error_the_smaller_mean_is_the_better_baseline(results: Path, add_run: AddRun) -> None:
    for seed in (0, 1):
        for model, error in (("uni", 1.0), ("colour", 3.0), ("random_vit_s16", 2.0)):
            add_run(model, values={"mae": error + seed}, kind="regression", primary_metric="mae", seed=seed)
    rebuild(results)
    (line,) = lines(results / "leaderboard_mean.csv", model="uni")
    assert (line["kind"], line["value"], line["baseline_value"]) == ("regression", "1.500000", "2.500000")


def test_runs_without_a_value_are_not_in_the_mean(results: Path, add_run: AddRun) -> None:
    for fold, value in enumerate((0.5, None, 0.7), start=1):
        add_run("uni", values={"auroc": value}, fold=fold)
    rebuild(results)
    (line,) = lines(results / "leaderboard_mean.csv")
    assert [line[name] for name in ("value", "n_runs", "n_folds", "n_failed")] == ["0.600000", "2", "3", "0"]


def test_lost_predictions_cost_the_interval_and_not_the_mean(
    seeds_and_folds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rebuild(seeds_and_folds)
    before = {line["metric"]: line["value"] for line in lines(seeds_and_folds / "leaderboard_mean.csv", model="uni")}
    predictions_path(seeds_and_folds, run_key("uni", "demo", 1, 2)).write_bytes(b"PAR1")
    rebuild(seeds_and_folds)
    assert "seed1-fold2.parquet holds no complete predictions" in capsys.readouterr().err
    table = lines(seeds_and_folds / "leaderboard_mean.csv", model="uni")
    assert {line["metric"]: float(line["value"]) for line in table} == pytest.approx(
        {metric: float(value) for metric, value in before.items()}, abs=0.04
    )  # the mean over folds where that of all folds together cannot be had
    assert {(line["ci_low"], line["n_runs"]) for line in table} == {("", "6")}
    assert {line["n_runs"] for line in lines(seeds_and_folds / "leaderboard_paired.csv", model_a="uni")} == {"4"}


def test_the_one_split_and_folds_are_not_averaged_together(results: Path, add_run: AddRun) -> None:
    add_run("uni", values={"balanced_accuracy": 0.9}, cohort_hash="a_split")
    for fold in (1, 2):
        add_run("uni", values={"balanced_accuracy": 0.5}, fold=fold, cohort_hash="folds")
    rebuild(results)
    found = [(line["n_folds"], line["n_runs"], line["value"]) for line in lines(results / "leaderboard_mean.csv")]
    assert found == [("0", "1", "0.900000"), ("2", "2", "0.500000")]
    (wide,) = lines(results / "leaderboard_wide.csv")
    assert wide["demo: balanced_accuracy"] == "0.900000"
    assert wide["demo: balanced_accuracy, 2 folds"] == "0.500000"


def of_kind(kind: str, seed: int) -> tuple[Predicted, list[str]]:
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(7)
    n = 40
    ids, groups = np.array([f"tile-{i}" for i in range(n)]), np.array([f"patient-{i % 8}" for i in range(n)])
    make: dict[str, Callable[[], tuple[np.ndarray, int]]] = {
        "classes": lambda: (truth.integers(0, 3, n), 3),
        "ordinal": lambda: (truth.integers(0, 4, n), 4),
        "regression": lambda: (truth.normal(size=(n, 2)), 2),
        "survival": lambda: (np.column_stack([truth.exponential(size=n) + 0.01, truth.integers(0, 2, n) * 1.0]), 1),
        "multilabel": lambda: (truth.integers(0, 2, (n, 3)), 3),
    }
    y_true, width = make[kind]()
    scores = rng.random((n, width)) + 1e-3
    if kind in ("classes", "ordinal"):
        scores /= scores.sum(axis=1, keepdims=True)
    return Predicted(ids, groups, y_true, scores, kind=kind), [f"c{i}" for i in range(width)]


@pytest.mark.parametrize("kind", METRICS)
def test_every_kind_of_target_has_means_and_differences(results: Path, add_run: AddRun, kind: str) -> None:
    for model in ("a", "b"):
        for seed in (0, 1):
            predictions, names = of_kind(kind, 2 * seed + (model == "b"))
            add_run(model, predictions, seed=seed, kind=kind, classes=names)
    rebuild(results)
    assert {line["metric"] for line in lines(results / "leaderboard_mean.csv", kind=kind)} == set(METRICS[kind])
    paired = lines(results / "leaderboard_paired.csv")
    assert {line["metric"] for line in paired} == set(METRICS[kind])
    for line in paired:
        a, b = (
            [scored_together(results, model, seed, (0,), line["metric"]) for seed in (0, 1)] for model in ("a", "b")
        )
        influence = sum(one.influence - other.influence for one, other in zip(a, b, strict=True)) / 2
        value = sum(one.value - other.value for one, other in zip(a, b, strict=True)) / 2
        error = math.sqrt((influence**2).sum())
        low, high = stats.t.interval(0.95, degrees_of_freedom(influence, a[0].n_added), value, error)
        assert [line["difference"], line["ci_low"], line["ci_high"]] == [text(value), text(low), text(high)]
