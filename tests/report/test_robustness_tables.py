"""The tables and the printed answer of robustness tasks on numbers that are worked out by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from leaderboard_runs import AddRun, lines, rebuild
from robustness_rows import add_head, add_similarity

from bench.report import table_text
from bench.results import read_leaderboard


@pytest.fixture
def robust(made: Path, results: Path) -> Path:
    """The rows and tables of `made`, for one test to change."""
    shutil.copytree(made, results)
    return results


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, add_run_to: Callable[[Path], AddRun]) -> Path:
    """Two encoders and a baseline on 40 tiles, 20 a class; the wrong ones of each class are the numbers below.

    uni: 2 on clean tiles, behind jpeg 1 and 5 4 and 8, behind blur 1 2. gpfm loses more, colour nothing. lpfm gives uni
    3 and 6 of jpeg back and costs it 6 on blur; median costs clean tiles 8.
    """
    results = tmp_path_factory.mktemp("robust")
    add_run = add_run_to(results)
    for model, wrong in (("uni", (2, 4, 8, 2)), ("gpfm", (1, 6, 12, 5)), ("colour", (7, 7, 7, 7))):
        for frontend, n in zip(("", "jpeg_1", "jpeg_5", "blur_1"), wrong, strict=True):
            add_head(add_run, model, frontend, n, shift=0.375 if frontend else 0.0)
            add_head(add_run, model, frontend, max(0, n - 1), protocol="linear-augmented")
            cosine = 1.0 if not frontend else 0.9 if model == "uni" else 0.8
            add_similarity(add_run, model, frontend, [cosine, cosine - 0.1 * bool(frontend)], top1=0.5)
    for frontend, n in (("lpfm", 2), ("jpeg_1+lpfm", 1), ("jpeg_5+lpfm", 2), ("blur_1+lpfm", 8)):
        add_head(add_run, "uni", frontend, n)
    for frontend, n in (("median", 10), ("jpeg_1+median", 4), ("jpeg_5+median", 7), ("blur_1+median", 3)):
        add_head(add_run, "uni", frontend, n)
    add_head(add_run, "uni", "blur_1+unsharp", 1)
    add_similarity(add_run, "uni", "jpeg_1+lpfm", [0.95, 0.95], [0.9, 0.8])
    add_head(add_run, "uni", "median+jpeg_1", 5)
    rebuild(results)
    return results


def of(results: Path, table: str = "robustness", **where: str) -> dict[str, str]:
    [line] = lines(results / f"{table}.csv", **where)
    return line


def test_a_line_has_the_score_and_what_it_lost(robust: Path) -> None:
    line = of(robust, model="uni", protocol="linear", corruption="jpeg", severity="5", restorer="none")
    assert (line["metric"], line["value"], line["error"]) == ("balanced_accuracy", "0.600000", "0.400000")
    assert line["relative_error"] == "4.000000", "four times the error of .1 on clean tiles"
    assert line["over_clean"] == "-0.300000"
    assert float(line["over_clean_low"]) < -0.3 < float(line["over_clean_high"]) < 0
    assert (line["over_none"], line["p_none"]) == ("", "")
    assert line["threshold_shift"] == "0.375000"
    assert (line["baseline"], line["n_test"], line["n_groups"]) == ("0", "40", "40")
    assert of(robust, model="colour", protocol="linear", corruption="blur")["over_clean"] == "0.000000", "baselines too"


def test_a_restorer_is_set_against_none_and_the_best_filter(robust: Path) -> None:
    line = of(robust, model="uni", corruption="jpeg", severity="5", restorer="lpfm")
    assert (line["over_none"], line["over_clean"]) == ("0.300000", "0.000000")
    assert (line["best_classical"], line["over_classical"]) == ("median", "0.250000")
    # of 40 tiles 12 become right: exchanging both predictions of a tile changes nothing on the other 28
    assert float(line["p_none"]) < 0.01 < float(line["p_none_holm"]) * 2
    assert of(robust, model="uni", corruption="blur", restorer="lpfm")["best_classical"] == "unsharp"
    clean = of(robust, model="uni", corruption="", restorer="median", protocol="linear")
    assert (clean["over_none"], clean["over_clean"]) == ("-0.400000", "-0.400000"), "the restorer on clean tiles"
    features = of(robust, protocol="similarity", model="uni", corruption="jpeg", severity="1", restorer="lpfm")
    assert (features["cosine"], features["top1"]) == ("0.950000", "1.000000")
    assert features["recovery"] == "0.666667", "1 - .1 / .3"
    assert features["error"] == features["ece"] == ""


def test_the_summary_is_of_all_cases_with_corruptions_alike(robust: Path) -> None:
    line = of(robust, "robustness_summary", model="uni", protocol="linear", restorer="none")
    assert (line["n_corruptions"], line["n_cases"], line["clean"]) == ("2", "3", "0.900000")
    # CE .3 of jpeg and .1 of blur
    assert (line["mce"], line["rce"], line["mean"]) == ("0.200000", "2.000000", "0.800000")
    assert (line["loss"], line["relative_loss"]) == ("0.100000", "0.111111")
    assert 0 < float(line["loss_low"]) < 0.1 < float(line["loss_high"])
    line = of(robust, "robustness_summary", model="uni", protocol="linear", restorer="lpfm")
    # CE .075 of jpeg and .4 of blur
    assert (line["mce"], line["mce_unrestored"], line["over_none"]) == ("0.237500", "0.200000", "-0.037500")
    assert line["recovery"] == "-0.375000", "-.0375 of a loss of .1"
    assert line["on_clean"] == "0.000000"
    line = of(robust, "robustness_summary", model="uni", protocol="linear", restorer="best classical")
    # jpeg: median with .2 and .35; blur: unsharp with .05
    assert (line["mce"], line["over_none"], line["n_cases"]) == ("0.162500", "0.037500", "3")
    assert of(robust, "robustness_summary", model="gpfm", protocol="linear-augmented")["mean"] == "0.700000"


def test_a_restorer_of_some_cases_is_set_against_these(robust: Path) -> None:
    line = of(robust, "robustness_summary", model="uni", protocol="linear", restorer="unsharp")
    assert (line["n_cases"], line["mce"], line["mce_unrestored"], line["over_none"]) == (
        *("1", "0.050000", "0.100000", "0.050000"),
    )


def test_what_is_printed_begins_with_the_answer(robust: Path) -> None:
    shown = table_text(read_leaderboard(robust)).splitlines()
    assert max(map(len, shown)) <= 120
    assert shown[0] == (
        "robustness  balanced_accuracy of linear and features against those of clean tiles, 40 tiles, 40 groups"
    )
    assert shown[1] == "  3 cases: 2 corruptions, severities 1, 5"
    assert shown[2].startswith("  uni loses least: 0.100 [")
    assert shown[3].startswith("  gpfm loses most: 0.300 [")
    assert shown[4] == "  baselines: colour 0.000 of 0.650"
    assert shown[5].startswith("  no restorer gives uni anything back beyond chance; the most is unsharp, +0.050 [")
    assert shown[6].startswith("    beside it: the best filter of each case +0.03")
    assert shown[6].endswith(", a head trained on corrupted tiles +0.050")
    assert "  median harms clean tiles of 1 of 1 encoders; most clean tiles of uni, -0.400" in shown
    assert "  left out: 1 results behind 1 chains of another form (median+jpeg_1)" in shown
    cells = {line.split("  ")[1] or line.split("  ")[2]: line.split() for line in shown if line.startswith("  ")}
    assert cells["uni"][-6:] == ["-", "0.850", "0.500", "-", "-", "-"]
    assert cells["lpfm"][-5:] == ["0.950", "1.000", "+0.67", *cells["lpfm"][-2:]]
    assert not any(line.strip().startswith(("median ", "unsharp ")) and "[" in line for line in shown), "no filters"
    assert not any("over baseline" in line for line in shown)


def test_models_are_ranked_behind_the_same_chain_and_robustness_is_no_task_of_a_suite(robust: Path) -> None:
    found = lines(robust / "leaderboard_ranks.csv", protocol="linear", frontend="jpeg_5")
    assert {line["model"]: line["rank"] for line in found} == {"uni": "2.0", "gpfm": "3.0", "colour": "1.0"}
    assert lines(robust / "leaderboard_suites.csv") == []


def test_pairs_are_of_one_chain_or_of_one_model_behind_less_of_it(robust: Path) -> None:
    pairs = lines(robust / "leaderboard_paired.csv", protocol="linear", metric="balanced_accuracy")
    for line in pairs:
        if line["model_a"] == line["model_b"]:
            assert line["frontend_b"] in ("", line["frontend_a"].rpartition("+")[0], "median")
        else:
            assert line["frontend_a"] == line["frontend_b"]
    of_lpfm = {(line["model_b"], line["frontend_b"]) for line in pairs if line["frontend_a"] == "jpeg_5+lpfm"}
    assert of_lpfm == {("uni", ""), ("uni", "jpeg_5")}


def test_failures_are_named(robust: Path, add_run: AddRun) -> None:
    add_run("virchow2", task="robustness", frontend="jpeg_1", status="failed", error="virchow2 is gated:\n ask.")
    assert (
        "  failed: virchow2 behind jpeg_1, linear: virchow2 is gated: ask."
        in table_text(read_leaderboard(robust)).splitlines()
    )
    for number in range(12):
        add_run("zoo", task="robustness", frontend="jpeg_1", seed=number, status="lost", error="The job was lost.")
    shown = table_text(read_leaderboard(robust)).splitlines()
    assert shown.count("  lost: zoo behind jpeg_1, linear: The job was lost.") == 4
    assert "  And 8 more failed or are lost." in shown


def test_features_alone_have_a_table(results: Path, add_run: AddRun) -> None:
    add_similarity(add_run, "uni", "", [1.0, 1.0])
    add_similarity(add_run, "uni", "jpeg_1", [0.9, 0.7])
    rebuild(results)
    shown = table_text(read_leaderboard(results)).splitlines()
    assert shown[0] == "robustness  features against those of clean tiles, 2 tiles, 2 groups"
    assert next(line for line in shown if line.startswith("  uni")).split()[1:7] == [
        "-",
        "-",
        "-",
        "-",
        "0.800",
        "1.000",
    ]


def test_rows_without_predictions_have_means_and_no_intervals(results: Path, add_run: AddRun) -> None:
    add_similarity(add_run, "uni", "", [1.0, 1.0])
    for frontend, score, ece in (("", 0.9, 0.02), ("jpeg_1", 0.8, 0.1), ("jpeg_2", 0.6, 0.2), ("hue_1", 0.9, 0.03)):
        add_run("uni", task="robustness", frontend=frontend, values={"balanced_accuracy": score, "ece": ece})
    rebuild(results)
    line = of(results, "robustness_summary", protocol="linear")
    assert (line["mean"], line["mce"], line["rce"]) == ("0.800000", "0.200000", "2.000000")
    assert (line["ece_clean"], line["ece"], line["loss"]) == ("0.020000", "0.090000", "")
    line = of(results, protocol="linear", corruption="jpeg", severity="2")
    assert (line["value"], line["ci_low"], line["ece"], line["over_clean"]) == ("0.600000", "", "0.200000", "")
    assert "uni" in table_text(read_leaderboard(results))


def test_without_robustness_there_are_no_such_files(results: Path, add_run: AddRun) -> None:
    add_run("uni", values={"auroc": 0.9})
    rebuild(results)
    assert not (results / "robustness.csv").exists()
    assert not (results / "plots").exists()


def test_the_augmented_head_is_that_without_a_restorer(robust: Path, add_run: AddRun) -> None:
    def lines() -> list[str]:
        return [line for line in table_text(read_leaderboard(robust)).splitlines() if "augmented head  " in line]

    before = lines()
    for frontend in ("zeta", "jpeg_1+zeta", "jpeg_5+zeta", "blur_1+zeta"):
        add_head(add_run, "uni", frontend, 19, protocol="linear-augmented")

    assert len(before) == 2
    assert lines() == before


def test_a_warning_of_synthetic_images_stands_above_the_answer_and_the_table(results: Path, add_run: AddRun) -> None:
    note = "synthetic images, made by this program"
    for frontend in ("", "jpeg_1"):
        add_similarity(add_run, "uni", frontend, [1.0, 0.9])
        add_run("uni", task="robustness", frontend=frontend, values={"balanced_accuracy": 0.9}, notes=[note, "another"])
    shown = table_text(read_leaderboard(results)).splitlines()
    places = [place for place, line in enumerate(shown) if note in line]
    assert [shown[place] for place in places] == [f"  Warning: {note}"] * 2
    assert places[0] == 1
    assert places[1] < next(place for place, line in enumerate(shown) if line.startswith("  uni "))
    assert "  note: another" in shown
