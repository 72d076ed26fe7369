"""Patch tokens of a shard: a file beside its vectors, written batch by batch and read by slices.

``SHARD.tokens.h5`` holds `tokens` [N, T, C], contiguous and uncompressed, with the rows of the vectors' file. A shard
of 16,384 tiles with 196 tokens of 1,024 is 6.6 GB as float16, so neither writing nor reading holds one in memory: rows
are written at their place in the file as they come. The same tiles give the same bytes, in whichever order they come.

Numbers are rounded to float16. Where one is beyond its range (65,504) the file is float32: that number is stored as it
is and all others are still rounded, so that a file does not depend on when such a number came.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from bench.embedding.store import FLOAT16_MAX, Stored, read_dataset, record_of, write_attributes
from bench.files import put_in_place, temporary_name, unwritable
from bench.hdf5 import layout_of
from bench.integrity import append_footer
from registry.errors import UserError

COPIED_BYTES = 2**26  # at a time, where a file is written anew
_SIGN, _INFINITE = 0x8000, 0x7C00  # bits of float16; those of a number that is not finite are as large or larger


def tokens_path(file: Path) -> Path:
    """The tokens that stand beside a file of vectors."""
    return file.with_name(f"{file.stem}.tokens.h5")


class TokenWriter:
    """Writes the tokens of one shard; one thread at a time.

    The file gets its name in `finish`, complete and flushed. A writer that is not finished must be abandoned, which
    removes what it wrote.

    Parameters
    ----------
    path : Path
        As of `tokens_path`.
    tiles : int
        Number of tiles of the shard, those that cannot be read among them.
    """

    def __init__(self, path: Path, tiles: int) -> None:
        self.path = path
        self._rows = tiles
        self._there = np.zeros(tiles, bool)
        self._grid: tuple[int, int] = (0, 0)
        self._file: _RawFile | None = None

    def put(
        self, rows: Int[np.ndarray, " tile"], tokens: Float[np.ndarray, "tile token channel"], grid: tuple[int, int]
    ) -> None:
        """Write the tokens of some tiles.

        Parameters
        ----------
        rows : int array [B]
            Positions of the tiles in the shard, in any order.
        tokens : float32 or float16 array [B, T, C]
            Rounding to float16 takes longer than all else here, so a device does it where it can; it then gives
            float32 for a batch in which a number would overflow.
        grid : (int, int)
            Rows and columns of patches.

        Raises
        ------
        UserError
            If a number is not finite, tiles differ in their grid of patches, or the disk is full.
        """
        if not len(rows):
            return
        peak = _peak(tokens)
        if not np.isfinite(peak):
            bad = ~np.isfinite(tokens).all(axis=(1, 2))
            raise UserError(
                f"The patch tokens of tile {rows[bad][0]} of {self.path.stem.removesuffix('.tokens')} are not finite "
                "numbers: try precision=float32, and check the checkpoint."
            )
        with self._explained():
            if self._file is None:
                self._grid = grid
                self._file = _RawFile(temporary_name(self.path), (self._rows, *tokens.shape[1:]), np.float16)
            if grid != self._grid or tokens.shape[1:] != self._file.shape[1:]:
                (one, two), (three, four) = self._grid, grid
                raise UserError(
                    f"The tiles of {self.path.stem.removesuffix('.tokens')} differ in size, and so in patches: "
                    f"{one} x {two} and {three} x {four}; features=tokens takes tiles of one size."
                )
            if peak > FLOAT16_MAX and self._file.dtype == np.float16:
                self._rewrite(np.float32, np.flatnonzero(self._there), self._rows)
            self._file.write(rows, _rounded(tokens, self._file.dtype))
        self._there[rows] = True

    def finish(self, attributes: Mapping[str, str | int | float]) -> None:
        """Complete the file and give it its name; tiles that were not put are left out of its rows.

        Parameters
        ----------
        attributes : mapping
            Those of the vectors' file; `grid_rows` and `grid_columns` come beside them.

        Raises
        ------
        UserError
            If the disk is full or the folder cannot be written; nothing is left behind then.
        """
        present = np.flatnonzero(self._there)
        try:
            with self._explained():
                if self._file is None:
                    self._file = _RawFile(temporary_name(self.path), (0, 0, 0), np.float16)
                elif len(present) < self._rows:
                    self._rewrite(self._file.dtype, present, len(present))
                self._file.close()
                own = {**attributes, "grid_rows": self._grid[0], "grid_columns": self._grid[1]}
                record = record_of(own)
                with _hdf5(self._file.path, "r+") as file:
                    write_attributes(file, own)
                    record["layout"] = layout_of(file["tokens"])
                append_footer(self._file.path, record)
                put_in_place(self._file.path, self.path)
                self._file = None
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Remove what was written; nothing happens where it is finished."""
        if self._file is not None:
            self._file.remove()
            self._file = None

    def _rewrite(self, dtype: type[np.generic] | np.dtype[Any], present: np.ndarray, rows: int) -> None:
        """Copy the rows that are there to a file of another number format or with fewer rows."""
        old = self._file
        assert old is not None
        new = _RawFile(temporary_name(self.path), (rows, *old.shape[1:]), dtype)
        try:
            places = present if rows == self._rows else np.arange(rows)
            step = max(1, COPIED_BYTES // max(1, old.row_bytes))
            for start in range(0, len(present), step):
                part = slice(start, start + step)
                new.write(places[part], old.read(present[part]).astype(new.dtype))
        except BaseException:
            new.remove()
            raise
        self._file = new
        old.remove()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self.path, error, "cache=DIR") from error


