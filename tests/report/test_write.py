"""Which files are written: tables of ranks, diagrams of heads on many tasks, and nothing with a wrong margin."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, lines, predicted, rebuild

from bench.config import BenchConfig
from bench.report import write_tables
from bench.report.__main__ import main
from bench.report.figures import write_rank_diagrams
from bench.report.report_files import ReportFiles
from bench.report.tables import MARGIN
from bench.results import read_leaderboard
from registry.errors import UserError

PAIRED_MODELS = {"uni": 3.0, "resnet50": 1.5, "dino": 0.7}


def fill(add_run: AddRun, n_tasks: int, **changes: str) -> None:
    for task in range(n_tasks):
        for place, (model, skill) in enumerate(PAIRED_MODELS.items()):
            add_run(model, predicted(skill, seed=10 * task + place), task=f"t{task}", **changes)


def diagrams(results: Path) -> list[str]:
    return sorted(path.name for path in results.glob("*.svg"))


def test_ranks_of_a_task_are_in_a_table_and_a_single_task_is_no_suite(filled: Path, add_run: AddRun) -> None:
    add_run("uni", predicted(1.0), task="alone", protocol="knn")
    written = rebuild(filled)
    table = lines(written["ranks on each task"], task="demo")
    assert {line["model"]: line["rank"] for line in table if line["model"] in ("uni", "resnet50", "virchow2")} == {
        **{"uni": "1.0", "resnet50": "2.0", "virchow2": ""},
    }
    of_suites = lines(written["mean ranks over tasks"])
    assert {line["protocol"] for line in of_suites} == {"linear"}
    assert {line["model"] for line in of_suites} == {"uni", "resnet50", "virchow2"}
    assert diagrams(filled) == []


def test_no_suite_is_a_table_of_a_heading(results: Path, add_run: AddRun) -> None:
    add_run("uni", predicted(1.0))
    written = rebuild(results)
    (heading,) = written["mean ranks over tasks"].read_text().splitlines()
    assert heading.startswith("protocol,metric,n_tasks")


def test_a_head_on_many_tasks_has_a_diagram(results: Path, add_run: AddRun) -> None:
    fill(add_run, 5)
    written = rebuild(results)
    path = written["ranks with linear"]
    assert path == results / "critical_difference-linear.svg"
    text = list(ElementTree.fromstring(path.read_text()).itertext())
    assert "Mean ranks over 5 tasks, linear" in text
    assert {"uni", "resnet50", "dino"} <= set(text)
    before = path.read_bytes()
    rebuild(results)
    assert path.read_bytes() == before
    with_plots = ReportFiles(results, read_leaderboard(results), MARGIN, plots="best")
    assert write_rank_diagrams(with_plots) == {}, "the plots have the diagram"
    assert diagrams(results) == []


def test_settings_of_one_protocol_have_diagrams_of_their_own(results: Path, add_run: AddRun) -> None:
    fill(add_run, 5)
    rebuild(results)
    (results / "critical_difference-paper.svg").write_text("mine")
    fill(add_run, 5, head_config_hash="other")
    fill(add_run, 5, protocol="a/b", head_config_hash="x")
    written = rebuild(results)
    assert diagrams(results) == [
        "critical_difference-a%2Fb.svg",
        "critical_difference-linear-1f2e3d4c.svg",
        "critical_difference-linear-other.svg",
        "critical_difference-paper.svg",
    ]
    assert written["ranks with linear [other]"].name == "critical_difference-linear-other.svg"


def test_a_diagram_that_no_longer_holds_is_removed(results: Path, add_run: AddRun) -> None:
    fill(add_run, 5)
    rebuild(results)
    assert diagrams(results)
    add_run("uni", task="t0", status="failed", error="Out of memory.")
    written = rebuild(results)
    assert diagrams(results) == []
    assert not [what for what in written if what.startswith("ranks with")]


@pytest.mark.parametrize("margin", ["0", "-0.02", "nan", "inf", "a", "0,03"])
def test_a_margin_that_is_no_number_above_0_is_refused_before_anything_is_read(
    margin: str, filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.report.__main__.read_leaderboard", lambda _: pytest.fail("rows were read"))
    assert main([f"results={filled}", f"margin={margin}"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "must be a number above 0" in captured.err
    assert not list(filled.glob("*.csv"))


def test_tables_are_not_written_with_a_margin_of_0(filled: Path) -> None:
    data = read_leaderboard(filled)
    with pytest.raises(UserError, match=r"margin=0 must be a number above 0.*margin=0\.02"):
        write_tables(filled, data, 0)
    assert not list(filled.glob("*.csv"))


def test_the_margin_is_that_of_equivalence(filled: Path) -> None:
    found = {}
    for margin in ("0.02", "0.3"):
        assert main([f"results={filled}", f"margin={margin}", "plots=none"]) == 0
        where = {"task": "demo", "metric": "accuracy", "model_a": "uni", "model_b": "colour"}
        (line,) = lines(filled / "leaderboard_paired.csv", **where)
        assert float(line["margin"]) == float(margin)
        found[margin] = float(line["p_equivalent"])
    assert found["0.3"] < found["0.02"]


def test_plots_of_no_choice_that_there_is_are_refused(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"results={filled}", "plots=some"]) == 2
    assert capsys.readouterr().err == "pfmbench: plots=some must be one of best, all, none.\n"


def test_the_margin_of_a_run_is_the_one_of_a_report() -> None:
    assert BenchConfig().margin == MARGIN


def test_two_models_on_one_patient_have_a_difference_without_interval(results: Path, add_run: AddRun) -> None:
    for model, skill in (("uni", 2.0), ("dino", 1.0)):
        add_run(model, replace(predicted(skill, seed=1), groups=np.array(["patient"] * 60)))
    rebuild(results)
    (line,) = lines(results / "leaderboard_paired.csv", metric="accuracy")
    assert line["difference"]
    assert [line[name] for name in ("ci_low", "ci_high", "p", "p_better", "detectable")] == [""] * 5
    assert {line["ci_low"] for line in lines(results / "leaderboard_ranks.csv")} == {""}
