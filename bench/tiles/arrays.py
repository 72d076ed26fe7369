"""The array of images of an HDF5 file, read by slices of rows straight into a batch."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np
from jaxtyping import UInt8

from bench.hdf5 import own_arrays

CHUNK_CACHE = 64 << 20  # bytes of decompressed chunks a file; HDF5's own 1 MB is less than one chunk of 64 tiles
CHUNK_SLOTS = 10_007  # a prime, as HDF5's manual advises
IDLE_FILES = 8  # open though no thread reads them, of a dataset that has a file a slide


class ImageArray:
    """The one uint8 array of images of an HDF5 file, open until it is closed; safe to read from several threads.

    Parameters
    ----------
    path : str
        An HDF5 file with one 4-dimensional array, [N, H, W, 3] or [N, 3, H, W], which lies in the file itself.
    max_px : int
        Pixels of a tile at most.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the tiles, px.

    Raises
    ------
    OSError, ValueError, KeyError, RuntimeError
        If there is no such file, or it has no such array, or one of larger tiles.
    """

    def __init__(self, path: str, max_px: int):
        if not Path(path).is_file():
            raise FileNotFoundError("no such file")
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE, rdcc_nslots=CHUNK_SLOTS))
            self._array = _image_array(file)
            self._channels_last = self._array.shape[-1] == 3
            height, width = self._array.shape[1:3] if self._channels_last else self._array.shape[2:]
            if height * width > max_px:
                raise ValueError(f"its tiles are {width} x {height} px, more than max_tile_px={max_px} allows")
            self.shape: tuple[int, int] = (height, width)
            self._start = _start_of_plain(self._array)
            if self._start is not None:
                self._descriptor = os.open(path, os.O_RDONLY)
                opened.callback(os.close, self._descriptor)
            self._opened = opened.pop_all()

    def __enter__(self) -> ImageArray:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._array)

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def row(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """One tile; raises what h5py raises."""
        tile = self._array[index]
        return np.ascontiguousarray(tile if self._channels_last else np.moveaxis(tile, 0, -1))

    def read_into(self, out: UInt8[np.ndarray, "tile height width 3"], first: int) -> None:
        """Fill `out`, which has the shape of the tiles, with as many rows from `first` on.

        Raises
        ------
        OSError, ValueError, RuntimeError
            If one of the rows cannot be read; which one is not known, and `out` may be filled in part.
        """
        if first + len(out) > len(self._array):
            raise ValueError(f"rows {first} to {first + len(out) - 1} of an array of {len(self._array)}")
        if self._channels_last and out.flags.c_contiguous:
            self._fill(out, first)
        else:
            rows = np.empty((len(out), *self._array.shape[1:]), np.uint8)
            self._fill(rows, first)
            out[...] = rows if self._channels_last else np.moveaxis(rows, 1, -1)

    def _fill(self, rows: np.ndarray, first: int) -> None:
        if self._start is None:
            self._array.read_direct(rows, np.s_[first : first + len(rows)])
            return
        into, at = rows.reshape(-1).data, self._start + first * (rows.nbytes // len(rows))
        while into:  # one read gives 2 GB at most
            count = os.preadv(self._descriptor, [into], at)
            if count == 0:
                raise OSError("the file ends before it")
            into, at = into[count:], at + count


class OpenArrays:
    """The arrays of several files, opened when they are first read; safe to use from several threads.

    `max_px` is as of `ImageArray`.
    """

    def __init__(self, max_px: int) -> None:
        self._max_px = max_px
        self._open: OrderedDict[str, tuple[ImageArray, int]] = OrderedDict()  # with how many read it; used last at end
        self._failed: dict[str, Exception] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[ImageArray]:
        """The array of a file, open for as long as the block lasts.

        Raises
        ------
        OSError, ValueError, KeyError, RuntimeError
            If it cannot be opened; the same each time.
        """
        with self._lock:
            if path in self._failed:
                raise self._failed[path].with_traceback(None)
            if path not in self._open:
                try:
                    self._open[path] = ImageArray(path, self._max_px), 0
                except Exception as error:  # h5py meets damaged files with any error
                    self._failed[path] = error
                    raise
            array, readers = self._open[path]
            self._open[path] = array, readers + 1
            self._open.move_to_end(path)
        try:
            yield array
        finally:
            with self._lock:
                self._open[path] = array, self._open[path][1] - 1
                idle = [path for path, (_, readers) in self._open.items() if not readers]
                for path in idle[:-IDLE_FILES]:
                    self._open.pop(path)[0].close()

    def close(self) -> None:
        """Close all files; none may be read any more."""
        with self._lock:
            while self._open:
                self._open.popitem()[1][0].close()


def _image_array(file: h5py.File) -> h5py.Dataset:
    found = [d for d in own_arrays(file) if d.ndim == 4]
    if len(found) != 1 or found[0].dtype != np.uint8 or 3 not in (found[0].shape[1], found[0].shape[-1]):
        raise ValueError("not one uint8 array of shape [N, H, W, 3]")
    return found[0]


def _start_of_plain(array: h5py.Dataset) -> int | None:
    """Where the bytes of an array begin that is one uncompressed block of its file, which needs no lock of HDF5."""
    plain = array.chunks is None and array.external is None and not array.is_virtual and hasattr(os, "preadv")
    return array.id.get_offset() if plain and array.file.driver == "sec2" else None
