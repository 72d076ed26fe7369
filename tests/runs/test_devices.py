"""Several devices: a process each, the same features as on one, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, files, refused
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.config import BenchConfig
from bench.data.cohort import in_part
from bench.runs import devices_of
from registry.errors import UserError


@given(
    weights=st.lists(st.integers(1, 100), max_size=40), n=st.integers(1, 5), m=st.integers(1, 4), equal=st.booleans()
)
def test_parts_are_disjoint_complete_and_balanced(weights, n, m, equal):
    items = list(enumerate([7] * len(weights) if equal else weights))
    weight = lambda item: item[1]  # noqa: E731
    parts = [in_part(items, ((k, n),), weight) for k in range(1, n + 1)]
    assert sorted(item for part in parts for item in part) == items
    assert all(list(part) == sorted(part) for part in parts)
    loads = [sum(map(weight, part)) for part in parts]
    assert max(loads) - min(loads) <= max(map(weight, items), default=0)
    for k, part in enumerate(parts, 1):
        within = [in_part(items, ((k, n), (j, m)), weight) for j in range(1, m + 1)]
        assert sorted(item for one in within for item in one) == list(part)


@pytest.mark.parametrize(
    ("device", "expected"),
    [("cpu", ["cpu"]), (["cpu", "cpu"], ["cpu", "cpu"]), (["cuda:0", "cuda:3"], ["cuda:0", "cuda:3"])],
)
def test_the_devices_that_are_named(device, expected):
    assert devices_of(BenchConfig(device=device)) == expected


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        (["cpu", "cuda"], "devices of several kinds"),
        (["cuda:0", "cuda:0"], "names cuda:0 twice"),
        ([], "must be a name such as"),
        ([0, 1], "must be a name such as"),
        (3, "must be a name such as"),
    ],
)
def test_devices_that_cannot_be_meant_are_refused(device, sentence):
    with pytest.raises(UserError, match=sentence):
        devices_of(BenchConfig(device=device))


def test_all_gpus_where_there_is_none_is_a_sentence(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(UserError, match="there is none here"):
        devices_of(BenchConfig(device="all"))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert devices_of(BenchConfig(device="all")) == ["cuda:0", "cuda:1"]


@pytest.fixture
def tiles(tmp_path):
    rows = []
    for i in range(48):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        rows.append({"path": f"{i}.png", "label": "ab"[i % 2], "split": "train" if i < 32 else "test"})
    pd.DataFrame(rows).to_csv(tmp_path / "tiles.csv", index=False)
    return tmp_path


def embedded(folder, *arguments):
    data = f"data={folder / 'tiles.csv'}"
    return bench(folder, "embed", data, "task=tiles", "model=colour", "null=none", "shard_tiles=5", *arguments)


def features(folder):
    return {name: data for name, (_, data) in files(folder, "cache/features/**/*.h5").items()}


@pytest.mark.slow
def test_two_processes_leave_the_cache_of_one(tiles):
    done = embedded(tiles, "device=[cpu,cpu]")
    assert done.returncode == 0, done.stderr
    assert "embedding in 2 processes, on cpu, cpu" in done.stderr
    two = features(tiles)
    (tiles / "cache").rename(tiles / "cache_of_two")
    assert embedded(tiles, "device=cpu").returncode == 0
    assert two == features(tiles)
    assert len(two) == 10
    again = embedded(tiles, "device=[cpu,cpu]")
    assert again.returncode == 0
    assert "processes" not in again.stderr, "there is nothing left to do"


@pytest.mark.slow
def test_an_unreadable_tile_is_reported_once_by_the_command(tiles):
    (tiles / "7.png").write_bytes(b"")
    done = embedded(tiles, "device=[cpu,cpu]")
    refused(done, "7.png cannot be read")
    assert done.stderr.count("7.png cannot be read") == 1
