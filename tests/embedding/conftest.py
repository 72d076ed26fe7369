"""Fifty small tiles."""

import numpy as np
import pytest
from embedding_helpers import N
from PIL import Image

from bench.tiles import TileSource


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for i in range(N):
        paths.append(str(tmp_path / f"{i:03d}.png"))
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(paths[-1])
    return TileSource([str(i) for i in range(N)], paths, [-1] * N)
