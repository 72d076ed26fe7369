"""`pack=true`: the same features and rows, and a pack in the cache that a plan does not make."""

import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, files, rows
from PIL import Image
from plain_loop import USUAL

from bench.runs import RunContext, make_config, prepare

N = 12


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """JPEG tiles of two classes, which nothing may be written beside."""
    made, lines = tmp_path_factory.mktemp("data"), []
    for i in range(N):
        pixels = np.random.default_rng(i).integers(0, 128 + 100 * (i % 2), (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(made / f"{i}.jpg")
        lines.append({"path": f"{i}.jpg", "label": "ab"[i % 2], "split": "train" if i < 8 else "test"})
    pd.DataFrame(lines).to_csv(made / "tiles.csv", index=False)
    return made / "tiles.csv"


def run(folder, table, *arguments):
    arguments = ("task=tiles", f"data={table}", "tasks.tiles.min_groups=1", *USUAL, "model=means", *arguments)
    return bench(folder, *arguments)


def features(folder):
    """The bytes of the feature files, without when they were written."""
    return {path: data for path, (_, data) in files(folder, "cache/features/*/*/*.h5").items()}


def test_features_and_rows_are_those_of_the_files(tmp_path, table):
    for name, options in (("plain", ()), ("packed", ("pack=true",))):
        (tmp_path / name).mkdir()
        done = run(tmp_path / name, table, "shard_tiles=5", *options)
        assert done.returncode == 0, done.stderr
    assert features(tmp_path / "plain") == features(tmp_path / "packed") != {}
    (one,), (other,) = rows(tmp_path / "plain").values(), rows(tmp_path / "packed").values()
    assert one["metrics"] == other["metrics"]


def test_a_plan_makes_no_pack(tmp_path, table):
    assert run(tmp_path, table, "pack=true", "steps=[plan]").returncode == 0
    assert not (tmp_path / "cache").exists()


def test_the_setting_packs_when_the_first_shard_is_opened(tmp_path, table):
    settings = {"pack": True, "shard_tiles": 5, "null": "none"}
    task = {"tiles": {"min_groups": 1}}
    config = make_config("efficientnet_lite0", task, "knn", str(table), "results", str(tmp_path / "cache"), settings)
    (planned,) = prepare(RunContext(config, "cpu", progress=False)).tasks
    ((part, _),) = planned.passes
    shards = part.known().shards
    assert len(shards) == 3
    assert not (tmp_path / "cache/packed").exists()
    for shard in shards:
        with shard.tiles.open() as tiles:
            out = np.zeros((len(shard.tiles), *tiles.shape, 3), np.uint8)
            assert not tiles.read_into(out, range(len(shard.tiles))).unreadable
    (pack,) = (tmp_path / "cache/packed").iterdir()
    assert pack.suffix == ".pack"
