"""Feature and coordinate files of CLAM and TRIDENT: read as they are, and ours described so that they read them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from bench.files import path_below
from bench.hdf5 import OtherFile, own_dataset
from bench.slides.slide import Slide
from bench.slides.tiling import Grid, from_coords
from registry.errors import UserError

# Where the two programs put a slide's file below the folder that a user would name.
FEATURES = ("{id}.h5", "h5_files/{id}.h5", "{id}.pt", "pt_files/{id}.pt")
COORDS = ("{id}_patches.h5", "{id}.h5", "patches/{id}_patches.h5", "patches/{id}.h5")

LARGEST = 2**40  # px; no slide is as long, and int64 and float64 are exact
ROUNDING = 1  # px of the level that is read; the programs round both places and windows


def coords_attributes(slide: Slide, grid: Grid) -> dict[str, Any]:
    """Attributes of the dataset `coords` of a bag, by the names of TRIDENT, and of CLAM where they hold.

    A magnification is nominal, 10 / mpp; the true scale of a tile is in `mpp_true_x` and `mpp_true_y`. CLAM's
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
        In the precision of an HDF5 file; float32 of a ``.pt`` file.
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
    arrays, attributes = _read(path, "features", "coords")
    features = _two(arrays["features"], path)
    coords = _places(arrays["coords"], path) if "coords" in arrays else None
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

    Returns
    -------
    Grid
        Without the tiles that hang over the right or bottom edge, where CLAM pads them with white; `candidates` counts
        them.

    Raises
    ------
    UserError
        If there is no file of the slide, it does not say how large a tile is, or it is of another slide.
    """
    path = find_coords(folder, slide_id)
    arrays, attrs = _read(path, "coords")
    coords = _places(arrays["coords"], path)
    width, height = slide.dimensions
    for name, side in (("level0_width", width), ("level0_height", height)):
        if name in attrs and _number(attrs, name, path) != side:
            raise UserError(
                f"The coordinates in {path} are of another slide: their {name} is {attrs[name]} and {slide.path} has "
                f"{width} x {height} px."
            )
    window = _window(attrs, slide, path)
    if (overlap := _number(attrs, "overlap", path) if "overlap" in attrs else 0) < 0:
        raise UserError(f"The coordinates in {path} have the overlap {overlap:g}, which is below 0: make them again.")
    if len(coords) and ((coords < 0).any() or (coords >= (width, height)).any()):
        raise UserError(f"The coordinates in {path} lie outside the slide {slide.path} of {width} x {height} px.")
    if len(coords) and (window[0] > width or window[1] > height):
        raise UserError(
            f"The tiles in {path} are {window[0]:g} x {window[1]:g} px of level 0, larger than the slide {slide.path} "
            f"of {width} x {height} px."
        )
    every = from_coords(slide, coords, window, tile_size, int(overlap))
    ends = np.rint(coords / slide.downsample(every.level)) + every.window
    inside = (ends <= np.array(slide.level_dimensions[every.level]) + ROUNDING).all(axis=1)
    return replace(every, coords=every.coords[inside], tissue=every.tissue[inside])


def _window(attrs: dict[str, Any], slide: Slide, path: Path) -> tuple[float, float]:
    """Width and height of a tile, level-0 px."""
    if "patch_size_level0" in attrs:
        name, factor = "patch_size_level0", (1.0, 1.0)
    elif "patch_size" in attrs and "patch_level" in attrs:
        name, level = "patch_size", _number(attrs, "patch_level", path)
        if level not in range(len(slide.level_dimensions)):
            raise UserError(
                f"The coordinates in {path} are of the patch_level {level:g}, and the levels of the slide {slide.path} "
                f"are 0 to {len(slide.level_dimensions) - 1}."
            )
        factor = slide.downsample(int(level))
    else:
        raise UserError(
            f"The coordinates in {path} do not say how large a tile is: they need the attribute patch_size_level0 "
            "(TRIDENT) or patch_size and patch_level (CLAM)."
        )
    if (side := _number(attrs, name, path)) < 1:
        raise UserError(f"The coordinates in {path} have the {name} {side:g}: a tile is 1 px or more.")
    return side * factor[0], side * factor[1]


def _read(path: Path, needed: str, *others: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The datasets of these names, all but the first if they are there, and what the file says of them and itself."""
    names = (needed, *others)
    try:
        with h5py.File(path, "r") as file:
            found = {name: node for name in names if (node := own_dataset(file, name)) is not None}
            if needed not in found:
                raise UserError(f"The file {path} holds no dataset `{needed}` but {', '.join(file) or 'nothing'}.")
            for name, node in found.items():
                if not isinstance(node, h5py.Dataset) or not node.shape or node.dtype.kind not in "iuf":
                    what = f"{node.dtype} {node.shape}" if isinstance(node, h5py.Dataset) else "a group"
                    raise UserError(
                        f"`{name}` in {path} is {what} and must be a table of numbers: make the file again."
                    )
            for name, node in found.items():
                if node.nbytes > _memory():
                    raise UserError(
                        f"`{name}` in {path} is {node.dtype} {node.shape}, {node.nbytes / 2**40:,.3g} TiB, which is "
                        "more than the memory of this machine: make the file again."
                    )
            attributes = {**dict(file.attrs), **(dict(found["coords"].attrs) if "coords" in found else {})}
            return {name: node[()] for name, node in found.items()}, attributes
    except OtherFile as error:
        what = f"`{error.name}` in {path} is a link to another file"
        if not error.is_link:
            what = f"The numbers of `{error.name}` in {path} lie in other files"
        raise UserError(f"{what}: copy the data into one file.") from error
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(f"The file {path} is not a complete HDF5 file ({error}): make it again.") from error


