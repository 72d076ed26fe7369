"""Files of CLAM and TRIDENT, made in their documented layout, and ours read the way they read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch

from bench.slides import SlideTiles, coords_attributes, open_slide, plan, read_bag, read_coords
from registry.errors import UserError

COORDS = np.array([[0, 0], [512, 0], [0, 1024]], np.int64)


@pytest.fixture
def slide(tmp_path, tissue, write_pyramid):
    with open_slide(write_pyramid(tmp_path / "case-1.tif", tissue[:1800, :1600], (1, 2, 4))) as opened:
        yield opened


def write(path, attributes=None, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, chunks=(1, *array.shape[1:]), maxshape=(None, *array.shape[1:]))
        for name, value in (attributes or {}).items():
            file["coords"].attrs[name] = value


def test_trident_coordinates(tmp_path, slide) -> None:
    attributes = {
        "patch_size": 256, "patch_size_level0": 512, "level0_magnification": 40, "target_magnification": 20,
        "overlap": 0, "name": "case-1", "savetodir": "x", "level0_width": 1600, "level0_height": 1800,
    }  # fmt: skip
    write(tmp_path / "20x_256px_0px_overlap/patches/case-1_patches.h5", attributes, coords=COORDS)
    for folder in ("20x_256px_0px_overlap", "20x_256px_0px_overlap/patches"):
        grid = read_coords(tmp_path / folder, "case-1", slide, 256)
        assert grid.coords.tolist() == COORDS.tolist()
        assert (grid.mpp_asked, grid.window_level0) == (0.5, (512.0, 512.0))
        assert SlideTiles(slide, grid).tile(2).shape == (256, 256, 3)


def test_clam_coordinates(tmp_path, slide) -> None:
    attributes = {
        "patch_size": 256, "patch_level": 1, "downsample": (2.0, 2.0), "downsampled_level_dim": (800, 900),
        "level_dim": (800, 900), "name": "case-1", "save_path": "x",
    }  # fmt: skip
    write(tmp_path / "patches/case-1.h5", attributes, coords=COORDS.astype(np.int32))
    grid = read_coords(tmp_path, "case-1", slide, 256)
    assert grid.level == 1
    assert grid.window == (256, 256)
    assert grid.window_level0 == pytest.approx((512, 512), rel=0.005)
    np.testing.assert_array_equal(SlideTiles(slide, grid).tile(1), slide.read_region(256, 0, 1, 256, 256))


def test_features_of_both(tmp_path) -> None:
    features = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    write(tmp_path / "clam/h5_files/case-1.h5", features=features, coords=COORDS)
    write(tmp_path / "trident/case-1.h5", {"patch_size_level0": 512}, features=features[None], coords=COORDS)
    (tmp_path / "pt/pt_files").mkdir(parents=True)
    torch.save(torch.from_numpy(features), tmp_path / "pt/pt_files/case-1.pt")
    for folder, has_coords in (("clam", True), ("trident", True), ("pt", False)):
        got, coords, attributes = read_bag(tmp_path / folder, "case-1")
        np.testing.assert_array_equal(got, features)
        assert (coords is not None) == has_coords
        if folder == "trident":
            assert attributes == {"patch_size_level0": 512}


def test_our_attributes_are_read_back(tmp_path, slide) -> None:
    grid = plan(slide, 224, 0.5, overlap=24)
    write(tmp_path / "case-1.h5", coords_attributes(slide, grid), features=np.ones((len(grid), 4)), coords=grid.coords)
    _, coords, attributes = read_bag(tmp_path, "case-1")
    assert coords is not None
    assert coords.tolist() == grid.coords.tolist()
    assert (attributes["patch_size"], attributes["patch_size_level0"], attributes["overlap"]) == (224, 448, 24)
    assert (attributes["level0_magnification"], attributes["target_magnification"]) == (40, 20)
    again = read_coords(tmp_path, "case-1", slide, 224)
    assert (again.level, again.window, again.overlap) == (grid.level, grid.window, 24)
    resampled = coords_attributes(slide, plan(slide, 224, 0.3))
    assert "patch_level" not in resampled  # CLAM would read another window
    assert resampled["mpp_true_x"] == pytest.approx(0.3, rel=0.005)


def test_wrong_files(tmp_path, slide) -> None:
    with pytest.raises(UserError, match=r"has no coordinates of the slide case-1: it should have case-1_patches\.h5"):
        read_coords(tmp_path, "case-1", slide, 256)
    with pytest.raises(UserError, match=r"has no features of the slide case-1: it should have case-1\.h5"):
        read_bag(tmp_path, "case-1")
    write(tmp_path / "case-1.h5", coords=COORDS)
    with pytest.raises(UserError, match="do not say how large a tile is"):
        read_coords(tmp_path, "case-1", slide, 256)
    with pytest.raises(UserError, match="no dataset `features` but coords"):
        read_bag(tmp_path, "case-1")
    write(tmp_path / "case-1.h5", {"patch_size_level0": 512}, coords=COORDS * 10)
    with pytest.raises(UserError, match="lie outside the slide"):
        read_coords(tmp_path, "case-1", slide, 256)
    write(tmp_path / "case-1.h5", features=np.ones((5, 2)), coords=COORDS)
    with pytest.raises(UserError, match="5 features and 3 coordinates"):
        read_bag(tmp_path, "case-1")
    (tmp_path / "case-1.h5").write_bytes(b"part of a file")
    with pytest.raises(UserError, match="not a complete HDF5 file"):
        read_bag(tmp_path, "case-1")
    with pytest.raises(UserError, match="not a complete HDF5 file"):
        read_coords(tmp_path, "case-1", slide, 256)
    (tmp_path / "case-1.h5").unlink()
    torch.save({"features": torch.ones(2)}, tmp_path / "case-1.pt")
    with pytest.raises(UserError, match="holds no tensor of features but a dict"):
        read_bag(tmp_path, "case-1")


# tiles on the edge of a slide and off it


def test_tiles_over_the_edge_are_left_out_and_counted(tmp_path, slide) -> None:
    """CLAM pads them; 1600 x 1800 px."""
    over = [[1600 - 10, 1800 - 10], [1600 - 511, 0], [0, 1800 - 300], [1600 - 500, 100]]
    inside = [[0, 0], [1600 - 512, 1800 - 512]]
    for attributes in ({"patch_size_level0": 512}, {"patch_size": 256, "patch_level": 1}):
        write(tmp_path / "case-1.h5", attributes, coords=np.array([inside[0], *over, inside[1]]))
        grid = read_coords(tmp_path, "case-1", slide, 256)
        assert grid.coords.tolist() == [inside[0], over[1], inside[1]]  # 511 px is within a pixel of rounding
        assert (grid.candidates, len(grid.tissue)) == (6, 3)
    write(tmp_path / "case-1.h5", {"patch_size_level0": 512}, coords=np.array(over[::2]))
    none = read_coords(tmp_path, "case-1", slide, 256)
    assert (none.candidates, len(none)) == (2, 0)


def test_every_tile_of_a_padded_grid_that_stays_shows_the_slide(tmp_path, slide) -> None:
    places = np.array([[x, y] for y in range(0, 1800, 384) for x in range(0, 1600, 384)])
    write(tmp_path / "case-1.h5", {"patch_size_level0": 384}, coords=places)
    for size in (96, 150, 384):
        grid = read_coords(tmp_path, "case-1", slide, size)
        assert grid.coords.tolist() == places[(places + 384 <= (1600, 1800)).all(1)].tolist()


def test_a_slide_without_coordinates(tmp_path, slide) -> None:
    for none in (np.zeros((0, 2), int), np.zeros(0)):
        write(tmp_path / "case-1.h5", {"patch_size_level0": 2048}, coords=none)  # a slide smaller than a tile
        assert len(read_coords(tmp_path, "case-1", slide, 256)) == 0


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ({"patch_size_level0": 0}, "have the patch_size_level0 0: a tile is 1 px or more"),
        ({"patch_size_level0": -5}, "have the patch_size_level0 -5"),
        ({"patch_size_level0": "abc"}, "The attribute patch_size_level0 in .*case-1.h5 is 'abc' and must be a number"),
        ({"patch_size_level0": np.nan}, "is .*nan.* and must be a number"),
        ({"patch_size_level0": [512, 512]}, "must be a number"),
        (
            {"patch_size_level0": 100_000},
            "100000 x 100000 px of level 0, larger than the slide .*case-1.tif of 1600 x 1800",
        ),
        ({"patch_size": 0, "patch_level": 1}, "have the patch_size 0"),
        ({"patch_size": 256, "patch_level": 9}, "of the patch_level 9, and the levels of the slide .* are 0 to 2"),
        ({"patch_size": 256, "patch_level": -1}, "of the patch_level -1"),
        ({"patch_size": 256, "patch_level": 0.5}, "of the patch_level 0.5"),
        ({"patch_size_level0": 512, "overlap": -3}, "the overlap -3, which is below 0"),
        ({"patch_size_level0": 512, "overlap": "no"}, "attribute overlap"),
        ({"patch_size_level0": 512, "level0_width": 100_000}, "of another slide: their level0_width is 100000"),
        ({"patch_size_level0": 512, "level0_width": 1600, "level0_height": 1801}, "their level0_height is 1801"),
    ],
)
def test_attributes_that_cannot_be(tmp_path, slide, attributes, match) -> None:
    write(tmp_path / "case-1.h5", attributes, coords=COORDS)
    with pytest.raises(UserError, match=match):
        read_coords(tmp_path, "case-1", slide, 256)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.arange(7), r"of the shape \(7,\)"),
        (np.zeros((3, 3)), r"of the shape \(3, 3\)"),
        (COORDS * np.nan, "not all finite"),
        (COORDS + np.inf, "not all finite"),
        (COORDS * 1e15, "larger than any slide"),
        (np.array([b"a", b"b", b"c"]), r"`coords` in .* is \|S1 \(3,\) and must be a table of numbers"),
        (None, "`coords` in .*case-1.h5 is a group and must be a table of numbers"),
        (7, r"`coords` in .* is int64 \(\)"),
    ],
)
def test_coordinates_that_are_none(tmp_path, slide, array, match) -> None:
    with h5py.File(tmp_path / "case-1.h5", "w") as file:
        file["features"] = np.ones((3, 4), np.float32)
        coords = file.create_group("coords") if array is None else file.create_dataset("coords", data=array)
        coords.attrs["patch_size_level0"] = 512
    with pytest.raises(UserError, match=match):
        read_coords(tmp_path, "case-1", slide, 256)
    with pytest.raises(UserError, match=match):
        read_bag(tmp_path, "case-1")


@pytest.mark.parametrize(
    ("features", "match"),
    [
        (None, "`features` in .*case-1.h5 is a group"),
        (np.ones(4), r"float64 \(4,\)"),
        (np.ones((4, 0)), r"float64 \(4, 0\)"),
        (np.array([[b"a"]]), "must be a table of numbers"),
        (h5py.Empty("f"), "must be a table of numbers"),
    ],
)
def test_features_that_are_none(tmp_path, features, match) -> None:
    with h5py.File(tmp_path / "case-1.h5", "w") as file:
        if features is None:
            file.create_group("features")
        else:
            file["features"] = features
    with pytest.raises(UserError, match=match):
        read_bag(tmp_path, "case-1")


def test_tensors(tmp_path) -> None:
    path, features = tmp_path / "case-1.pt", torch.rand(3, 4)
    torch.save(features.clone().requires_grad_(), path)
    np.testing.assert_array_equal(read_bag(tmp_path, "case-1")[0], features.numpy())
    for tensor, match in (
        (features.to_sparse(), "The tensor in .*case-1.pt is torch.sparse_coo"),
        (features.cfloat(), "is torch.complex64: a dense one of floating-point numbers"),
        (features.long(), "is torch.int64"),
        (features[0], r"float32 \(4,\)"),
    ):
        torch.save(tensor, path)
        with pytest.raises(UserError, match=match):
            read_bag(tmp_path, "case-1")
    for junk in (b"hello", b"", b"PK\x03\x04 and no more"):
        path.write_bytes(junk)
        with pytest.raises(UserError, match=r"case-1.pt is no tensor that PyTorch can read"):
            read_bag(tmp_path, "case-1")


def test_a_folder_that_is_none(tmp_path, slide) -> None:
    (tmp_path / "file").write_text("")
    for name, match in (("none", "does not exist"), ("file", "is a file")):
        with pytest.raises(UserError, match=f"{name}, named as the folder of coordinates, {match}"):
            read_coords(tmp_path / name, "case-1", slide, 256)
        with pytest.raises(UserError, match=f"{name}, named as the folder of features, {match}"):
            read_bag(tmp_path / name, "case-1")
