"""Feature and coordinate files of CLAM and TRIDENT: read as they are, and ours described so that they read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from bench.slides.slide import Slide
from bench.slides.tiling import Grid, from_coords
from registry.errors import UserError

# Where the two programs put a slide's file below the folder that a user would name.
FEATURES = ("{id}.h5", "h5_files/{id}.h5", "{id}.pt", "pt_files/{id}.pt")
COORDS = ("{id}_patches.h5", "{id}.h5", "patches/{id}_patches.h5", "patches/{id}.h5")


def coords_attributes(slide: Slide, grid: Grid) -> dict[str, Any]:
    """Attributes of the dataset `coords` of a bag, by the names of TRIDENT, and of CLAM where they hold.

    A magnification is nominal, 10 / mpp; what a tile shows is said by `mpp_true_x` and `mpp_true_y`. CLAM's
    `patch_level` and `downsample` describe a tile only where it is a window of a level unresampled, and are left away
    elsewhere.
    """
    width, height = slide.dimensions
    attributes: dict[str, Any] = {
        "name": slide.name,
        "patch_size": grid.size,
        "patch_size_level0": round(grid.window_level0[0]),
        "overlap": grid.overlap,
        "level0_width": width,
        "level0_height": height,
        "level0_magnification": round(10 / slide.mpp[0], 2),
        "target_magnification": round(10 / grid.mpp_asked, 2),
        "level0_mpp_x": slide.mpp[0],
        "level0_mpp_y": slide.mpp[1],
        "mpp_source": slide.mpp_source,
        "mpp_asked": grid.mpp_asked,
        "mpp_true_x": grid.mpp_true[0],
        "mpp_true_y": grid.mpp_true[1],
        "read_level": grid.level,
        "read_window": np.array(grid.window, np.int64),
    }
    if grid.window == (grid.size, grid.size):
        attributes["patch_level"] = grid.level
        attributes["downsample"] = np.array(slide.downsample(grid.level))
        attributes["downsampled_level_dim"] = np.array(slide.level_dimensions[grid.level], np.int64)
        attributes["level_dim"] = np.array(slide.level_dimensions[grid.level], np.int64)
    return attributes


def find_bag(folder: Path, slide_id: str) -> Path:
    """The file of a slide's features; UserError if there is none."""
    return _find(folder, slide_id, FEATURES, "features")


def find_coords(folder: Path, slide_id: str) -> Path:
    """The file of a slide's coordinates; UserError if there is none."""
    return _find(folder, slide_id, COORDS, "coordinates")


def read_bag(
    folder: Path, slide_id: str
) -> tuple[Float[np.ndarray, "tile feature"], Int[np.ndarray, "tile 2"] | None, dict[str, Any]]:
    """One slide's features from a folder of CLAM or TRIDENT.

    Returns
    -------
    features : float [N, D]
        In the file's own precision.
    coords : int64 [N, 2] or None
        Level-0 px; None for CLAM's ``.pt`` files, which have none.
    attributes : dict
        What the file says of its coordinates and itself.

    Raises
    ------
    UserError
        If there is no file of the slide, or it holds no features.
    """
    path = find_bag(folder, slide_id)
    if path.suffix == ".pt":
        return _tensor(path), None, {}
    try:
        with h5py.File(path, "r") as file:
            if "features" not in file:
                raise UserError(f"The file {path} holds no dataset `features` but {', '.join(file) or 'nothing'}.")
            features = _two(file["features"][:], path)
            coords = file["coords"][:].astype(np.int64).reshape(-1, 2) if "coords" in file else None
            attributes = {**dict(file.attrs), **(dict(file["coords"].attrs) if "coords" in file else {})}
    except OSError as error:
        raise UserError(f"The file {path} is no whole HDF5 file ({error}): make it again.") from error
    if coords is not None and len(coords) != len(features):
        raise UserError(f"The file {path} has {len(features)} features and {len(coords)} coordinates: make it again.")
    return features, coords, attributes


def read_coords(folder: Path, slide_id: str, slide: Slide, tile_size: int) -> Grid:
    """The tiles of a slide as CLAM or TRIDENT laid them.

    Parameters
    ----------
    folder : Path
        TRIDENT's ``..._overlap`` folder or its ``patches``, or CLAM's result folder or its ``patches``.
    tile_size : int
        Side to which the tiles are brought, px.

    Raises
    ------
    UserError
        If there is no file of the slide, it does not say how large a tile is, or it is of another slide.
    """
    path = find_coords(folder, slide_id)
    try:
        with h5py.File(path, "r") as file:
            if "coords" not in file:
                raise UserError(f"The file {path} holds no dataset `coords` but {', '.join(file) or 'nothing'}.")
            coords, says = file["coords"][:].astype(np.int64).reshape(-1, 2), dict(file["coords"].attrs)
    except OSError as error:
        raise UserError(f"The file {path} is no whole HDF5 file ({error}): make it again.") from error
    if "patch_size_level0" in says:
        window = (float(says["patch_size_level0"]),) * 2
    elif "patch_size" in says and "patch_level" in says:
        factor = slide.downsample(int(says["patch_level"]))
        window = (float(says["patch_size"]) * factor[0], float(says["patch_size"]) * factor[1])
    else:
        raise UserError(
            f"The coordinates in {path} do not say how large a tile is: they need the attribute patch_size_level0 "
            "(TRIDENT) or patch_size and patch_level (CLAM)."
        )
    width, height = slide.dimensions
    if len(coords) and ((coords < 0).any() or (coords >= (width, height)).any()):
        raise UserError(f"The coordinates in {path} lie outside the slide {slide.path} of {width} x {height} px.")
    return from_coords(slide, coords, window, tile_size, int(says.get("overlap", 0)))


def _find(folder: Path, slide_id: str, places: tuple[str, ...], what: str) -> Path:
    for place in places:
        if (path := folder / place.format(id=slide_id)).is_file():
            return path
    raise UserError(
        f"The folder {folder} has no {what} of the slide {slide_id}: it should have {places[0].format(id=slide_id)}."
    )


def _tensor(path: Path) -> Float[np.ndarray, "tile feature"]:
    import pickle

    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(
            f"The file {path} is no tensor that can be read ({type(error).__name__}): make it again."
        ) from error
    if not isinstance(loaded, torch.Tensor):
        raise UserError(f"The file {path} holds no tensor of features but a {type(loaded).__name__}.")
    return _two(loaded.float().numpy(), path)


def _two(features: np.ndarray, path: Path) -> Float[np.ndarray, "tile feature"]:
    """[N, D]; some versions write [1, N, D]."""
    if features.ndim == 3 and features.shape[0] == 1:
        features = features[0]
    if features.ndim != 2 or features.dtype.kind != "f":
        raise UserError(
            f"The features in {path} are {features.dtype} {features.shape}: one row of numbers a tile is needed."
        )
    return features
