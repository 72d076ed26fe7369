"""The picture of what a head attended to."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bench.embedding import write_features
from bench.runs.heatmap import draw_heatmap


@pytest.mark.parametrize("side", [512, 96, 8])
def test_tiles_are_coloured_where_they_lie(tmp_path, side) -> None:
    """On a preview of a 32nd of the slide; the least tile is a quarter of its pixel."""
    Image.new("RGB", (200, 100), "white").save(tmp_path / "preview.png")
    y, x = np.mgrid[0:1024:side, 0:2048:side]
    coords = np.stack([x.ravel(), y.ravel()], axis=1)
    meaning = {"level0_width": 6400, "level0_height": 3200, "patch_size_level0": side}
    write_features(tmp_path / "a.h5", np.zeros((len(coords), 2), np.float32), {}, coords, meaning)
    left = coords[:, 0] < 1024
    attention = np.where(left, 9.0, 0.01)
    assert draw_heatmap(tmp_path / "heat.jpg", tmp_path / "preview.png", attention / attention.sum(), tmp_path / "a.h5")
    with Image.open(tmp_path / "heat.jpg") as picture:
        drawn = np.asarray(picture).astype(int)[:100, :200]
    dark, clear = drawn[4:28, 4:28], drawn[4:28, 36:60]
    assert np.median(dark[..., 0]) < 200, "tiles above the mean are veiled"
    assert clear.min() >= 240, "tiles below the mean are clear"
    assert drawn[60:, 100:].min() >= 240
