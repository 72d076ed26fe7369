"""The HDF5 feature store: one file a shard, in a folder named by all that can change a feature.

A file holds `features` [N, D] and, for slides, `coords` [N, 2] (level-0 pixels), contiguous and uncompressed, as CLAM,
TRIDENT and torchmil read them. It is written to a temporary name, flushed and renamed, so a final name means a complete
file; the folder's name is a digest of the key, so nothing stale is ever read.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from bench.files import atomic_write, unwritable
from registry.errors import UserError

FORMAT_VERSION = 1
FLOAT16_MAX = 65504.0
ABANDONED_AFTER_S = 24 * 3600  # a temporary file this old has no living writer


def write_features(
    path: Path,
    features: Float[np.ndarray, "tile feature"],
    attributes: Mapping[str, str | int | float],
    coords: Int[np.ndarray, "tile 2"] | None = None,
    coords_attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write one feature file; an error leaves none behind.

    Parameters
    ----------
    features : float32 [N, D]
        Stored as float16 unless a value would overflow.
    attributes : mapping
        Where the features come from.
    coords : int64 [N, 2] or None
        Level-0 position of each tile of a slide, px.
    coords_attributes : mapping or None
        What the coordinates mean, written to their dataset.

    Raises
    ------
    UserError
        If the disk is full or the folder cannot be written.
    """
    fits = features.size == 0 or float(np.abs(features).max()) <= FLOAT16_MAX
    try:
        with atomic_write(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
            file.create_dataset("features", data=features.astype(np.float16 if fits else np.float32), track_times=False)
            if coords is not None:
                places = file.create_dataset("coords", data=coords.astype(np.int64), track_times=False)
                for name, value in sorted((coords_attributes or {}).items()):
                    places.attrs[name] = value
            for name in sorted(attributes):
                file.attrs[name] = attributes[name]
            file.attrs["format_version"] = FORMAT_VERSION
    except OSError as error:
        raise unwritable(path, error, "cache=DIR") from error


@dataclass(frozen=True)
class Stored:
    """The features [N, D] or tokens [N, T, C] of one file, of which what is indexed is read, as a copy.

    The file is open only meanwhile: a cohort has more slides than a process may have files or memory maps.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        found = self._map()[rows]
        return found if found.flags.owndata else found.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._map(), dtype)

    def _map(self) -> np.ndarray:
        try:
            return np.asarray(np.memmap(self.path, self.dtype, "r", self.offset, self.shape))
        except (OSError, ValueError) as error:
            raise UserError(
                f"The features in {self.path} cannot be read any more ({error}): run again, and leave the folder of "
                "cache=DIR alone meanwhile."
            ) from error


def read_features(path: Path) -> tuple[Stored | np.ndarray, dict[str, Any]]:
    """The features [N, D] of one file, left on disk until they are indexed, and its attributes."""
    return read_dataset(path, "features")


def read_dataset(path: Path, name: str) -> tuple[Stored | np.ndarray, dict[str, Any]]:
    """The dataset of this name, whose first axis are tiles, likewise."""
    with h5py.File(path, "r") as file:
        stored, attributes = file[name], dict(file.attrs)
        offset, shape, dtype = stored.id.get_offset(), stored.shape, stored.dtype
        if offset is None:  # empty, or chunked by another writer
            return stored[:], attributes
    return Stored(path, shape, dtype, offset), attributes


def read_places(path: Path) -> tuple[Int[np.ndarray, "tile 2"] | None, dict[str, Any]]:
    """Where the tiles of one file lie, level-0 px, and what these numbers mean; None for tiles that are files."""
    with h5py.File(path, "r") as file:
        if "coords" not in file:
            return None, {}
        return file["coords"][:], dict(file["coords"].attrs)


def is_cached(path: Path, attributes: Mapping[str, str | int | float]) -> bool:
    """Whether the file exists, which means that it is complete, and has these attributes."""
    if not path.is_file():
        return False
    try:
        with h5py.File(path, "r") as file:
            return all(file.attrs.get(name) == value for name, value in attributes.items())
    except OSError:
        return False


def sweep(folder: Path) -> None:
    """Remove what killed writers left behind: half-written files, and claims that nobody has come upon since."""
    for stray in (*folder.glob(".*.tmp"), *folder.glob("*.claim")):
        with contextlib.suppress(OSError):
            if time.time() - stray.stat().st_mtime > ABANDONED_AFTER_S:
                stray.unlink()
