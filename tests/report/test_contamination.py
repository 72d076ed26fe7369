"""Models that saw a task's cohorts in pretraining are marked in the tables, and can be left out of them."""

from pathlib import Path

import pytest
from leaderboard_runs import AddRun, lines, predicted, rebuild
from merged_folders import tables

import bench
from bench.report.__main__ import main
from bench.results import contamination_of
from bench.rows import Row
from registry.errors import UserError

EVIDENCE = "TCGA was used, as its paper states."


def seen(level: str, evidence: str = EVIDENCE) -> dict[str, object]:
    return {"contamination": {"level": level, "evidence": evidence}}


@pytest.fixture
def saw(results: Path, add_run: AddRun) -> Path:
    """Of two tasks, one whose cohorts some models saw."""
    for task in ("tcga", "own"):
        for place, (model, level) in enumerate(
            {"gpfm": "stated", "uni": "inferred", "plain": "none", "dark": "unknown"}.items()
        ):
            info = seen(level if task == "tcga" else "none")
            add_run(model, predicted(place, seed=place), task=task, info=info)
        add_run("earlier", predicted(1.0, seed=7), task=task)
        add_run("colour", predicted(0.1, seed=8), task=task, info=seen("none", ""))
    return results


def test_every_table_of_models_says_whether_they_saw_the_task(saw: Path) -> None:
    rebuild(saw)
    levels = {"gpfm": "stated", "uni": "inferred", "plain": "none", "dark": "unknown", "earlier": "", "colour": "none"}
    for name in ("leaderboard", "leaderboard_mean", "leaderboard_ranks"):
        table = lines(saw / f"{name}.csv", task="tcga")
        assert {line["model"]: line["contaminated"] for line in table} == levels
    (line,) = lines(saw / "leaderboard.csv", task="tcga", model="gpfm", metric="auroc")
    assert line["contamination_evidence"] == EVIDENCE
    pairs = lines(saw / "leaderboard_paired.csv", task="tcga", metric="auroc")
    assert {(line["contaminated_a"], line["contaminated_b"]) for line in pairs} == {
        (levels[line["model_a"]], levels[line["model_b"]]) for line in pairs
    }
    wide = {line["model"]: line["contaminated"] for line in lines(saw / "leaderboard_wide.csv")}
    assert (wide["gpfm"], wide["uni"], wide["dark"]) == ("tcga: stated", "tcga: inferred", "")
    assert {line["model"]: line["contaminated"] for line in lines(saw / "models.csv")} == wide


def test_the_page_for_a_forge_marks_them_with_the_evidence(saw: Path) -> None:
    rebuild(saw)
    text = (saw / "leaderboard.md").read_text()
    assert text.count("**gpfm** †") == text.count("**uni** ‡") == text.count("**dark** (?)") == 1
    assert f"† gpfm: {EVIDENCE}" in text
    assert "**plain** |" in text
    assert "**earlier** |" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "left"),
    [
        ("keep", {"gpfm", "uni", "plain", "dark", "earlier", "colour"}),
        ("leave_out", {"plain", "dark", "earlier", "colour"}),
        ("leave_out_unknown", {"plain", "colour"}),
    ],
)
def test_they_are_left_out_of_that_task_on_request(
    saw: Path, choice: str, left: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"results={saw}", f"contaminated={choice}"]) == 0
    printed = capsys.readouterr().out
    for name in ("leaderboard", "leaderboard_ranks"):
        assert {line["model"] for line in lines(saw / f"{name}.csv", task="tcga")} == left
        own = {line["model"] for line in lines(saw / f"{name}.csv", task="own")}
        assert own == {
            "gpfm",
            "uni",
            "plain",
            "dark",
            "colour",
            *(["earlier"] if choice != "leave_out_unknown" else []),
        }
    pairs = lines(saw / "leaderboard_paired.csv", task="tcga")
    assert {line[side] for line in pairs for side in ("model_a", "model_b")} == left
    sentence = "Left out of tcga (contaminated=leave_out): gpfm (stated, 1 row), uni (inferred, 1 row)."
    for text in (printed, (saw / "leaderboard.md").read_text().replace("\\", "")):
        assert (sentence in text) == (choice == "leave_out")
        assert ("Of 3 rows in the tables it is not known" in text) == (choice == "leave_out")


@pytest.mark.slow
def test_tables_of_all_rows_are_the_same_after_some_were_left_out(saw: Path) -> None:
    assert main([f"results={saw}"]) == 0
    before = tables(saw)
    assert main([f"results={saw}", "contaminated=leave_out"]) == 0
    assert tables(saw) != before
    assert main([f"results={saw}"]) == 0
    assert tables(saw) == before


def test_a_data_frame_has_the_same_filter(saw: Path) -> None:
    every = bench.leaderboard(saw)
    with pytest.warns(UserWarning, match="Left out of tcga"):
        left = bench.leaderboard(saw, contaminated="leave_out")
    assert set(every[every.task == "tcga"].model) - set(left[left.task == "tcga"].model) == {"gpfm", "uni"}
    with pytest.raises(UserError, match="contaminated=drop is no choice"):
        bench.leaderboard(saw, contaminated="drop")


def test_another_choice_is_refused(saw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"results={saw}", "contaminated=drop"]) == 2
    assert "contaminated=drop is no choice" in capsys.readouterr().err


def test_a_folder_of_contaminated_rows_alone_is_an_error_that_names_them(
    results: Path, add_run: AddRun, capsys: pytest.CaptureFixture[str]
) -> None:
    add_run("gpfm", predicted(1.0), info=seen("stated"))
    assert main([f"results={results}", "contaminated=leave_out"]) == 2
    assert "Every row would be left out: Left out of demo" in capsys.readouterr().err


def test_a_row_of_an_earlier_version_says_nothing() -> None:
    assert contamination_of([Row("t", "m", "", "p", 0, "ok", "auroc")]) == ("", "")


@pytest.mark.parametrize(
    "info", [seen("certain", ""), {"contamination": "stated"}, {"contamination": {"level": ["a"]}}]
)
def test_what_is_no_level_is_not_known(info: dict[str, object]) -> None:
    assert contamination_of([Row("t", "m", "", "p", 0, "ok", "auroc", info=info)]) == ("unknown", "")


def test_of_rows_that_differ_the_surest_counts() -> None:
    found = [Row("t", "m", "", "p", 0, "ok", "auroc", info=seen(level)) for level in ("none", "stated", "unknown")]
    assert contamination_of(found).level == "stated"
