"""What the terminal shows, and the command that shows it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from leaderboard_runs import AddRun, lines, predicted, rebuild

from bench.report import read_leaderboard, table_text
from bench.report.__main__ import main


def block(results: Path, task: str) -> list[str]:
    return table_text(read_leaderboard(results), [task]).split("\n\n")[0].splitlines()


def test_best_first_floors_marked_failures_last(filled: Path) -> None:
    title, heading, *rows, failure = block(filled, "demo")
    assert title == "demo  primary metric balanced_accuracy, 60 test samples, 10 groups"
    assert heading.split("  ")[1].strip() == "model"
    values = [float(row.split("[")[0].split()[-1]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert [row.split()[0] for row in rows][:2] == ["uni", "resnet50"]
    assert {row.split()[0] for row in rows if "(baseline)" in row} == {"colour", "random_vit_s16", "uni@random"}
    assert failure == "  failed: virchow2, linear, seed 0: virchow2 is gated: ask at its page, or checkpoint=FILE."
    assert len({row.index("  linear") for row in rows}) == 1


def test_difference_is_the_one_to_the_best_baseline_of_the_paired_table(filled: Path) -> None:
    rebuild(filled)
    of_task = {"task": "demo", "metric": "balanced_accuracy"}
    values = {line["model"]: float(line["value"]) for line in lines(filled / "leaderboard.csv", **of_task)}
    best = max(("colour", "random_vit_s16"), key=lambda floor: values[floor])
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
    marked = {row.split()[0]: "] *" in row for row in block(results, "demo")[2:]}
    assert marked == {"clear": True, "same": False, "worse": True, "colour": False}


def test_only_the_named_tasks(filled: Path) -> None:
    assert "other  primary" not in table_text(read_leaderboard(filled), ["demo"])
    assert "other  primary" in table_text(read_leaderboard(filled))
    assert table_text(read_leaderboard(filled), ["pcam"]) == "No rows."


def test_a_line_is_the_mean_over_seeds_and_folds_and_says_so(add_run: AddRun, results: Path) -> None:
    add_run("uni", values={"balanced_accuracy": 0.5})
    assert block(results, "demo")[1].split()[:3] == ["model", "protocol", "balanced_accuracy"]
    assert "runs:" not in table_text(read_leaderboard(results))
    add_run("uni", values={"balanced_accuracy": 0.7}, seed=1)
    add_run("dino", values={"balanced_accuracy": 0.55})
    _, heading, uni, dino = block(results, "demo")
    assert heading.split() == [
        *("model", "protocol", "runs", "balanced_accuracy", "[95", "%]", "sd", "over", "floor", "[95", "%]", "tiles/s"),
    ]
    assert uni.split() == ["uni", "linear", "2", "seeds", "0.600", "[-,", "-]", "0.141", "-", "41.3"]
    assert dino.split() == ["dino", "linear", "1", "seed", "0.550", "[-,", "-]", "-", "-", "41.3"]
    assert "runs: what a line is the mean of" in table_text(read_leaderboard(results))
    for seed in (0, 1, 2):
        for fold in (1, 2):
            add_run("uni", values={"balanced_accuracy": 0.9}, asked="folds", protocol="knn", seed=seed, fold=fold)
    for fold in (1, 2):
        add_run("dino", values={"balanced_accuracy": 0.8}, asked="folds", protocol="knn", fold=fold)
    title, _, *runs = block(results, "folds")
    assert [" ".join(run.split()[:6]) for run in runs[:2]] == ["uni knn 3 seeds x 2", "dino knn 2 folds 0.800 [-,"]
    assert "test samples, - groups in a fold" in title


def test_a_mean_of_some_folds_cannot_be_read_as_one_of_all(add_run: AddRun, results: Path) -> None:
    for fold in (1, 2, 3):
        add_run("whole", values={"balanced_accuracy": 0.5}, fold=fold)
        add_run("undefined", values={"balanced_accuracy": 0.3 if fold < 3 else None}, fold=fold)
    add_run("failed", values={"balanced_accuracy": 0.9}, fold=1)
    add_run("failed", values={"balanced_accuracy": 0.9}, fold=3)
    add_run("failed", status="failed", error="Out of memory.", fold=2)
    add_run("killed", values={"balanced_accuracy": 0.4}, fold=1)
    *_, failed, whole, killed, undefined, failure = block(results, "demo")
    shown = [re.sub(" {2,}", "|", line.strip()) for line in (failed, whole, killed, undefined)]
    assert shown[0].startswith("failed|linear|3 folds, only 2 of 3|0.900")
    assert shown[1].startswith("whole|linear|3 folds|0.500")
    assert shown[2].startswith("killed|linear|3 folds, only 1 of 3|0.400")
    assert shown[3].startswith("undefined|linear|3 folds, only 2 of 3|0.300")
    assert failure == "  failed: failed, linear, seed 0 fold 2: Out of memory."


def test_over_floor_is_paired_over_the_runs_of_the_line(add_run: AddRun, results: Path) -> None:
    for fold in (1, 2, 3):
        add_run("colour", predicted(0.3, seed=fold), fold=fold)
        if fold < 3:
            add_run("uni", predicted(1.5, seed=10 + fold), fold=fold)
    rebuild(results)
    (line,) = lines(results / "leaderboard_paired.csv", metric="balanced_accuracy", n_runs="2")
    assert (line["model_a"], line["model_b"]) == ("uni", "colour")
    difference, low, high = (float(line[name]) for name in ("difference", "ci_low", "ci_high"))
    assert f"{difference:+.3f} [{low:+.3f}, {high:+.3f}] *" in block(results, "demo")[2]


def test_over_floor_is_over_one_of_the_same_protocol_and_settings(add_run: AddRun, results: Path) -> None:
    def of_uni() -> list[str]:
        (line,) = [line for line in block(results, "demo") if line.startswith("  uni ")]
        return re.split(" {2,}", line.strip())

    add_run("uni", predicted(3.0, seed=1), settings="own")
    add_run("colour", predicted(0.3, seed=2), settings="own")
    before = of_uni()
    assert "] *" in " ".join(before)
    add_run("random_vit_s16", predicted(1.5, seed=3), settings="other")
    add_run("random_vit_s16", predicted(1.5, seed=3), settings="own", protocol="knn")
    assert of_uni() == ["uni", "linear [own]", *before[2:]]


def test_the_smaller_error_is_first(add_run: AddRun, results: Path) -> None:
    for model, error in (("a", 2.0), ("b", 1.0), ("c", None), ("colour", 3.0), ("random_vit_s16", 4.0)):
        add_run(model, values={"mae": error, "r2": 0.1}, kind="regression", primary_metric="mae", classes=["x"])
    _, heading, *rows = block(results, "demo")
    assert [row.split()[0] for row in rows] == ["b", "a", "colour", "random_vit_s16", "c"]
    assert heading.split() == ["model", "protocol", "mae", "[95", "%]", "r2", "over", "floor", "[95", "%]", "tiles/s"]


def test_unknown_values_are_dashes(add_run: AddRun, results: Path) -> None:
    add_run("uni", values={"balanced_accuracy": None, "auroc": None}, tiles_per_s=None)
    add_run("dino", values={"balanced_accuracy": 0.5}, tiles_per_s=None)
    _, _, dino, uni = block(results, "demo")
    assert dino.split() == ["dino", "linear", "0.500", "[-,", "-]", "-", "-", "-"]
    assert uni.split() == ["uni", "linear", "-", "-", "-", "-"]


def test_a_task_where_all_failed_still_shows(add_run: AddRun, results: Path) -> None:
    add_run("uni", status="failed", error="Out of memory.")
    assert block(results, "demo")[1:] == ["  failed: uni, linear, seed 0: Out of memory."]


def test_notes_are_said_once_with_their_models(add_run: AddRun, results: Path) -> None:
    add_run("a", predicted(1.0), notes=["synthetic"])
    add_run("b", predicted(1.0), notes=["synthetic", "seen at half the mpp"])
    assert block(results, "demo")[-2:] == ["  note: b: seen at half the mpp", "  note: a, b: synthetic"]


def test_command_rebuilds_and_prints(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"results={filled}"]) == 0
    out = capsys.readouterr().out
    assert "virchow2 is gated" in out
    for name in ("leaderboard.csv", "leaderboard_mean.csv", "leaderboard_wide.csv", "leaderboard_paired.csv"):
        assert str(filled / name) in out
        assert (filled / name).is_file()


def test_command_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "results=DIR" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["results=nowhere"], ["result=x"], ["results="], ["--verbose"]])
def test_command_says_one_sentence_and_exits_with_two(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "results=DIR" in captured.err


def test_no_torch_for_a_table() -> None:
    code = "import bench.report, sys; sys.exit(bool({'torch', 'sklearn', 'pandas', 'pyarrow'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])
