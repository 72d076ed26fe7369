"""Grids and batches: what is cut, in which order, and that it is the same every time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from bench.slides import SlideTiles, find_tissue, open_slide, plan
from bench.slides.resampling import resize_into
from bench.tiles import check_tiling, read_batches
from registry.errors import UserError


@pytest.fixture(scope="module")
def path(tmp_path_factory, tissue, write_pyramid):
    return write_pyramid(tmp_path_factory.mktemp("slides") / "a.tif", tissue, (1, 4))


def gathered(slide, grid, **options) -> np.ndarray:
    batches = list(read_batches([SlideTiles(slide, grid)], **options))
    assert np.concatenate([b.rows for b in batches]).tolist() == list(range(len(grid)))
    return np.concatenate([b.tiles.numpy() for b in batches])


@pytest.mark.parametrize("mpp", [0.25, 0.5, 0.575, 1.0])
def test_batches_are_the_tiles_in_order(path, mpp) -> None:
    with open_slide(path) as slide:
        grid = plan(slide, 224, mpp)
        tiles = SlideTiles(slide, grid)
        whole = gathered(slide, grid, batch_size=10, workers=3)
        assert (whole.shape, whole.dtype) == ((len(grid), 3, 224, 224), np.uint8)
        for row in (0, len(grid) // 2, len(grid) - 1):
            np.testing.assert_array_equal(whole[row], tiles.tile(row).transpose(2, 0, 1))
        batch = next(read_batches([tiles], 4, workers=1))
        assert batch.tiles.permute(0, 2, 3, 1).is_contiguous()  # channels last


def test_the_same_whatever_the_threads_and_batches(path) -> None:
    with open_slide(path) as one, open_slide(path) as two, open_slide(path, direct=False) as general:
        grid = plan(one, 256, 0.4)
        expected = gathered(one, grid, batch_size=64, workers=1)
        np.testing.assert_array_equal(gathered(two, grid, batch_size=7, workers=4), expected)
        np.testing.assert_array_equal(gathered(general, grid, batch_size=16, workers=2), expected)


def test_stopping_early_leaves_no_thread(path) -> None:
    import threading

    with open_slide(path) as slide:
        batches = read_batches([SlideTiles(slide, plan(slide, 256, 0.25))], 4, workers=4)
        next(batches)
        batches.close()
        assert not [t for t in threading.enumerate() if t.name.startswith(("read", "open", "fill"))]


def test_resize_is_pils(tissue) -> None:
    for side, size in ((513, 256), (582, 224), (300, 256), (128, 256)):
        window = np.ascontiguousarray(tissue[900 : 900 + side, 700 : 700 + side])
        pil = np.asarray(Image.fromarray(window).resize((size, size), Image.Resampling.BICUBIC))
        got = np.empty_like(pil)
        resize_into(got, window)
        difference = np.abs(got.astype(int) - pil)
        assert difference.max() <= 2
        assert difference.mean() < 0.1


def test_grid_covers_the_slide_row_by_row(path) -> None:
    with open_slide(path) as slide:
        grid = plan(slide, 256, 0.25)
        expected = [[x, y] for y in range(0, 2967 - 255, 256) for x in range(0, 2220 - 255, 256)]
        assert grid.coords.tolist() == expected
        assert (len(grid), grid.candidates) == (88, 88)
        overlapping = plan(slide, 256, 0.25, overlap=128)
        assert set(map(tuple, expected)) < set(map(tuple, overlapping.coords.tolist()))
        assert np.diff(np.unique(overlapping.coords[:, 0])).tolist() == [128] * 15


def test_tissue_share_decides(path) -> None:
    with open_slide(path) as slide:
        tissue = find_tissue(slide)
        every = plan(slide, 256, 0.25, tissue=tissue, min_tissue=0)
        some = plan(slide, 256, 0.25, tissue=tissue, min_tissue=0.5)
        assert every.candidates == some.candidates == 88
        assert 0 < len(some) < len(every) < 88
        assert some.coords.tolist() == every.coords[every.tissue >= 0.5].tolist()
        assert every.tissue.min() > 0


def test_seeded_choice(path) -> None:
    with open_slide(path) as slide:
        every = plan(slide, 256, 0.25)
        few = [plan(slide, 256, 0.25, max_tiles=20, seed=s) for s in (0, 0, 1)]
        assert [len(g) for g in few] == [20, 20, 20]
        assert few[0].digest() == few[1].digest() != few[2].digest()
        place = {tuple(c): i for i, c in enumerate(every.coords.tolist())}
        order = [place[tuple(c)] for c in few[0].coords.tolist()]
        assert order == sorted(order)
        assert plan(slide, 256, 0.25, max_tiles=1000).digest() == every.digest()


def test_digest_tells_grids_apart(path) -> None:
    with open_slide(path) as slide:
        grids = [
            plan(slide, 256, 0.25),
            plan(slide, 224, 0.25),
            plan(slide, 256, 0.5),
            plan(slide, 256, 0.25, overlap=8),
        ]
        assert len({g.digest() for g in grids}) == 4


def test_regions_of_another_size(path) -> None:
    """What a region encoder such as HIPT takes: one large tile."""
    with open_slide(path) as slide:
        grid = plan(slide, 1024, 0.5)
        assert grid.window == (2048, 2048)
        assert SlideTiles(slide, grid).tile(0).shape == (1024, 1024, 3)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("overlap", 256, "from 0 to less than the size of a tile, 256 px"),
        ("overlap", -1, "from 0"),
        ("min_tissue", 1.5, "from 0 to 1"),
        ("min_tissue", math.nan, "from 0 to 1"),
        ("max_tiles", 0, "1 or more, or null for all tiles"),
        ("max_tiles", -1, "1 or more"),
        ("seed", -1, r"from 0 to 2\*\*32 - 1"),
        ("mpp", 0.0, "from 0.02 to 1000, or null"),
        ("mpp", math.nan, "from 0.02"),
        ("mpp", math.inf, "from 0.02"),
        ("mpp", 1e-9, "from 0.02"),
        ("size", 0, "1 or more, or null for what each model's authors mean"),
    ],
)
def test_impossible_grids(path, name, value, wanted) -> None:
    settings = {"size": 256, "mpp": 0.25, "overlap": 0, "min_tissue": 0.25, "max_tiles": 3, "seed": 0, name: value}
    said = rf"tiling\.{name} is {value} and must be {wanted}"
    with pytest.raises(UserError, match=rf"^tasks\.a\.{said}"):
        check_tiling("tasks.a.tiling", **settings)
    size, mpp = settings.pop("size"), settings.pop("mpp")
    with open_slide(path) as slide, pytest.raises(UserError, match=said):
        plan(slide, size, mpp, **settings)


def test_what_a_task_leaves_to_models_is_in_range() -> None:
    check_tiling("tasks.a.tiling", size=None, mpp=None, overlap=8, min_tissue=0.25, max_tiles=None, seed=0)


def test_the_advice_names_a_setting_that_there_is(path) -> None:
    with open_slide(path) as slide, pytest.raises(UserError, match=r"set tiling\.upsample=true of the task"):
        plan(slide, 256, 0.1)
