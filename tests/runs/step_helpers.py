"""Few tiles and slides, the command on them with a step in front, and what a run leaves without its times."""

import re

import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, files
from PIL import Image
from plain_loop import USUAL
from slide_command_helpers import write_slide

SHARDS = 4  # of the tiles
HEADS = ("protocol=[knn,linear]", "protocols.linear.n_strengths=1")


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Sixteen tiles in four shards."""
    folder = tmp_path_factory.mktemp("tiles")
    rng = np.random.default_rng(0)
    table = []
    for i in range(16):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        side = "train" if i % 4 < 2 else "test"
        table.append({"path": f"{i}.png", "label": "ab"[i % 2], "patient": f"P{i}", "split": side})
    pd.DataFrame(table).to_csv(folder / "tiles.csv", index=False)
    return ("task=tiles", f"data={folder / 'tiles.csv'}", "shard_tiles=4")


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """Five slides with masks, of which one is truncated."""
    folder = tmp_path_factory.mktemp("slides")
    for i in range(5):
        write_slide(folder / f"{i}.tif", np.random.default_rng(i).integers(0, 256, (256, 192, 3), dtype=np.uint8))
        Image.fromarray(np.full((64, 48), 255, np.uint8)).save(folder / f"{i}.png")
    written = (folder / "4.tif").read_bytes()
    (folder / "4.tif").write_bytes(written[: len(written) // 2])
    frame = pd.DataFrame({"slide": [f"{i}.tif" for i in range(5)], "mask": [f"{i}.png" for i in range(5)]})
    frame["label"], frame["split"] = list("ababa"), ["train", "train", "test", "test", "test"]
    frame.to_csv(folder / "slides.csv", index=False)
    return ("task=slides", f"data={folder / 'slides.csv'}", "tasks.slides.min_groups=1", "on_corrupt=skip")


def run(folder, data, *arguments, step=(), model="[means,colour]"):
    """The command, with a step in front where one is named."""
    return bench(folder, *step, *data, *USUAL, f"model={model}", *HEADS, *arguments)


def untimed(folder):
    """Rows without their times, predictions, features, and tables without the speed."""
    timed = re.compile(r'"tiles_per_s": [0-9.]+|"(stages|seconds)": {[^}]*}|"finished": "[^"]*"|"written_crc32": "\w+"')
    written = {
        name: timed.sub("", data.decode()) for name, (_, data) in files(folder, "results/rows/**/*.json").items()
    }
    assert all("tiles_per_s" not in text and "finished" not in text for text in written.values())
    exact = {
        name: data
        for pattern in ("results/predictions/**/*.*", "cache/features/**/*.h5")
        for name, (_, data) in files(folder, pattern).items()
    }
    found = {path.name: pd.read_csv(path, dtype=str) for path in sorted((folder / "results").glob("*.csv"))}
    tables = {name: table.drop(columns="tiles_per_s", errors="ignore").to_csv() for name, table in found.items()}
    return written, exact, tables