def read_tokens(path: Path) -> tuple[Stored | np.ndarray, dict[str, Any]]:
    """The tokens [N, T, C] of one file, left on disk until they are indexed, and its attributes."""
    return read_dataset(path, "tokens")


def grid_of(attributes: Mapping[str, Any]) -> tuple[int, int]:
    """Rows and columns of patches, from the attributes of a file of tokens."""
    return int(attributes["grid_rows"]), int(attributes["grid_columns"])


def _peak(tokens: np.ndarray) -> float:
    """The largest absolute value, or one that is not finite; of float16 only whether all are finite."""
    if tokens.dtype == np.float16:  # whose bits are compared as integers: NumPy has no instructions for such numbers
        worst = tokens.view(np.int16).max() >= _INFINITE or tokens.view(np.uint16).max() >= _SIGN | _INFINITE
        return float("inf") if worst else 0.0
    import torch

    low, high = torch.from_numpy(tokens).aminmax()
    return max(-float(low), float(high)) if low.isfinite() and high.isfinite() else float("inf")


def _rounded(tokens: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """To float16; in a file of float32 what is beyond its range stays."""
    import torch

    half = tokens
    if tokens.dtype != np.float16:
        half = torch.from_numpy(tokens).half().numpy()  # as NumPy rounds, in a third of its time
    if dtype == np.float16:
        return half
    return np.where(np.abs(tokens) > FLOAT16_MAX, tokens, half).astype(np.float32)


@contextlib.contextmanager
def _hdf5(path: Path, mode: str) -> Iterator[h5py.File]:
    """An HDF5 file, of which all that the operating system refuses is an OSError; h5py has others when it closes."""
    try:
        with h5py.File(path, mode, libver="v110") as file:
            yield file
    except RuntimeError as error:
        raise OSError(errno.EIO, str(error)) from error


class _RawFile:
    """An HDF5 file with one contiguous dataset, `tokens`, whose rows are written and read in place of its bytes."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type[np.generic] | np.dtype[Any]) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        self.row_bytes = int(np.prod(shape[1:])) * self.dtype.itemsize
        self._handle: io.BufferedRandom | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _hdf5(path, "w") as file:
                layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                layout.set_layout(h5py.h5d.CONTIGUOUS)
                layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
                layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
                layout.set_obj_track_times(False)
                space = h5py.h5s.create_simple(shape)
                made = h5py.h5d.create(file.id, b"tokens", h5py.h5t.py_create(self.dtype), space, layout)
                self._offset = made.get_offset() or 0
            self._handle = open(path, "r+b")  # noqa: SIM115 -- closed by `close`
        except BaseException:
            self.remove()
            raise

    def write(self, rows: np.ndarray, values: np.ndarray) -> None:
        handle = self._handle
        assert handle is not None
        order = np.argsort(rows)
        for run in np.split(order, np.flatnonzero(np.diff(rows[order]) != 1) + 1):
            handle.seek(self._offset + int(rows[run[0]]) * self.row_bytes)
            in_order = run[-1] - run[0] == len(run) - 1 and (np.diff(run) == 1).all()
            part = values[run[0] : run[-1] + 1] if in_order else values[run]
            handle.write(np.ascontiguousarray(part).data)

    def read(self, rows: np.ndarray) -> np.ndarray:
        handle = self._handle
        assert handle is not None
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for place, row in enumerate(rows):
            handle.seek(self._offset + int(row) * self.row_bytes)
            handle.readinto(memoryview(found[place]).cast("B"))
        return found

    def close(self) -> None:
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)
