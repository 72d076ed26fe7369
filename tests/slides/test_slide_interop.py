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
    with pytest.raises(UserError, match="no whole HDF5 file"):
        read_bag(tmp_path, "case-1")
    with pytest.raises(UserError, match="no whole HDF5 file"):
        read_coords(tmp_path, "case-1", slide, 256)
    (tmp_path / "case-1.h5").unlink()
    torch.save({"features": torch.ones(2)}, tmp_path / "case-1.pt")
    with pytest.raises(UserError, match="holds no tensor of features but a dict"):
        read_bag(tmp_path, "case-1")
