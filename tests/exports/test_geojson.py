"""Attention for QuPath: tiles where they lie, with what the head gave them."""

import json

import h5py
import numpy as np
import pytest

from bench.embedding import write_features
from bench.exports.geojson import write_attention
from bench.runs.attention import write_attention as save
from registry.errors import UserError

COORDS = np.array([[0, 0], [512, 0], [0, 1024]])
SHARES = np.array([0.5, 0.375, 0.125])


@pytest.fixture
def attention(tmp_path):
    meaning = {"patch_size_level0": 512, "level0_width": 4000, "level0_height": 3000}
    write_features(tmp_path / "a.h5", np.zeros((3, 2), np.float32), {}, COORDS, meaning)
    write_features(tmp_path / "b.h5", np.zeros((3, 2), np.float32), {})
    save(tmp_path / "all.h5", {"a/1 x": SHARES, "b": SHARES}, {"a/1 x": tmp_path / "a.h5", "b": tmp_path / "b.h5"})
    return tmp_path / "all.h5"


def test_each_tile_is_a_square_with_its_share(attention, tmp_path):
    (path,) = write_attention(tmp_path / "out", attention)  # that of b has no coordinates
    found = json.loads(path.read_text())

    assert path.name == "a%2F1 x.geojson"
    assert found["type"] == "FeatureCollection"
    for tile, (x, y), share in zip(found["features"], COORDS.tolist(), SHARES.tolist(), strict=True):
        ring = np.array(tile["geometry"]["coordinates"][0])
        assert (ring[0] == ring[-1]).all()
        assert (ring.min(axis=0) == (x, y)).all()
        assert (ring.max(axis=0) == (x + 512, y + 512)).all()
        assert tile["properties"]["objectType"] == "tile"
        assert tile["properties"]["measurements"] == {"attention": share, "attention / mean": 3 * share}


def test_a_damaged_file_is_named(attention, tmp_path):
    with h5py.File(attention, "a") as file:
        del file["000000"]["attention"]
    with pytest.raises(UserError, match=r"all\.h5 cannot be read"):
        list(write_attention(tmp_path / "out", attention))
