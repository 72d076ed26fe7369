"""The picture of what a head attended to."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from slide_command_helpers import write_slide

from bench.embedding import write_features
from bench.runs.heatmap import CAPTION, TILE, draw_heatmap


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


def test_the_tiles_of_most_attention_stand_beside_the_slide(tmp_path) -> None:
    """The strongest tile is blue on the slide, the second one green; the third, below the mean, is not shown."""
    pixels = np.full((512, 768, 3), 255, np.uint8)
    pixels[0:256, 256:512] = 20, 20, 200
    pixels[256:512, 0:256] = 20, 160, 20
    slide = write_slide(tmp_path / "a.tiff", pixels)
    Image.new("RGB", (768, 512), "white").save(tmp_path / "preview.png")
    coords = np.array([[x, y] for y in (0, 256) for x in (0, 256, 512)])
    meaning = {"level0_width": 768, "level0_height": 512, "patch_size_level0": 256}
    write_features(tmp_path / "a.h5", np.zeros((6, 2), np.float32), {}, coords, meaning)
    attention = np.array([0.01, 0.6, 0.01, 0.36, 0.01, 0.01])
    heat = tmp_path / "heat.jpg"
    assert draw_heatmap(heat, tmp_path / "preview.png", attention, tmp_path / "a.h5", (slide, None))
    with Image.open(heat) as picture:
        drawn = np.asarray(picture).astype(int)
        words = picture.info["comment"].decode()
    assert words == "2 of 6 tiles have more attention than the mean; the strongest have 3.6, 2.2 times the mean"
    middle = 768 + 10 + TILE // 2
    first, second = drawn[TILE // 2, middle], drawn[TILE + CAPTION + 6 + TILE // 2, middle]
    assert np.abs(first - (20, 20, 200)).max() < 12
    assert np.abs(second - (20, 160, 20)).max() < 12
    assert drawn.shape[1] == 768 + TILE + 10, "one column"
    veiled = drawn[30, 266:290].mean(axis=0)
    assert veiled.mean() < 170, "3.6 times the mean is dark on white"


def test_a_slide_that_cannot_be_read_has_its_heatmap_without_tiles(tmp_path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "preview.png")
    meaning = {"level0_width": 64, "level0_height": 64, "patch_size_level0": 32}
    write_features(tmp_path / "a.h5", np.zeros((2, 2), np.float32), {}, np.array([[0, 0], [32, 0]]), meaning)
    gone = (str(tmp_path / "gone.svs"), None)
    assert draw_heatmap(tmp_path / "a.jpg", tmp_path / "preview.png", np.array([0.9, 0.1]), tmp_path / "a.h5", gone)
    assert draw_heatmap(tmp_path / "b.jpg", tmp_path / "preview.png", np.array([0.9, 0.1]), tmp_path / "a.h5")
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
