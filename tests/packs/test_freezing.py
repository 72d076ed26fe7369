"""Frozen tasks are those of conf/task, and a record is never changed."""

import dataclasses

import pytest

from bench import frozen, runs, tasks
from bench.packs.freeze import _check, freeze, freeze_command, published
from registry.errors import UserError


def test_every_published_task_is_frozen_as_conf_has_it():
    records = frozen.frozen_tasks()

    assert sorted(records) == published()
    for name in published():
        assert records[name] == dataclasses.replace(
            freeze(name), cohort=records[name].cohort, digest=records[name].digest, folds=records[name].folds
        ), f"the task {name} was changed: give it another name, and freeze that (python -m bench freeze)"


@pytest.mark.slow  # makes the images
def test_the_built_in_cohort_makes_the_frozen_digests(tmp_path):
    assert freeze("demo", "") == frozen.frozen_tasks()["demo"]


def test_what_a_tile_is_changes_the_digest_and_where_the_data_lie_does_not():
    of = runs.published_task("pcam")

    def digests(**changes):
        task = dataclasses.replace(of, **changes)
        return tasks.task_digest(task, "c0ffee"), tasks.settings_digest(task)

    assert digests(data="/elsewhere", title="other", notes=["x"]) == digests()
    assert [a != b for a, b in zip(digests(tile_size=48), digests(), strict=True)] == [True, True]
    assert [a != b for a, b in zip(digests(metric="auroc"), digests(), strict=True)] == [False, True]
    assert tasks.task_digest(of, "c0ffee") != tasks.task_digest(of, "c0ffef")


def test_a_record_that_would_change_is_refused(tmp_path, capsys):
    out = tmp_path / "tasks.json"
    record = dataclasses.replace(freeze("pcam"), settings="0ther000")
    frozen.written(out, {"pcam": record})

    assert freeze_command(["task=pcam", "data=/nowhere", f"out={out}"]) == 2
    assert freeze_command([f"out={out}"]) == 2

    *_, line = capsys.readouterr().err.splitlines()
    assert "The task pcam is frozen with other settings" in line
    assert frozen.read_records(out) == {"pcam": record}


def test_samples_that_are_frozen_stay_and_other_samples_are_refused(tmp_path):
    out = tmp_path / "tasks.json"
    record = dataclasses.replace(freeze("pcam"), cohort="c0ffee00", digest="d1")
    frozen.written(out, {"pcam": record})

    assert freeze_command([f"out={out}"]) == 0
    assert frozen.read_records(out)["pcam"] == record
    with pytest.raises(UserError, match="frozen with other samples"):
        _check(record, dataclasses.replace(record, cohort="0ther000"))


@pytest.mark.parametrize("argument", ["task=tiles", "tsk=pcam", "task=nothing"])
def test_what_cannot_be_frozen_is_one_sentence(tmp_path, capsys, argument):
    assert freeze_command([argument, f"out={tmp_path / 't.json'}"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_freeze_that_adds_nothing_says_so(tmp_path, capsys):
    out = tmp_path / "tasks.json"
    assert [freeze_command([f"out={out}"]) for _ in range(2)] == [0, 0]
    first, _, last = capsys.readouterr().out.rpartition("Nothing is added")
    assert "settings alone" in first
    assert str(out) in last