def _memory() -> float:
    """Bytes of memory of this machine; no limit where it cannot be known."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def _number(attrs: dict[str, Any], name: str, path: Path) -> float:
    value = np.asarray(attrs[name])
    if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        raise UserError(f"The attribute {name} in {path} is {attrs[name]!r} and must be a number: make the file again.")
    return float(value.item())


def _find(folder: Path, slide_id: str, places: tuple[str, ...], what: str) -> Path:
    if not folder.is_dir():
        raise UserError(
            f"{folder}, named as the folder of {what}, {'is a file' if folder.exists() else 'does not exist'}: name "
            "the right one."
        )
    for place in places:
        if (path := path_below(folder, place.format(id=slide_id))).is_file():
            return path
    raise UserError(
        f"The folder {folder} has no {what} of the slide {slide_id}: it should have {places[0].format(id=slide_id)}."
    )


def _tensor(path: Path) -> Float[np.ndarray, "tile feature"]:
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler meets what is no tensor with any error
        raise UserError(f"The file {path} is no tensor that PyTorch can read: make it again.") from error
    if not isinstance(loaded, torch.Tensor):
        raise UserError(f"The file {path} holds no tensor of features but a {type(loaded).__name__}.")
    if loaded.layout is not torch.strided or loaded.is_meta or not loaded.is_floating_point():
        kind = loaded.dtype if loaded.layout is torch.strided else loaded.layout
        raise UserError(f"The tensor in {path} is {kind}: a dense one of floating-point numbers is needed.")
    return _two(loaded.detach().float().numpy(), path)


def _two(features: np.ndarray, path: Path) -> Float[np.ndarray, "tile feature"]:
    """[N, D]; some versions write [1, N, D]."""
    if features.ndim == 3 and features.shape[0] == 1:
        features = features[0]
    if features.ndim != 2 or features.dtype.kind != "f" or not features.shape[1]:
        raise UserError(
            f"The features in {path} are {features.dtype} {features.shape}: one row of numbers a tile is needed."
        )
    return features


def _places(coords: np.ndarray, path: Path) -> Int[np.ndarray, "tile 2"]:
    """[N, 2]; some versions write [1, N, 2]."""
    if coords.ndim == 3 and coords.shape[0] == 1:
        coords = coords[0]
    if not coords.size:
        return np.zeros((0, 2), np.int64)
    if coords.ndim != 2 or coords.shape[1] != 2 or not np.isfinite(coords).all():
        what = "not all finite" if coords.shape[1:] == (2,) else f"of the shape {coords.shape}"
        raise UserError(f"The coordinates in {path} are {what}: one finite x and y a tile are needed.")
    if (np.abs(coords) > LARGEST).any():
        raise UserError(f"The coordinates in {path} are larger than any slide: one x and y in px a tile are needed.")
    return np.rint(coords).astype(np.int64)
