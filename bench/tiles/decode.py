"""One tile from an image file or a row of an HDF5 array."""

from __future__ import annotations

import threading
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from registry.errors import UserError

Image.MAX_IMAGE_PIXELS = None  # a benchmark's own images are not an attack, however large

_arrays: dict[str, h5py.Dataset] = {}
_arrays_lock = threading.Lock()  # HDF5 itself serialises reads, so the lock costs nothing


def decode_tile(path: str, index: int = -1) -> UInt8[np.ndarray, "height width 3"]:
    """Read one tile as 8-bit RGB.

    Parameters
    ----------
    path : str
        A TIFF, PNG, JPEG or WebP file, or an HDF5 file with one array of images.
    index : int
        Row of the HDF5 array; -1 for an image file.

    Raises
    ------
    UserError
        If the file is missing, truncated or no 8-bit image.
    """
    try:
        return _decode_row(path, index) if index >= 0 else _decode_image(path)
    except (OSError, SyntaxError, ValueError, IndexError, Image.DecompressionBombError) as error:
        where = f"{path} (row {index})" if index >= 0 else path
        raise UserError(
            f"The tile {where} cannot be read ({_first_line(error)}): mend or remove it, or set on_corrupt=skip to "
            "leave such tiles out."
        ) from error


def _decode_image(path: str) -> UInt8[np.ndarray, "height width 3"]:
    with Image.open(path) as image:
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"{image.mode} pixels, not 8-bit colour")
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image_rgba = image.convert("RGBA")
            white = Image.new("RGBA", image_rgba.size, "white")
            return np.asarray(Image.alpha_composite(white, image_rgba).convert("RGB"))
        return np.asarray(image.convert("RGB"))


def _decode_row(path: str, index: int) -> UInt8[np.ndarray, "height width 3"]:
    with _arrays_lock:
        if path not in _arrays:
            _arrays[path] = _image_array(path)
        tile = _arrays[path][index]
    if tile.shape[-1] != 3:
        tile = np.moveaxis(tile, 0, -1)
    return np.ascontiguousarray(tile)


def _image_array(path: str) -> h5py.Dataset:
    if not Path(path).is_file():
        raise FileNotFoundError("no such file")
    found = [d for d in h5py.File(path, "r").values() if isinstance(d, h5py.Dataset) and d.ndim == 4]
    if len(found) != 1 or found[0].dtype != np.uint8 or 3 not in (found[0].shape[1], found[0].shape[-1]):
        raise ValueError("not one uint8 array of shape [N, H, W, 3]")
    return found[0]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
