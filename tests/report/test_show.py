"""What the printed table shows of the entries."""

import json
import re
import statistics
import unicodedata
from pathlib import Path

import pytest
from leaderboard_runs import AddRun, block, lines, predicted, rebuild, text

from bench.report import table_text
from bench.report.__main__ import main
from bench.results import read_leaderboard
from bench.rows import read_rows, row_path


def test_best_first_baselines_marked_failures_last(filled: Path) -> None:
    title, heading, *rows, power, failure = block(filled, "demo")
    assert title == "demo  primary metric balanced_accuracy, 60 test samples, 10 groups"
    assert heading.split("  ")[1].strip() == "linear head"
    values = [float(row.split("[")[0].split()[-1]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert [row.split()[0] for row in rows][:2] == ["uni", "resnet50"]
    assert {row.split()[0] for row in rows if "(baseline)" in row} == {"colour", "random_vit_s16", "uni@random"}
    assert failure == "  failed: virchow2, linear, seed 0: virchow2 is gated: ask at its page, or checkpoint=FILE."
    assert len({row.index(" [") for row in rows}) == 1
    assert power.startswith("  differences in balanced_accuracy below 0.")


def test_difference_is_the_one_to_the_best_baseline_of_the_paired_table(filled: Path) -> None:
    rebuild(filled)
    of_task = {"task": "demo", "metric": "balanced_accuracy"}
    values = {line["model"]: float(line["value"]) for line in lines(filled / "leaderboard.csv", **of_task)}
    best = max(("colour", "random_vit_s16"), key=lambda model: values[model])
    (line,) = lines(filled / "leaderboard_paired.csv", model_a="resnet50", model_b=best, n_runs="1", **of_task)
    difference, low, high = (float(line[name]) for name in ("difference", "ci_low", "ci_high"))
    (row,) = [row for row in block(filled, "demo") if row.startswith("  resnet50")]
    mark = " *" if low > 0 or high < 0 else "  "
    assert f"{difference:+.3f} [{low:+.3f}, {high:+.3f}]{mark}" in row


def test_star_marks_intervals_that_exclude_nought(add_run: AddRun, results: Path) -> None:
    add_run("clear", predicted(4.0, seed=1))
    add_run("same", predicted(0.0, seed=3))
    add_run("worse", predicted(-4.0, seed=2))
    add_run("colour", predicted(0.0, seed=3))
    marked = {row.split()[0]: "] *" in row for row in block(results, "demo")[2:6]}
    assert marked == {"clear": True, "same": False, "worse": True, "colour": False}


def test_ranks_are_those_of_their_table(filled: Path, add_run: AddRun) -> None:
    for place, model in enumerate(("uni", "colour")):
        add_run(model, predicted(2.0 - place, seed=6), protocol="knn")
    add_run("values", values={"balanced_accuracy": 0.9}, protocol="knn")
    rebuild(filled)
    ranks = {
        (line["model"], line["protocol"]): "-" if not line["rank"] else "{:g} [{:g}, {:g}]".format(
            *(float(line[name]) for name in ("rank", "ci_low", "ci_high"))
        )
        for line in lines(filled / "leaderboard_ranks.csv", task="demo")
    }  # fmt: skip
    shown = [re.split(" {2,}", line.strip()) for line in block(filled, "demo")[1:11]]
    assert shown[0][:3] == ["knn head", "balanced_accuracy [95 %]", "rank [95 %]"]
    assert shown[4][:3] == ["linear head", *shown[0][1:3]]
    of_heads = {"knn": shown[1:4], "linear": shown[5:]}
    found = {(line[0].removesuffix(" (baseline)"), head): line[2] for head, own in of_heads.items() for line in own}
    assert found.pop(("values", "knn")) == ranks.pop(("values", "knn")) == "-", "it has no predictions"
    del ranks["virchow2", "linear"]
    assert found == ranks
    assert {rank.split()[0] for (_, protocol), rank in found.items() if protocol == "knn"} == {"1", "2"}


def test_one_entry_alone_has_no_rank(add_run: AddRun, results: Path) -> None:
    add_run("uni", predicted(1.0))
    assert "rank" not in block(results, "demo")[1]


def test_what_cannot_be_detected_is_the_median_over_the_pairs_of_a_head(filled: Path, add_run: AddRun) -> None:
    def medians() -> dict[str, float]:
        rebuild(filled)
        table = lines(filled / "leaderboard_paired.csv", task="demo", metric="balanced_accuracy")
        heads = {line["protocol"] for line in table if line["detectable"]}
        return {
            head: statistics.median(float(line["detectable"]) for line in table if line["protocol"] == head)
            for head in heads
        }

    alone = " ".join(" ".join(block(filled, "demo")).split())
    assert (
        f"differences in balanced_accuracy below {medians()['linear']:.3f} are not found with 80 % power (median over "
        "the pairs)"
    ) in alone
    add_run("uni", predicted(2.0, seed=6), protocol="knn")
    add_run("dino", predicted(1.0, seed=7), protocol="knn")
    both = " ".join(" ".join(block(filled, "demo")).split())
    assert f" below {medians()['knn']:.3f} (knn) or {medians()['linear']:.3f} (linear) are not found" in both


def test_no_power_is_told_where_no_error_is_known(add_run: AddRun, results: Path) -> None:
    for model in ("uni", "resnet50"):
        add_run(model, predicted(1.0))
    assert "power" not in text(results)


def test_a_line_is_the_mean_over_seeds_and_folds_and_says_so(add_run: AddRun, results: Path) -> None:
    add_run("uni", values={"balanced_accuracy": 0.5})
    assert "mean of" not in text(results)
    add_run("uni", values={"balanced_accuracy": 0.7}, seed=1)
    add_run("dino", values={"balanced_accuracy": 0.55})
    title, heading, uni, dino = block(results, "demo")
    assert title.endswith("; each line is the mean of 2 seeds")
    assert re.split(" {2,}", heading.strip())[:4] == ["linear head", "runs", "balanced_accuracy [95 %]", "sd"]
    assert re.split(" {2,}", uni.strip()) == ["uni", "2 seeds", "0.600", "0.141", "-", "41.3"]
    assert re.split(" {2,}", dino.strip()) == ["dino", "1 seed", "0.550", "-", "-", "41.3"]
    assert "it is their mean" in " ".join(text(results).split())
    for seed in (0, 1, 2):
        for fold in (1, 2):
            add_run("uni", values={"balanced_accuracy": 0.9}, cohort_hash="folds", protocol="knn", seed=seed, fold=fold)
    for fold in (1, 2):
        add_run("dino", values={"balanced_accuracy": 0.8}, cohort_hash="folds", protocol="knn", fold=fold)
    title, _, *runs = block(results, "folds")
    assert [re.split(" {2,}", run.strip())[:3] for run in runs[:2]] == [
        ["uni", "3 seeds x 2 folds", "0.900"],
        ["dino", "2 folds", "0.800"],
    ]
    assert "test samples, - groups in a fold" in title


def test_a_mean_of_some_folds_cannot_be_read_as_one_of_all(add_run: AddRun, results: Path) -> None:
    for fold in (1, 2, 3):
        add_run("all", values={"balanced_accuracy": 0.5}, fold=fold)
        add_run("undefined", values={"balanced_accuracy": 0.3 if fold < 3 else None}, fold=fold)
    add_run("failed", values={"balanced_accuracy": 0.9}, fold=1)
    add_run("failed", values={"balanced_accuracy": 0.9}, fold=3)
    add_run("failed", status="failed", error="Out of memory.", fold=2)
    add_run("killed", values={"balanced_accuracy": 0.4}, fold=1)
    title, _, *lines_of_models, failure = block(results, "demo")
    assert title.endswith("; each line is the mean of 3 folds")
    assert [re.split(" {2,}", line.strip())[:3] for line in lines_of_models] == [
        ["failed", "only 2 of 3", "0.900"],
        ["all", "3 folds", "0.500"],
        ["killed", "only 1 of 3", "0.400"],
        ["undefined", "only 2 of 3", "0.300"],
    ]
    assert failure == "  failed: failed, linear, seed 0 fold 2: Out of memory."


def test_over_baseline_is_paired_over_the_runs_of_the_line(add_run: AddRun, results: Path) -> None:
    for fold in (1, 2, 3):
        add_run("colour", predicted(0.3, seed=fold), fold=fold)
        if fold < 3:
            add_run("uni", predicted(5.0, seed=10 + fold), fold=fold)
    rebuild(results)
    (line,) = lines(results / "leaderboard_paired.csv", metric="balanced_accuracy", n_runs="2")
    assert (line["model_a"], line["model_b"]) == ("uni", "colour")
    difference, low, high = (float(line[name]) for name in ("difference", "ci_low", "ci_high"))
    assert f"{difference:+.3f} [{low:+.3f}, {high:+.3f}] *+" in block(results, "demo")[2]


def test_over_baseline_is_over_one_of_the_same_protocol_and_settings(add_run: AddRun, results: Path) -> None:
    def of_uni() -> list[str]:
        shown = block(results, "demo")
        (place,) = [place for place, line in enumerate(shown) if line.startswith("  uni ")]
        head = next(line for line in reversed(shown[:place]) if " head " in line)
        return [head.split(" head ")[0].strip(), *re.split(" {2,}", shown[place].strip())]

    add_run("uni", predicted(3.0, seed=1), head_config_hash="own")
    add_run("colour", predicted(0.3, seed=2), head_config_hash="own")
    before = of_uni()
    assert "] *" in " ".join(before)
    add_run("random_vit_s16", predicted(1.5, seed=3), head_config_hash="other")
    add_run("random_vit_s16", predicted(1.5, seed=3), head_config_hash="own", protocol="knn")
    assert of_uni() == ["linear [own]", *before[1:]]


def test_the_smaller_error_is_first(add_run: AddRun, results: Path) -> None:
    for model, error in (("a", 2.0), ("b", 1.0), ("c", None), ("colour", 3.0), ("random_vit_s16", 4.0)):
        add_run(model, values={"mae": error, "r2": 0.1}, kind="regression", primary_metric="mae", classes=["x"])
    _, heading, *rows = block(results, "demo")
    assert [row.split()[0] for row in rows] == ["b", "a", "colour", "random_vit_s16", "c"]
    titles = ["linear head", "mae [95 %]", "r2", "over baseline [95 %]", "tiles/s"]
    assert re.split(" {2,}", heading.strip()) == titles


def test_unknown_values_are_dashes(add_run: AddRun, results: Path) -> None:
    add_run("uni", values={"balanced_accuracy": None, "auroc": None}, tiles_per_s=None)
    add_run("dino", values={"balanced_accuracy": 0.5}, tiles_per_s=None)
    _, _, dino, uni = block(results, "demo")
    assert dino.split() == ["dino", "0.500", "-", "-", "-"]
    assert uni.split() == ["uni", "-", "-", "-", "-"]


def test_a_task_where_all_failed_still_shows(add_run: AddRun, results: Path) -> None:
    add_run("uni", status="failed", error="Out of memory.")
    add_run("zoo", status="lost", error="The job 7 was lost.")
    assert block(results, "demo")[1:] == [
        "  failed: uni, linear, seed 0: Out of memory.",
        "  lost: zoo, linear, seed 0: The job 7 was lost.",
    ]


def test_a_note_is_shown_once_with_its_models(add_run: AddRun, results: Path) -> None:
    add_run("a", predicted(1.0), notes=["no patient is known"])
    add_run("b", predicted(1.0), notes=["no patient is known", "seen at half the mpp"])
    assert block(results, "demo")[-2:] == ["  note: all models: no patient is known", "  note: b: seen at half the mpp"]
    assert "  note: a, b: no patient is known" in table_text(read_leaderboard(results), everything=True)


def test_a_warning_of_synthetic_images_stands_above_every_score(add_run: AddRun, results: Path) -> None:
    note = "synthetic images, made by this program"
    for model in ("a", "b"):
        add_run(model, predicted(1.0), notes=[note])
    shown = text(results).splitlines()
    assert shown[0].startswith("demo, balanced_accuracy")
    title, warning, heading, *_ = block(results, "demo")
    assert shown[1] == warning == f"  Warning: {note}"
    assert title.startswith("demo  primary metric")
    assert "balanced_accuracy" in heading
    assert text(results).count(note) == 2


def test_a_later_failure_is_a_note_of_the_row_that_stands(add_run: AddRun, results: Path) -> None:
    add_run("a", predicted(1.0), notes=["synthetic"], stale_error="a: The hub\nis closed.")
    add_run("b", predicted(1.0), notes=["synthetic"])
    lines_shown = block(results, "demo")
    assert lines_shown[-1] == ("  note: a: this row is of an earlier run; a later one failed: a: The hub is closed.")
    assert [line.split()[0] for line in lines_shown[3:5]] == ["a", "b"], "the row itself is shown"
    assert not any(line.startswith("  failed:") for line in lines_shown)
    (row, _) = read_rows(results)[0]
    assert row.notes == ["synthetic"], "the note is not stored twice"


def test_control_characters_never_reach_the_terminal(
    add_run: AddRun, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    red, sentence = "\x1b[31m\x9b2J\x07", "red\ud800"
    add_run(f"uni{red}", predicted(1.0), notes=[sentence + red], frontend=red, stale_error=red)
    add_run("lost", status="failed", error=sentence + red)
    record = json.loads(row_path(results, add_run("made", predicted(1.0)).key).read_text())
    for name, field in (("a", "primary_metric"), ("b", "task"), ("c", red)):
        path = results / "rows/demo/demo" / f"{name}{red}" / "by-hand-seed0.json"
        path.parent.mkdir()
        path.write_text(json.dumps({**record, field: red}))
    (results / "rows/demo/demo/lost/x\x1b[31m.json").write_text("{")
    assert main([f"results={results}", "plots=none"]) == 0
    captured = capsys.readouterr()
    tables = "".join(path.read_text(encoding="utf-8") for path in results.glob("*.csv"))
    for shown in (captured.out, captured.err, tables):
        assert "uni\\x1b[31m" in shown or shown is captured.err
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"]
        shown.encode("utf-8")
    assert captured.err.count("by-hand-seed0.json (") == 3
    assert "failed: lost, linear, seed 0: red\\ud800\\x1b[31m" in captured.out


def test_repeats_are_not_called_folds(add_run: AddRun, results: Path) -> None:
    for fold in (1, 2, 3):
        add_run("uni", predicted(1.0, seed=fold), fold=fold)
    title, *_ = block(results, "demo")
    assert title.endswith("; each line is the mean of 3 repeats")
