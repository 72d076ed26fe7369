"""What a run leaves for people to look at: plots, and the map of a model's features, once and of models alone."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_helpers import bench
from PIL import Image
from plain_loop import USUAL

SIDE, N = 32, 12


@pytest.fixture
def tiles(tmp_path):
    """Two classes of tiles in training and test folders, one dark and one light."""
    draws = np.random.default_rng(0)
    for side in ("train", "test"):
        for place, name in enumerate(("dark", "light")):
            folder = tmp_path / "data" / side / name
            folder.mkdir(parents=True)
            for number in range(N):
                pixels = draws.integers(90 * place, 90 * place + 120, (SIDE, SIDE, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{side}{number}.png")
    return tmp_path / "data"


@pytest.mark.slow
def test_a_run_draws_its_results_and_projects_the_test_samples_of_models(tiles, tmp_path):
    arguments = ("task=tiles", f"data={tiles}", "model=[means,colour]", *USUAL)
    done = bench(tmp_path, *arguments, "plots=best", "projection=tsne")
    assert done.returncode == 0, done.stderr
    plots = tmp_path / "results" / "plots"
    assert {path.stem for path in plots.glob("*.png")} == {path.stem for path in plots.glob("*.svg")}
    assert {path.stem for path in plots.glob("*.png")} == {
        "confusion-tiles-knn", "forest-tiles", "projection-tiles-means", "reliability-tiles-knn"
    }  # fmt: skip
    (path,) = (tmp_path / "results" / "projections").rglob("*.parquet")
    table = pq.read_table(path)
    assert sorted(table["label"].to_pylist()) == ["dark"] * N + ["light"] * N
    assert "  plots/ " in done.stdout
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(plots.iterdir())}
    again = bench(tmp_path, *arguments, "plots=best", "projection=tsne")
    assert again.returncode == 0, again.stderr
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(plots.iterdir())}
    none = bench(tmp_path, *arguments, "plots=none")
    assert none.returncode == 0, none.stderr
    assert list(plots.iterdir()) == []
