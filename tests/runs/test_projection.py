"""The map of a model's features: which samples it has, that it is repeatable, and what it keeps apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.protocols import Samples
from bench.runs.projection import MOST_SAMPLES, chosen, projected, write_projection


@dataclass
class Call:
    samples: Samples
    times: int = 0

    def __call__(self) -> Samples:
        self.times += 1
        return self.samples


def made_up(n: int) -> tuple[SimpleNamespace, Call]:
    """A manifest and its samples, of which every second is tested."""
    ids = np.array([f"s{number:04d}" for number in range(n)])
    label = np.arange(n) // 2 % 2
    features = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32) + 20 * label[:, None]
    split = np.where(np.arange(n) % 2 == 0, "test", "train")
    manifest = SimpleNamespace(
        task=SimpleNamespace(name="t"),
        cohort_hash="c",
        frame={"id": SimpleNamespace(to_numpy=lambda _: ids, __iter__=lambda: iter(ids))},
        folds=range(1),
        split_labels_of=lambda fold: split,
        answers=[f"class {one}" for one in label],
        target=SimpleNamespace(has_classes=True),
    )
    manifest.frame = {"id": _Column(ids)}
    centre = {"centre": np.array([f"centre {number % 3}" for number in range(n)])}
    return manifest, Call(Samples(ids, ids, features, label, acquisition=centre))


class _Column(list[str]):
    def to_numpy(self, kind: type) -> np.ndarray:
        return np.array(self, kind)


def test_the_map_has_the_test_samples_with_class_and_centre(tmp_path: Path) -> None:
    manifest, samples = made_up(60)
    path = write_projection(tmp_path, manifest, "uni", "", "key", samples)  # type: ignore[arg-type]
    assert path == tmp_path / "projections/t/c/uni.parquet"
    table = pq.read_table(path)
    assert table["id"].to_pylist() == [f"s{number:04d}" for number in range(0, 60, 2)]
    assert table["label"].to_pylist()[:3] == ["class 0", "class 1", "class 0"]
    assert table["centre"].to_pylist()[:3] == ["centre 0", "centre 2", "centre 1"]
    before = path.read_bytes()
    write_projection(tmp_path, manifest, "uni", "", "key", samples)  # type: ignore[arg-type]
    assert samples.times == 1, "the same features are projected once"
    path.unlink()
    write_projection(tmp_path, manifest, "uni", "", "key", samples)  # type: ignore[arg-type]
    assert path.read_bytes() == before


def test_few_samples_have_no_map(tmp_path: Path) -> None:
    manifest, samples = made_up(10)
    assert write_projection(tmp_path, manifest, "uni", "", "key", samples) is None  # type: ignore[arg-type]


def test_at_most_so_many_samples_are_drawn_and_always_the_same() -> None:
    ids = np.array([f"s{number}" for number in range(2 * MOST_SAMPLES)])
    rows = chosen(ids, set(ids.tolist()))
    assert len(rows) == MOST_SAMPLES
    turned = chosen(ids[::-1], set(ids.tolist()))
    assert set(ids[::-1][turned]) == set(ids[rows]), "whatever the order of the samples"


@pytest.mark.parametrize("n", [9, 40])
def test_groups_that_are_far_apart_stay_apart(n: int) -> None:
    features = np.random.default_rng(1).normal(size=(n, 5)).astype(np.float32)
    features[: n // 2] += 50
    at = projected(features)
    assert np.isfinite(at).all()
    distance = np.linalg.norm(at[:, None] - at[None], axis=2) + 1e9 * np.eye(n)
    near = distance.argmin(axis=1)
    assert ((near < n // 2) == (np.arange(n) < n // 2)).mean() > 0.85


def test_features_that_are_all_alike_are_one_point() -> None:
    assert (projected(np.ones((10, 4), np.float32)) == 0).all()
