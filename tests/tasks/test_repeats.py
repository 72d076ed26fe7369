"""Repeats: other training patients for the same test set, or the folds drawn again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from task_helpers import sentence, tile

from bench.tasks import Manifest


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Forty tiles of twenty patients of two classes."""
    images = [tile(tmp_path / f"{i}.png", seed=i).name for i in range(40)]
    patient = np.repeat(np.arange(20), 2)
    frame = pd.DataFrame({"id": np.arange(40), "path": images, "label": patient % 2, "patient": patient})
    frame["split"] = np.where(patient < 14, "train", np.where(patient < 16, "val", "test"))
    file = tmp_path / "tiles.csv"
    frame.to_csv(file, index=False)
    return file


@pytest.mark.slow
def test_repeats_train_on_other_parts_and_test_the_same(read: Callable[..., Manifest], cohort: Path) -> None:
    once = read("tiles", cohort)
    found = read("tiles", cohort, "tasks.tiles.split.repeats=6")
    assert list(found.folds) == [1, 2, 3, 4, 5, 6]
    labels = [found.split_labels_of(repeat) for repeat in found.folds]
    (first,) = once.split_labels
    parts = set()
    for own in labels:
        assert ((own == "test") == (first == "test")).all()
        trained = own == "train"
        assert (first[trained] == "train").all()
        assert trained.sum() == pytest.approx(0.8 * 28, abs=2)
        groups = found.frame["group"].to_numpy(str)
        assert not set(groups[trained]) & set(groups[(own == "") & (first == "train")])  # whole patients
        assert set(found.labels[trained]) == {0, 1}
        parts.add(frozenset(groups[trained]))
    assert len(parts) > 3
    assert "6 repeats, each on 80 % of the training groups" in found.notes
    assert found.cohort_hash != once.cohort_hash
    again = read("tiles", cohort, "tasks.tiles.split.repeats=6")
    assert all((one == other).all() for one, other in zip(labels, again.split_labels, strict=True))


def test_repeats_of_folds_draw_other_folds_that_each_test_everything(
    read: Callable[..., Manifest], cohort: Path
) -> None:
    drawn = ("tasks.tiles.split.folds=4", "tasks.tiles.split.val=0.25")
    once = read("tiles", cohort, *drawn)
    found = read("tiles", cohort, *drawn, "tasks.tiles.split.repeats=3")
    assert list(found.folds) == list(range(1, 13))
    assert all((a == b).all() for a, b in zip(once.split_labels, found.split_labels[:4], strict=True))
    for repeat in range(3):
        tested = np.stack([labels == "test" for labels in found.split_labels[4 * repeat : 4 * repeat + 4]])
        assert (tested.sum(axis=0) == 1).all()
    assert not (found.split_labels[0] == found.split_labels[4]).all()
    assert "3 repeats of the folds" in found.notes


def test_repeats_that_cannot_be_are_a_sentence(read: Callable[..., Manifest], cohort: Path, tmp_path: Path) -> None:
    assert "must be at least 1" in sentence(read, "tiles", cohort, "tasks.tiles.split.repeats=0")
    frame = pd.read_csv(cohort).drop(columns="split")
    own = tmp_path / "folds.csv"
    frame.assign(fold=frame["patient"] % 4).to_csv(own, index=False)
    assert "names its own folds, which cannot be drawn again" in sentence(
        read, "tiles", own, "tasks.tiles.split.repeats=2"
    )
