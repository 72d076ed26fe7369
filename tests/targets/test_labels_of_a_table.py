"""What each target type takes for labels of a table, what it refuses, and what a drawn split spreads over its sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import targets, tasks
from registry.errors import UserError


def task(kind: str, **settings: Any) -> Any:
    return tasks.configured({"name": "x", "kind": kind, **settings})


def check(kind: str, labels: list[str], **settings: Any) -> None:
    frame = pd.DataFrame({"id": [f"s{i}" for i in range(len(labels))], "label": labels})
    targets.get(kind).check_columns(frame, task(kind, **settings), "The table")


@pytest.mark.parametrize("kind", ["classes", "ordinal"])
@pytest.mark.parametrize("named", [[], ["0", "1", "2"], ["0", "1", "2", "3"]])
def test_labels_that_are_classes_of_the_task_are_taken(kind: str, named: list[str]) -> None:
    check(kind, ["2", "0", "1", "1"], classes=named)
    if named:
        with pytest.raises(UserError, match=r"no class of the task x: 7; its classes are 0, 1"):
            check(kind, ["2", "0", "7"], classes=named)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_many_integers_are_class_labels_and_many_fractions_are_regression_values(step: int) -> None:
    check("classes", [str(step * i) for i in range(40)])
    with pytest.raises(UserError, match=r"40 different numbers .* set tasks.x.kind=regression"):
        check("classes", [str(step * i + 0.5) for i in range(40)])


def test_few_fractions_are_classes() -> None:
    check("classes", [str(i + 0.5) for i in range(20)])


def test_a_grade_is_written_in_one_way() -> None:
    check("ordinal", ["1", "2", "1", "3"])
    with pytest.raises(UserError, match=r"writes the same grade in several ways \(1, 1\.0\)"):
        check("ordinal", ["1", "2", "1.0", "3"])
    with pytest.raises(UserError, match=r"grades of The table are no numbers"):
        check("ordinal", ["low", "high"])


@pytest.mark.parametrize("rare", [0, 1, 2])
@pytest.mark.parametrize("present", [0, 1])
def test_the_strata_of_several_labels_are_the_label_that_is_the_rarest_or_rarely_absent(
    rare: int, present: int
) -> None:
    names = ["a", "b", "c"]
    columns = {name: np.arange(12) % 3 == 0 for name in names}  # four of twelve
    columns[names[rare]] = (np.arange(12) == 5) == bool(present)
    frame = pd.DataFrame({name: column.astype(int) for name, column in columns.items()})
    strata = targets.get("multilabel").strata(frame, task("multilabel", targets=names))
    np.testing.assert_array_equal(strata, frame[names[rare]].astype(str))


@pytest.mark.parametrize("side", ["training", "test"])
@pytest.mark.parametrize(
    ("kind", "labels", "lacking"),
    [
        ("multilabel", np.array([[1, 0], [1, 1]]), "no sample without first"),
        ("multilabel", np.array([[0, 0], [1, 0]]), "no sample with second"),
        ("survival", np.array([[3.0, 0.0], [2.0, 0.0]]), "no event"),
    ],
)
def test_a_side_without_one_of_the_answers_is_refused(kind: str, labels: np.ndarray, lacking: str, side: str) -> None:
    settings = task(kind, targets=["first", "second"])
    with pytest.raises(UserError, match=f"^The {side} samples of The table have .*{lacking}"):
        targets.get(kind).check_part(labels, settings, side, "The table")
    with pytest.raises(UserError, match=f"^The table has no {side} samples"):
        targets.get(kind).check_part(labels[:0], settings, side, "The table")


def test_a_side_with_all_answers_is_taken() -> None:
    two = task("multilabel", targets=["first", "second"])
    targets.get("multilabel").check_part(np.array([[1, 0], [0, 1]]), two, "test", "The table")
    targets.get("survival").check_part(np.array([[1.0, 1.0], [2.0, 0.0]]), two, "test", "The table")
