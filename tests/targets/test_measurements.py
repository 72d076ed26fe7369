"""Measurements are saved like predictions, and are no kind of target of a task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import protocols, targets, tasks
from bench.protocols import Predictions
from bench.rows import Row, read_predictions, read_rows, write
from registry.errors import UserError

COLUMNS = {"image_quality": ["psnr", "ssim", "lpips"], "feature_similarity": ["cosine", "top1", "top10", "recovery"]}


@pytest.mark.parametrize(("kind", "columns"), COLUMNS.items())
def test_they_come_back_bit_for_bit(tmp_path: Path, kind: str, columns: list[str]) -> None:
    values = np.random.default_rng(0).normal(size=(5, len(columns)))
    values[2, -1] = np.nan
    ids, groups = np.array([f"tile {i}" for i in range(5)]), np.array(list("aabbc"))
    row = Row("t", "median", "jpeg_3", "p", 0, "ok", columns[0], kind=kind, classes=columns)
    row = write(tmp_path, row, Predictions(ids, groups, np.empty((5, 0)), values, kind=kind))
    saved = read_predictions(tmp_path / row.predictions)
    assert (saved.kind, saved.classes, saved.y_true.shape) == (kind, columns, (5, 0))
    assert saved.ids.tolist() == ids.tolist()
    assert saved.groups.tolist() == groups.tolist()
    np.testing.assert_array_equal(saved.scores, values)
    assert read_rows(tmp_path) == ([row], [])


def test_others_than_the_columns_of_the_kind_are_refused(tmp_path: Path) -> None:
    row = Row("t", "median", "", "p", 0, "ok", "psnr", kind="image_quality", classes=["psnr"])
    wrong = Predictions(np.array(["a"]), np.array(["a"]), np.empty((1, 0)), np.ones((1, 1)), kind="image_quality")
    with pytest.raises(ValueError, match="must have the columns psnr, ssim, lpips"):
        write(tmp_path, row, wrong)


@pytest.mark.parametrize(("kind", "task"), [("image_quality", "restoration"), ("feature_similarity", "robustness")])
def test_a_task_cannot_be_of_such_a_kind(kind: str, task: str) -> None:
    with pytest.raises(UserError) as error:
        tasks.configured({"name": "x", "kind": kind})
    assert str(error.value) == (
        f"tasks.x.kind is {kind}, which the task {task} measures and no head predicts: set the kind of the labels, "
        f"such as classes, and run task={task} for the measurements."
    )
    assert kind in targets.names()
    assert kind not in protocols.KINDS


def test_they_are_not_offered() -> None:
    with pytest.raises(UserError) as error:
        tasks.configured({"name": "x", "kind": "image_qualty"})
    assert "image_quality" not in str(error.value)
    assert "classes, multilabel" in str(error.value)


def test_one_model_is_compared_with_itself_behind_a_longer_chain_of_the_same_start() -> None:
    similarity, quality = targets.get("feature_similarity"), targets.get("image_quality")
    assert similarity.compares_itself("jpeg_3", "jpeg_3+median")
    assert similarity.compares_itself("jpeg_3+median", "")
    assert not similarity.compares_itself("jpeg_3", "jpeg_30")
    assert not similarity.compares_itself("jpeg_3+median", "jpeg_3+unsharp")
    assert not quality.compares_itself("", "jpeg_3")
    assert targets.get("classes").compares_itself("jpeg_3", "blur_2")
