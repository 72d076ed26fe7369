"""The CSV files: fixed columns, sorted, failures visible, baselines where they belong, the same bytes again."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from leaderboard_runs import AddRun, lines, predicted, rebuild, run_key

from bench.metrics import resample
from bench.rows import predictions_path, read_predictions, read_rows, row_path
from bench.rows.predictions import write_predictions
from registry.errors import UserError

COLUMNS = (
    "task", "kind", "model", "frontend", "protocol", "seed", "fold", "metric", "value", "ci_low", "ci_high", "interval",
    "n_train", "n_test", "n_groups", "baseline_value", "feature_dim", "params_m", "tiles_per_s", "status", "error",
    "cohort_hash", "head_config_hash", "run_hash", "version", "contaminated", "contamination_evidence",
    "task_digest", "frozen", "audit",
)  # fmt: skip
METRICS = ["accuracy", "auroc", "balanced_accuracy", "f1_macro"]


def contents(results: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in results.glob("*.*") if path.is_file()}


def test_long_table_has_the_fixed_columns_sorted(filled: Path) -> None:
    written = rebuild(filled)
    assert [path.name for path in written.values()] == [
        "leaderboard.csv",
        "leaderboard_mean.csv",
        "leaderboard_wide.csv",
        "leaderboard_paired.csv",
        "leaderboard_ranks.csv",
        "leaderboard_suites.csv",
        "models.csv",
        "leaderboard_schema.json",
        "leaderboard.md",
        "leaderboard.html",
    ]
    table = lines(filled / "leaderboard.csv")
    assert tuple(table[0]) == COLUMNS
    keys = [(r["task"], r["protocol"], r["metric"], r["model"], r["frontend"], int(r["seed"])) for r in table]
    assert keys == sorted(keys)
    assert len(table) == 2 * 5 * 4 + 1
    rows = {row.key: row for row in read_rows(filled)[0]}
    for line in table[1:]:
        row = rows[run_key(line["model"], line["task"])]
        for name in ("value", "ci_low", "ci_high"):
            assert line[name] == f"{row.metrics[line['metric']][name]:.6f}"
        assert (line["n_train"], line["n_test"], line["n_groups"], line["feature_dim"]) == ("100", "60", "10", "384")
        assert (line["params_m"], line["tiles_per_s"]) == ("22.06", "41.3")
        assert (line["status"], line["error"]) == ("ok", "")
        assert (line["kind"], line["fold"]) == ("classes", "")
        assert (line["run_hash"], line["version"]) == ("0123456789abcdef", "0.1.0")


def test_pandas_reads_it(filled: Path) -> None:
    rebuild(filled)
    frame = pd.read_csv(filled / "leaderboard.csv")
    assert frame.loc[frame.status == "ok", ["value", "ci_low", "ci_high", "baseline_value"]].notna().all().all()


def test_a_failed_run_is_one_line_with_its_sentence(filled: Path) -> None:
    rebuild(filled)
    (failed,) = lines(filled / "leaderboard.csv", status="failed")
    assert failed["model"] == "virchow2"
    assert failed["error"] == "virchow2 is gated: ask at its page, or checkpoint=FILE."
    assert {failed[name] for name in ("metric", "value", "ci_low", "ci_high", "baseline_value", "n_test")} == {""}


def test_wide_table_is_the_primary_metric_averaged_over_seeds(add_run: AddRun, results: Path) -> None:
    for seed, value in enumerate((0.5, 0.6, 0.8)):
        add_run("uni", values={"balanced_accuracy": value, "auroc": 0.1}, seed=seed)
    add_run("uni", values={"balanced_accuracy": 0.9}, protocol="knn")
    add_run("uni", values={"balanced_accuracy": 0.25}, frontend="blurred")
    add_run("resnet50", values={"auroc": 0.5}, task="abc", primary_metric="auroc")
    add_run("resnet50", status="failed", error="no")
    rebuild(results)
    assert (results / "leaderboard_wide.csv").read_text() == (
        "protocol,head_settings,head_config_hash,model,frontend,contaminated,abc: auroc,demo: balanced_accuracy\n"
        "knn,,1f2e3d4c,uni,,,,0.900000\n"
        "linear,,1f2e3d4c,resnet50,,,0.500000,\n"
        "linear,,1f2e3d4c,uni,,,,0.633333\n"
        "linear,,1f2e3d4c,uni,blurred,,,0.250000\n"
    )


def settings_of(k: list[int], metric: str = "cosine") -> dict[str, object]:
    return {"config": {"protocols": {"knn": {"kind": "knn", "k": k, "metric": metric}}}}


def test_heads_of_one_protocol_say_in_which_settings_they_differ(add_run: AddRun, results: Path) -> None:
    for head, k in (("a", [5]), ("b", [1, 3])):
        for task in ("demo", "other"):
            info = settings_of(k)
            add_run("uni", predicted(1.0), task=task, head_config_hash=head, protocol="knn-4-shot", info=info)
    add_run("uni", predicted(1.0), protocol="linear", head_config_hash="c")
    add_run("uni", predicted(1.0), protocol="linear", head_config_hash="d", info=settings_of([5]))
    rebuild(results)
    found = {line["head_config_hash"]: line["head_settings"] for line in lines(results / "leaderboard_wide.csv")}
    assert found == {"a": "k=[5]", "b": "k=[1, 3]", "c": "", "d": ""}
    text = (results / "leaderboard.md").read_text()
    assert "### demo, knn-4-shot (k=\\[1, 3\\])" in text
    assert "### demo, linear \\[c\\]" in text


def test_headings_distinguish_cohorts_of_one_task(add_run: AddRun, results: Path) -> None:
    add_run("uni", predicted(1.0))
    for cohort in ("first", "second"):
        add_run("uni", predicted(1.0, n=40), cohort_hash=cohort)
    rebuild(results)
    (line,) = lines(results / "leaderboard_wide.csv")
    assert list(line)[6:] == [
        "demo: balanced_accuracy, 40 test samples, cohort_hash first",
        "demo: balanced_accuracy, 40 test samples, cohort_hash second",
        "demo: balanced_accuracy, 60 test samples",
    ]


def test_paired_table_holds_each_model_against_its_baselines_and_each_pair_once(filled: Path) -> None:
    rebuild(filled)
    table = lines(filled / "leaderboard_paired.csv")
    assert list(table[0])[:8] == [
        *("task", "protocol", "metric", "n_runs", "model_a", "frontend_a", "model_b", "frontend_b"),
    ]
    found = [(line["task"], line["metric"], line["model_a"], line["model_b"]) for line in table]
    pairs = [
        ("resnet50", "colour"),
        ("resnet50", "random_vit_s16"),
        ("resnet50", "uni"),
        ("uni", "colour"),
        ("uni", "random_vit_s16"),
        ("uni", "uni@random"),
    ]
    assert found == [(task, metric, *pair) for task in ("demo", "other") for metric in METRICS for pair in pairs]


def test_paired_intervals_are_those_of_the_metrics(filled: Path) -> None:
    rebuild(filled)
    for line in lines(filled / "leaderboard_paired.csv"):
        a, b = (
            read_predictions(predictions_path(filled, run_key(line[model], line["task"])))
            for model in ("model_a", "model_b")
        )
        order = np.argsort(a.ids)
        both = resample(a.y_true[order], {"a": a.scores[order], "b": b.scores[order]}, a.groups[order])
        expected = (both["a"][line["metric"]] - both["b"][line["metric"]]).interval()
        assert [line["difference"], line["ci_low"], line["ci_high"]] == [
            f"{round(x, 6) + 0.0:.6f}" for x in (expected.value, expected.ci_low, expected.ci_high)
        ]
        assert (line["n_test"], line["n_groups"]) == ("60", "10")


def test_a_mean_over_episodes_says_so_and_is_in_no_comparison(add_run: AddRun, results: Path) -> None:
    over = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "interval": "episodes"}
    for seed in (0, 1):
        for model in ("uni", "resnet50", "colour"):
            add_run(model, predicted(1.0, seed=seed), protocol="few", seed=seed, metrics={"balanced_accuracy": over})
    for model in ("uni", "colour"):
        add_run(model, predicted(1.0))
    rebuild(results)
    assert {line["interval"] for line in lines(results / "leaderboard.csv", protocol="few")} == {"episodes"}
    assert {line["interval"] for line in lines(results / "leaderboard.csv", protocol="linear")} == {"patients"}
    assert {line["protocol"] for line in lines(results / "leaderboard_paired.csv")} == {"linear"}
    means = lines(results / "leaderboard_mean.csv", protocol="few")
    assert {(line["value"], line["ci_low"], line["interval"]) for line in means} == {("0.500000", "", "")}
    assert {line["interval"] for line in lines(results / "leaderboard_mean.csv", protocol="linear")} == {"patients"}


def test_samples_are_aligned_by_id(add_run: AddRun, results: Path) -> None:
    one, order = predicted(1.0), np.random.default_rng(0).permutation(60)
    shuffled = type(one)(one.ids[order], one.groups[order], one.y_true[order], one.scores[order])
    add_run("a", one)
    add_run("b", shuffled)
    rebuild(results)
    table = lines(results / "leaderboard_paired.csv")
    assert {(line["difference"], line["ci_low"], line["p"]) for line in table} == {("0.000000", "", "1.000000")}


def test_pairs_on_other_samples_are_left_out(add_run: AddRun, results: Path) -> None:
    add_run("a", predicted(1.0, n=60))
    add_run("b", predicted(1.0, n=60))
    add_run("fewer", predicted(1.0, n=59))
    one = predicted(1.0)
    add_run("regrouped", type(one)(one.ids, one.ids, one.y_true, one.scores))
    add_run("relabelled", type(one)(one.ids, one.groups, (one.y_true + 1) % 3, one.scores))
    add_run("renamed", one, classes=["x", "y", "z"])
    rebuild(results)
    table = lines(results / "leaderboard_paired.csv")
    assert {(line["model_a"], line["model_b"]) for line in table} == {("a", "b")}


def test_pairs_differ_in_the_model_or_the_frontend_and_not_in_both(add_run: AddRun, results: Path) -> None:
    for model in ("a", "b"):
        for frontend in ("", "blurred"):
            add_run(model, predicted(1.0), frontend=frontend)
    rebuild(results)
    table = lines(results / "leaderboard_paired.csv")
    assert {(r["model_a"], r["frontend_a"], r["model_b"], r["frontend_b"]) for r in table} == {
        ("a", "", "b", ""),
        ("a", "blurred", "b", "blurred"),
        ("a", "", "a", "blurred"),
        ("b", "", "b", "blurred"),
    }


def test_lost_predictions_leave_out_their_pairs_and_say_so(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = predictions_path(filled, run_key("uni"))
    path.write_bytes(b"PAR1")
    rebuild(filled)
    assert f"{path} holds no complete predictions" in capsys.readouterr().err
    table = lines(filled / "leaderboard_paired.csv")
    assert {r["task"] for r in table if "uni" in (r["model_a"], r["model_b"])} == {"other"}
    assert lines(filled / "leaderboard.csv", model="uni", task="demo")


def test_all_lost_predictions_are_named_in_one_warning(
    add_run: AddRun, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = [
        add_run(model, predicted(1.0), protocol=protocol, seed=seed)
        for protocol in ("linear", "knn")
        for model, seeds in (("lone", 1), ("repeated", 12))
        for seed in range(seeds)
    ]
    for row in lost:
        (results / row.predictions).write_bytes(b"PAR1")
    rebuild(results)
    warned = capsys.readouterr().err
    assert warned.count("\n") == 1
    assert warned.count("holds no complete predictions") == 20
    assert warned.endswith("And 6 more.\n")


def test_only_metrics_that_both_runs_have_are_compared(
    add_run: AddRun, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_run("a", predicted(1.0))
    add_run("b", predicted(1.5), values={"auroc": 0.9, "of_another_version": 0.3})
    add_run("c", values={"auroc": 0.9})
    rebuild(results)
    table = lines(results / "leaderboard_paired.csv")
    assert [(line["model_a"], line["model_b"], line["metric"]) for line in table] == [("a", "b", "auroc")]
    assert not capsys.readouterr().err


def test_rebuild_gives_the_same_bytes(filled: Path, add_run: AddRun, tmp_path: Path) -> None:
    for fold in (1, 2, 12):
        for seed in (0, 1):
            add_run("uni", predicted(1.0, seed=fold), task="folded", fold=fold, seed=seed)
            add_run("colour", predicted(0.5, seed=9 + fold), task="folded", fold=fold, seed=seed)
    rebuild(filled)
    before = contents(filled)
    assert len(before) == 10
    rebuild(filled)
    assert contents(filled) == before

    # the same files made in another order, elsewhere, and read by another process with another hash seed
    moved = tmp_path / "moved"
    files = [path for kind in ("rows", "predictions") for path in (filled / kind).rglob("*") if path.is_file()]
    random.Random(0).shuffle(files)
    for path in files:
        target = moved / path.relative_to(filled)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(
        [sys.executable, "-m", "bench.report", f"results={moved}", "plots=none"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert contents(moved) == before


def test_predictions_of_another_kind_are_not_compared(
    add_run: AddRun, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [add_run(model, predicted(1.0)) for model in ("a", "b", "c")]
    one = predicted(1.0)
    graded = type(one)(one.ids, one.groups, one.y_true, one.scores, kind="ordinal")
    other = add_run("other", graded, kind="ordinal", values={"auroc": 0.5})
    write_predictions(results / rows[0].predictions, graded, other.classes)
    rebuild(results)
    assert f"{rows[0].predictions} is not of the kind and classes of its row" in capsys.readouterr().err
    table = lines(results / "leaderboard_paired.csv")
    assert {(line["model_a"], line["model_b"]) for line in table} == {("b", "c")}


def test_a_half_written_row_costs_its_own_line_only(filled: Path) -> None:
    rebuild(filled)
    before = lines(filled / "leaderboard.csv")
    path = row_path(filled, run_key("resnet50"))
    path.write_bytes(path.read_bytes()[:200])
    rebuild(filled)
    assert lines(filled / "leaderboard.csv") == [
        line for line in before if (line["task"], line["model"]) != ("demo", "resnet50")
    ]


def test_no_rows_is_a_sentence(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"No rows .* results=DIR"):
            rebuild(folder)
    assert not (tmp_path / "leaderboard.csv").exists()


def test_a_full_disk_is_a_sentence_and_the_old_table_stands(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild(filled)
    before = contents(filled)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="is full"):
        rebuild(filled)
    assert contents(filled) == before
