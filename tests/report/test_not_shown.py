"""What the printed table leaves out is named: other tasks, cohorts and heads."""

from __future__ import annotations

import itertools
from pathlib import Path

from leaderboard_runs import HEAD, AddRun, predicted, text

from bench.report import table_text
from bench.results import read_leaderboard

ALL = "all=true shows all"


def test_tasks_that_are_not_shown_are_named(filled: Path, add_run: AddRun) -> None:
    assert "not shown" not in table_text(read_leaderboard(filled))
    assert "other  primary" in table_text(read_leaderboard(filled))
    add_run("uni", predicted(1.0), task="third")
    shown = text(filled, task="demo")
    assert "other  primary" not in shown
    assert "third  primary" not in shown
    assert shown.splitlines()[-1] == f"not shown: rows of other tasks (other, third); {ALL}"
    nothing = text(filled, task="pcam")
    assert nothing == f"No rows.\n\nnot shown: rows of other tasks (demo, other, third); {ALL}"


def test_no_rows_at_all(results: Path) -> None:
    assert table_text(read_leaderboard(results), []) == table_text(read_leaderboard(results)) == "No rows."


def test_cohorts_and_heads_that_are_not_shown_are_named(add_run: AddRun, results: Path) -> None:
    add_run("uni", predicted(1.0))
    add_run("uni", predicted(1.0), cohort_hash="cohort_b")
    add_run("uni", predicted(1.0), cohort_hash="cohort_c", head_config_hash="0000")
    add_run("uni", predicted(1.0), head_config_hash="0000")
    add_run("uni", predicted(1.0), protocol="knn")
    of_cohorts = f"not shown: rows of demo with other samples, splits or metrics (cohort_b, cohort_c); {ALL}"
    of_heads = f"not shown: rows of demo with other heads or settings (knn [{HEAD}], linear [0000]); {ALL}"
    one = text(results, cohort="demo", protocol="linear", head=HEAD)
    assert " ".join(one.split("\n\n")[-1].split()) == f"{of_cohorts} {of_heads}"
    assert max(map(len, one.splitlines())) <= 120
    cohort = text(results, cohort="demo")
    assert " ".join(cohort.split("\n\n")[-1].split()) == of_cohorts
    assert cohort.count("not shown") == 1
    everything = table_text(read_leaderboard(results))
    assert "not shown" not in everything
    for cohort in ("demo", "cohort_b", "cohort_c"):
        assert f"demo [{cohort}]  primary metric" in everything
    two = text(results, head=HEAD).split("\n\n")[-1]
    assert two.count("(cohort_c); ") == 2
    assert "cohort_b)" not in two, "what is shown is not named as not shown"


def test_all_rows_and_blocks_are_shown_or_named(add_run: AddRun, results: Path) -> None:
    names = {"task": ("t1", "t2"), "cohort_hash": ("c1", "c2"), "protocol": ("p1", "p2"), "head_config_hash": "ab"}
    for values in itertools.product(*names.values()):
        add_run("uni", values={"balanced_accuracy": 0.5}, **dict(zip(names, values, strict=True)))
    data = read_leaderboard(results)
    assert len({entry.key.block for entry in data.entries}) == 16
    shown = table_text(data, {("t1", "c1", "p1", "a")})
    assert "other tasks (t2);" in shown
    assert "other samples, splits or metrics (c2);" in shown
    assert "other heads or settings (p1 [b], p2 [a], p2 [b]);" in shown
    assert sum(line.startswith("  uni  ") for line in shown.splitlines()) == 1
    everything = table_text(data)
    assert sum(line.startswith("  uni  ") for line in everything.splitlines()) == 16
    assert "not shown" not in everything
