"""The HDF5 feature store: one file a shard, in a folder named by all that can change a feature.

A file holds `features` [N, D] and, for slides, `coords` [N, 2] (level-0 pixels), contiguous and uncompressed, as CLAM,
TRIDENT and torchmil read them. It is written to a temporary name, flushed and renamed, so a final name means a complete
file; the folder's name is a digest of the key, so nothing stale is ever read.

It ends in a footer (`bench.integrity`): its attributes, where its numbers lie, and checksums of every byte. A file that
differs from its footer, or has none, is not complete and is made again. Here the footer alone is read and HDF5 is left
to other programs; the content is checked once, until the file's size, times or inode change.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from jaxtyping import Float, Int

from bench.files import unwritable
from bench.hdf5 import layout_of, new_hdf5
from bench.integrity import DamagedFileError, FileStamp, Footer, check_content, read_footer, stamp_of
from registry.errors import UserError

FORMAT_VERSION = 2  # of files; 1 had no footer
FLOAT16_MAX = 65504.0
PLAIN: dict[str, Any] = {"track_times": False}  # so that the same numbers give the same bytes
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
    record = record_of(attributes)
    try:
        with new_hdf5(path, record) as file:
            made = [file.create_dataset("features", data=features.astype(np.float16 if fits else np.float32), **PLAIN)]
            if coords is not None:
                made.append(file.create_dataset("coords", data=coords.astype(np.int64), **PLAIN))
                for name, value in sorted((coords_attributes or {}).items()):
                    made[-1].attrs[name] = value
                record["coords"] = dict(coords_attributes or {})
            write_attributes(file, attributes)
            record["layout"] = layout_of(*made)
    except OSError as error:
        raise unwritable(path, error, "cache=DIR") from error


def record_of(attributes: Mapping[str, str | int | float]) -> dict[str, Any]:
    """What the footer of a file with these attributes says, but for where its numbers lie."""
    return {"format_version": FORMAT_VERSION, "attributes": dict(attributes)}


def write_attributes(file: h5py.File, attributes: Mapping[str, str | int | float]) -> None:
    """Write the attributes of a feature file, for whoever reads it with HDF5."""
    for name in sorted(attributes):
        file.attrs[name] = attributes[name]
    file.attrs["format_version"] = FORMAT_VERSION


@dataclass(frozen=True)
class Stored:
    """The features [N, D] or tokens [N, T, C] of one file, of which what is indexed is read, as a copy.

    The file is open only meanwhile: a cohort has more slides than a process may have files or memory maps.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    footer: Footer
    stamp: FileStamp

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        found = self._map()[rows]
        return found if found.flags.owndata else found.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._map(), dtype)

    def _map(self) -> np.ndarray:
        try:
            with open(self.path, "rb") as file:
                if stamp_of(os.fstat(file.fileno())) != self.stamp:
                    self._check_again(file)
                return np.asarray(np.memmap(file, self.dtype, "r", self.offset, self.shape))
        except (OSError, ValueError, DamagedFileError) as error:
            raise UserError(
                f"The features in {self.path} cannot be read any more ({error}): run again, and leave the folder of "
                "cache=DIR alone meanwhile."
            ) from error

    def _check_again(self, file: BinaryIO) -> None:
        """Another process may have written the same file once more."""
        footer = read_footer(file)
        if footer != self.footer:
            raise DamagedFileError("they are others")
        check_content(file, self.path, footer)


def read_features(path: Path) -> tuple[Stored | np.ndarray, dict[str, Any]]:
    """The features [N, D] of one file, left on disk until they are indexed, and its attributes.

    Raises
    ------
    UserError
        If the file is not there or not as it was written.
    """
    return read_dataset(path, "features")


def read_dataset(path: Path, name: str) -> tuple[Stored | np.ndarray, dict[str, Any]]:
    """The dataset of this name, whose first axis are tiles, likewise."""
    footer, stamp = _checked(path)
    offset, shape, dtype = _place(footer, name, path)
    attributes = dict(footer.record["attributes"])
    if offset is None:
        return np.empty(shape, dtype), attributes
    return Stored(path, shape, dtype, offset, footer, stamp), attributes


def read_places(path: Path) -> tuple[Int[np.ndarray, "tile 2"] | None, dict[str, Any]]:
    """Where the tiles of one file lie, level-0 px, and what these numbers mean; None for tiles that are files."""
    footer, stamp = _checked(path)
    if "coords" not in footer.record:
        return None, {}
    offset, shape, dtype = _place(footer, "coords", path)
    found = np.empty(shape, dtype) if offset is None else Stored(path, shape, dtype, offset, footer, stamp)[:]
    return found, dict(footer.record["coords"])


def is_cached(path: Path, attributes: Mapping[str, str | int | float]) -> bool:
    """Whether the file is there, is what was written, and has these attributes."""
    try:
        with open(path, "rb") as file:
            footer = read_footer(file)
            own = footer.record.get("attributes", {})
            if footer.record.get("format_version") != FORMAT_VERSION or own != {**own, **attributes}:
                return False
            check_content(file, path, footer)
    except (OSError, DamagedFileError):
        return False
    return True


def _checked(path: Path) -> tuple[Footer, FileStamp]:
    try:
        with open(path, "rb") as file:
            footer = read_footer(file)
            return footer, check_content(file, path, footer)
    except (OSError, DamagedFileError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"The features in {path} cannot be used ({why}): run again to make them anew.") from error


def _place(footer: Footer, name: str, path: Path) -> tuple[int | None, tuple[int, ...], np.dtype[Any]]:
    try:
        offset, shape, dtype = footer.record["layout"][name]
    except KeyError:
        raise UserError(f"The file {path} holds no {name}: delete it and run again.") from None
    return offset, tuple(shape), np.dtype(dtype)


def sweep(folder: Path) -> None:
    """Remove what killed writers left behind: half-written files, and claims that nobody has come upon since."""
    for stray in (*folder.glob(".*.tmp"), *folder.glob("*.claim")):
        with contextlib.suppress(OSError):
            if time.time() - stray.stat().st_mtime > ABANDONED_AFTER_S:
                stray.unlink()
