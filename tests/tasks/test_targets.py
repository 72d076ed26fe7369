"""Grades, numbers, survival and labels as the answers of a task; each wrong one named in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from task_helpers import sentence, tile

from bench.tasks import Manifest

N = 24  # tiles, of twelve patients


@pytest.fixture
def table(data: Path) -> Callable[..., Path]:
    """A CSV of tiles with the columns given, one value a tile or one for all."""

    def write(**columns: Any) -> Path:
        rows = {
            "path": [tile(data / f"{i}.png", i).name for i in range(N)],
            "patient": [f"P{i // 2}" for i in range(N)],
        }
        pd.DataFrame({**rows, **columns}).to_csv(data / "manifest.csv", index=False)
        return data / "manifest.csv"

    return write


@pytest.mark.slow
def test_grades_are_in_the_order_of_their_numbers_or_as_named(
    read: Callable[..., Manifest], table: Callable[..., Path]
):
    grades = read("tiles", table(label=[[2, 10, 0][i % 3] for i in range(N)]), "tasks.tiles.kind=ordinal")
    assert grades.classes == ("0", "2", "10")
    assert grades.labels[:3].tolist() == [1, 2, 0]
    assert grades.task.metric == "quadratic_kappa"
    file = table(label=[["mild", "severe"][i // 2 % 2] for i in range(N)])
    assert "tasks.tiles.classes=[LOW,...,HIGH]" in sentence(read, "tiles", file, "tasks.tiles.kind=ordinal")
    named = read("tiles", file, "tasks.tiles.kind=ordinal", "tasks.tiles.classes=[severe,mild]")
    assert named.classes == ("severe", "mild")


def test_numbers_of_one_or_several_columns(read: Callable[..., Manifest], table: Callable[..., Path]):
    values = np.random.default_rng(0).normal(size=(N, 2))
    file = table(label=values[:, 0], other=values[:, 1])
    one = read("tiles", file, "tasks.tiles.kind=regression")
    assert one.classes == ("label",)
    assert one.labels.shape == (N, 1)
    two = read("tiles", file, "tasks.tiles.kind=regression", "tasks.tiles.targets=[other,label]")
    assert two.classes == ("other", "label")
    np.testing.assert_array_equal(two.labels, values[:, ::-1])
    quarter = np.searchsorted(np.quantile(values[:, 0], [0.25, 0.5, 0.75]), values[:, 0])
    tested = one.split_labels_of(0) == "test"
    assert len(set(quarter[tested])) >= 3, "the split spreads the values"


def test_survival_is_time_and_event(read: Callable[..., Manifest], table: Callable[..., Path]):
    days, died = np.repeat(np.arange(1, 13), 2) * 30.5, np.repeat([1, 0, 0, 1] * 3, 2)
    found = read("tiles", table(days=days, died=died), "tasks.tiles.kind=survival", "tasks.tiles.targets=[days,died]")
    assert found.classes == ("risk",)
    np.testing.assert_array_equal(found.labels, np.stack([days, died], axis=1))
    for side in ("train", "test"):
        assert found.labels[found.split_labels_of(0) == side, 1].any(), "events on both sides"
    assert "no column time" in sentence(read, "tiles", table(days=days, died=died), "tasks.tiles.kind=survival")


def test_labels_each_for_itself(read: Callable[..., Manifest], table: Callable[..., Path]):
    a, b = np.repeat([0, 1] * 6, 2), np.repeat([0, 0, 1] * 4, 2)
    found = read("tiles", table(tp53=a, kras=b), "tasks.tiles.kind=multilabel", "tasks.tiles.targets=[tp53,kras]")
    assert found.classes == ("tp53", "kras")
    assert found.labels.dtype == np.int64
    np.testing.assert_array_equal(found.labels, np.stack([a, b], axis=1))
    assert found.task.metric == "auroc"


@pytest.mark.parametrize(
    ("columns", "kind", "targets", "parts"),
    [
        (
            {"label": ["12.5"] * (N - 1) + ["high"]},
            "regression",
            "label",
            ("1 samples whose label is no number", "high"),
        ),
        ({"label": ["12,5"] * N}, "regression", "label", ("is no number, for its decimal comma must be a point",)),
        ({"label": [1.5] * N}, "regression", "label", ("one value of label only",)),
        ({"time": [5] * (N - 1) + [0], "event": 1}, "survival", "time,event", ("time is not above 0", "0 of")),
        ({"time": 5, "event": [1] * (N - 2) + [2, 3]}, "survival", "time,event", ("2 samples", "event is neither 1")),
        ({"time": 5, "event": "deceased"}, "survival", "time,event", ("event is neither 1", "(deceased of")),
        ({"time": 5, "event": 0}, "survival", "time,event", ("training samples", "no event")),
        ({"a": [0, 1] * (N // 2), "b": 1}, "multilabel", "a,b", ("no sample without b",)),
        ({"a": [0, 1] * (N // 2), "b": [0, 2] * (N // 2)}, "multilabel", "a,b", ("b is neither 1 nor 0",)),
        ({"a": [0, 1] * (N // 2)}, "survival", "a", ("time and event",)),
        ({"label": [0, 1] * (N // 2), "a": 1}, "classes", "label,a", ("kind classes has 1",)),
    ],
)
def test_an_answer_of_another_kind_is_a_sentence(
    read: Callable[..., Manifest],
    table: Callable[..., Path],
    columns: dict[str, Any],
    kind: str,
    targets: str,
    parts: tuple[str, ...],
):
    message = sentence(read, "tiles", table(**columns), f"tasks.tiles.kind={kind}", f"tasks.tiles.targets=[{targets}]")
    for part in parts:
        assert part in message


def test_measurements_are_not_taken_for_classes(read: Callable[..., Manifest], table: Callable[..., Path]):
    message = sentence(read, "tiles", table(label=np.linspace(0.1, 9.7, N)))
    assert "tasks.tiles.kind=regression" in message


def test_labels_need_their_columns_named_and_a_metric_must_be_of_the_kind(
    read: Callable[..., Manifest], table: Callable[..., Path]
):
    file = table(label=[0, 1] * (N // 2))
    assert "tasks.tiles.targets=[A,B]" in sentence(read, "tiles", file, "tasks.tiles.kind=multilabel")
    assert "choose one of c_index" in sentence(
        read, "tiles", file, "tasks.tiles.kind=survival", "tasks.tiles.metric=auroc"
    )


def test_drawn_folds_test_every_sample_once_and_part_no_patient(
    read: Callable[..., Manifest], table: Callable[..., Path], data: Path
):
    labels = np.repeat([0, 1] * 6, 2)
    file = table(label=labels, split=["train"] * 16 + ["test"] * 8)
    folded = read("tiles", file, "tasks.tiles.split.folds=3")
    assert list(folded.folds) == [1, 2, 3]
    tested = np.stack([folded.split_labels_of(fold) == "test" for fold in folded.folds])
    assert (tested.sum(axis=0) == 1).all()
    assert (folded.frame.groupby("group")["fold"].nunique() == 1).all()
    for one in tested:
        assert set(labels[one]) == {0, 1}
    assert any("own split" in note for note in folded.notes)
    pd.read_csv(file).iloc[::-1].to_csv(file, index=False)
    again = read("tiles", file, "tasks.tiles.split.folds=3").frame
    assert again.set_index("id")["fold"].to_dict() == folded.frame.set_index("id")["fold"].to_dict()


def test_the_data_may_name_their_folds_and_validation_is_drawn_beside_each(
    read: Callable[..., Manifest], table: Callable[..., Path]
):
    labels, folds = np.repeat([0, 1] * 6, 2), np.repeat(["10", "9", "9", "10"] * 3, 2)
    found = read("tiles", table(label=labels, fold=folds), "tasks.tiles.split.val=0.3")
    assert found.frame["fold"].map({1: "9", 2: "10"}).tolist() == folds.tolist()
    for fold in found.folds:
        sides = found.split_labels_of(fold)
        assert set(sides) == {"train", "val", "test"}
        assert (found.frame.assign(side=sides).groupby("group")["side"].nunique() == 1).all()
        assert (found.frame["fold"][sides == "test"] == fold).all()


def test_folds_that_cannot_be_are_a_sentence(read: Callable[..., Manifest], table: Callable[..., Path]):
    labels = np.repeat([0, 1] * 6, 2)
    torn = table(label=labels, fold=[1, 2] * (N // 2))
    assert "P0" in sentence(read, "tiles", torn)
    assert "the folds 1 and 2" in sentence(read, "tiles", torn)
    assert "two folds or more" in sentence(read, "tiles", table(label=labels, fold=1))
    both = table(label=labels, fold=np.repeat([1, 2], N // 2), split=["train"] * 16 + ["test"] * 8)
    assert "a column split and a column fold" in sentence(read, "tiles", both)
    assert "fewer than tasks.tiles.split.folds=20" in sentence(
        read, "tiles", table(label=labels), "tasks.tiles.split.folds=20"
    )
    assert "2 or more" in sentence(read, "tiles", table(label=labels), "tasks.tiles.split.folds=1")
    assert "of fold 1" in sentence(
        read, "tiles", table(label=np.repeat([0] * 9 + [1] * 3, 2)), "tasks.tiles.split.folds=3"
    )
