"""Tiles unlike the others are said in the rows, whether they were embedded just now or long ago."""

import numpy as np
from embedding_helpers import Means, contents, make_job, run
from PIL import Image

from bench.tiles import TileSource


def write(folder, sizes, animated=()):
    paths = []
    for number, side in enumerate(sizes):
        images = [Image.fromarray(np.full((side, side, 3), 40 * k, np.uint8)) for k in range(2)]
        paths.append(str(folder / f"{number}.webp"))
        more = {"save_all": True, "append_images": images[1:]} if number in animated else {}
        images[0].save(paths[-1], lossless=True, **more)
    return TileSource([str(number) for number in range(len(paths))], paths, [-1] * len(paths))


def test_sizes_and_animations_are_noted(tmp_path):
    source = write(tmp_path, [96] * 9 + [1, 1] + [96] * 8 + [40], animated=(0, 12))
    notes = [
        "3 of 20 tiles are not of 96 x 96 px as most are: 1 x 1 px (2), 40 x 40 px (1)",
        "2 image files are animations or hold several pictures, of which the first was taken",
    ]
    for _ in range(2):  # made, and found in the cache
        [found] = run(source, make_job(tmp_path / "cache", Means()), shard_tiles=8)
        assert found.error is None
        assert found.notes == notes
    [other] = run(source, make_job(tmp_path / "other", Means()), shard_tiles=100, batch_size=3)
    assert other.notes == notes


def test_tiles_of_one_size_have_no_note_and_the_same_bytes(tmp_path):
    source = write(tmp_path, [96] * 12)
    made = []
    for name, batch in (("a", 3), ("b", 12)):
        [found] = run(source, make_job(tmp_path / name, Means()), batch_size=batch)
        assert found.notes == []
        made.append(contents(found.files[0].parent))
    assert made[0] == made[1]
