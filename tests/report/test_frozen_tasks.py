"""Tables show the digest of a task, and never mix tasks that have one name."""

import dataclasses

import pytest
from leaderboard_runs import lines, predicted, rebuild, text

from bench import frozen, rows
from bench.frozen import FrozenTask
from bench.results import frozen_tasks, read_leaderboard


@pytest.fixture(autouse=True)
def _published(monkeypatch):
    """The task ``demo`` is frozen on the cohort of `add_run`, as the digest d0; ``other`` by its settings alone."""
    records = {"demo": FrozenTask("demo", {}, "s0", "demo", "d0"), "other": FrozenTask("other", {}, "s0")}
    monkeypatch.setattr(frozen_tasks, "frozen_tasks", lambda: records)
    assert frozen.frozen_tasks().keys() >= {"demo", "demo_slides", "pcam", "nct_crc"}


def digests(results, row, task, settings="s0"):
    """Have a row say these digests."""
    rows.write(results, dataclasses.replace(row, info={"task_digests": {"task": task, "settings": settings}}), None)


def test_tables_and_terminal_show_the_digest_and_whether_it_is_the_published_one(add_run, results):
    for task, settings in (("demo", "s0"), ("other", "s0"), ("mine", "s0")):
        digests(results, add_run("uni", predicted(1.5), task=task), "d0", settings)
    rebuild(results)

    shown = {line["task"]: (line["task_digest"], line["frozen"]) for line in lines(results / "leaderboard_mean.csv")}
    assert shown == {"demo": ("d0", "samples"), "other": ("d0", "settings"), "mine": ("d0", "own")}
    assert {line["frozen"] for line in lines(results / "leaderboard.csv", task="demo")} == {"samples"}
    assert "60 test samples, 10 groups, digest d0 (frozen)" in text(results, task="demo")


def test_another_task_under_the_name_of_a_published_one_is_shown_as_another(add_run, results):
    digests(results, add_run("uni", predicted(1.5)), "d1")
    rebuild(results)

    assert {line["frozen"] for line in lines(results / "leaderboard.csv")} == {"changed"}
    assert "demo [d1]  primary metric" in text(results)
    assert "digest d1 (not the published task of this name)" in text(results)


def test_of_two_tasks_with_one_name_the_published_one_is_shown_and_the_other_named(add_run, results):
    digests(results, add_run("uni"), "d0")
    digests(results, add_run("seen_otherwise", seed=0), "d1")
    digests(results, add_run("seen_otherwise_too", seed=0), "d1")
    add_run("of_an_earlier_version")
    warned = []

    data = read_leaderboard(results, warn=warned.append)

    assert {entry.key.model for entry in data.entries} == {"uni", "of_an_earlier_version"}
    assert "are 2 rows of demo with the task digest d1 (seen_otherwise, seen_otherwise_too)" in warned[0]
    assert data.other_tasks == warned


def test_of_tasks_that_are_not_published_the_one_of_most_rows_is_shown(add_run, results):
    for model, digest in (("a", "d1"), ("b", "d1"), ("c", "d0")):
        digests(results, add_run(model, task="mine"), digest)

    assert {entry.key.model for entry in read_leaderboard(results, warn=print).entries} == {"a", "b"}
