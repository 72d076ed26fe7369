"""Several processes on one cache and one folder of results leave what one after the other leaves."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from command_helpers import REPO, bench, files
from PIL import Image
from plain_loop import USUAL
from stand_in_models import MEETING, PATIENCE_S

from bench.report.__main__ import main as leaderboard
from bench.rows import TIMES

BOTH = """
import json, os, sys
import bench.runs, registry.loading, sklearn.model_selection, timm, torch
from bench.__main__ import main
children = []
for sys.argv in json.loads(sys.argv[1]):
    if not (child := os.fork()):
        main()
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "models",
    [("meeting", "meeting,means"), ("means,colour", "colour,token_means", "token_means,means", "means,colour")],
    ids=["two", "four"],
)
def test_processes_at_once(tmp_path, monkeypatch, models):
    """Two that embed the same model, each waiting at its first batch for the other, and four that share three models.

    Who waits has claimed five of the six shards at most: sixteen batches, and the shard that these end in.
    """
    rng = np.random.default_rng(0)
    rows = []
    for i in range(24):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        side = "train" if i % 4 < 2 else "test"
        rows.append({"path": f"{i}.png", "label": "ab"[i % 2], "patient": f"P{i}", "split": side})
    pd.DataFrame(rows).to_csv(tmp_path / "tiles.csv", index=False)
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    common = ["task=tiles", "data=tiles.csv", *USUAL, "shard_tiles=4", "batch_size=1", "workers=1"]
    runs = [["pfmbench", *common, f"model=[{names}]"] for names in models]
    done = subprocess.run(
        [sys.executable, "-c", BOTH, json.dumps(runs)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1", MEETING: str(meeting)},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert len(list(meeting.iterdir())) == (2 if "meeting" in models else 0), "both embedded"

    def contents(pattern, folder=tmp_path):
        return {name: data for name, (_, data) in files(folder, pattern).items()}

    with_rows = {name: json.loads(data) for name, data in contents("results/rows/**/*.json").items()}
    made = [contents(pattern) for pattern in ("cache/features/**/*.h5", "results/predictions/**/*.parquet")]
    assert not list(tmp_path.glob("*/**/.*.tmp")), "nothing half written is left behind"
    assert not list(tmp_path.rglob("*.claim"))
    assert bench(tmp_path, entry=lambda: sys.exit(leaderboard([]))).returncode == 0
    tables = all_tables(tmp_path)

    for folder in ("cache", "results"):
        (tmp_path / folder).rename(tmp_path / f"{folder}_at_once")
    monkeypatch.setenv(MEETING, str(meeting))
    for _, *arguments in runs:
        done = bench(tmp_path, *arguments)
        assert done.returncode == 0, done.stderr
    assert [contents(pattern) for pattern in ("cache/features/**/*.h5", "results/predictions/**/*.parquet")] == made
    one_by_one = {name: json.loads(data) for name, data in contents("results/rows/**/*.json").items()}
    for found in (with_rows, one_by_one):
        for row in found.values():
            assert row.pop("tiles_per_s") > 0
            assert row["info"]["stages"].keys() == {"read", "wait", "forward", "write"}
            row["info"] = {name: value for name, value in row["info"].items() if name not in TIMES}
            assert row.pop("written_crc32")
    assert with_rows == one_by_one
    assert all_tables(tmp_path) == tables


def all_tables(folder):
    """Without the speed, which differs from run to run."""
    found = {path.name: pd.read_csv(path, dtype=str) for path in sorted((folder / "results").glob("*.csv"))}
    assert len(found) == 7
    return {name: table.drop(columns="tiles_per_s", errors="ignore").to_csv() for name, table in found.items()}
