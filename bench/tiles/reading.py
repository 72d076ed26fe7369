"""Runs of neighbouring tiles of an open source, each read and decoded in its place in a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from bench.tiles.arrays import ImageArray, OpenArrays
from bench.tiles.batch import Exceptions
from bench.tiles.contents import read_contents
from bench.tiles.decode import MAX_TILE_PX, UNREADABLE, Look, unreadable
from bench.tiles.images import decode_into, placed, read_image_into
from bench.tiles.pack import OpenPack
from registry.errors import UserError

NOTHING = np.empty((0, 0, 3), np.uint8)


class OpenFiles:
    """Tiles of image files and HDF5 arrays, as `bench.tiles.batch.OpenTiles`.

    Parameters
    ----------
    paths, indices : sequences
        Image file of each tile and -1, or an HDF5 file and the row in it.
    pack : OpenPack or None
        Where the bytes of the image files lie too.
    packed_from : int
        Row of the pack that is the first of these.
    max_px : int
        Pixels of a tile at most.
    """

    def __init__(
        self,
        paths: Sequence[str],
        indices: Sequence[int],
        pack: OpenPack | None = None,
        packed_from: int = 0,
        max_px: int = MAX_TILE_PX,
    ):
        self._paths, self._indices, self._pack, self._packed_from = paths, indices, pack, packed_from
        self._max_px = max_px
        self._arrays = OpenArrays(max_px)
        self._first_several = False
        self._first_row, self._first_tile = -1, NOTHING
        self.shape = self._first_shape()

    def close(self) -> None:
        """Close the HDF5 files."""
        self._arrays.close()

    def read_into(self, out: UInt8[np.ndarray, "tile height width 3"], rows: range) -> Exceptions:
        """Fill ``out[i]`` with row ``rows[i]``; what is not filled is in the exceptions."""
        failed: dict[int, UserError] = {}
        others: dict[int, np.ndarray] = {}
        several: set[int] = set()
        for start, stop in self._runs(rows):
            if self._indices[start] >= 0:
                self._read_rows(out[start - rows.start : stop - rows.start], range(start, stop), failed, others)
                continue
            packed = self._packed(range(start, stop))
            for row, encoded in zip(range(start, stop), packed, strict=True):
                look = Look(self._max_px)
                try:
                    other = self._read_image(out[row - rows.start], row, encoded, look)
                except UserError as error:
                    failed[row] = UserError(str(error))  # the traceback of the other one would keep the batch alive
                else:
                    if other is not None:
                        others[row] = other
                    if look.several:
                        several.add(row)
        return Exceptions(failed, others, frozenset(several))

    def contents(self, rows: range) -> list[bytes | None]:
        """The bytes of the image files of these rows; None for rows of arrays and for files that cannot be read."""
        found = self._packed(rows)
        for place, row in enumerate(rows):
            if found[place] is None and self._indices[row] < 0:
                with contextlib.suppress(OSError):
                    found[place] = read_contents(self._paths[row])
        return found

    def _first_shape(self) -> tuple[int, int]:
        for row, (path, index) in enumerate(zip(self._paths, self._indices, strict=True)):
            if index >= 0:
                with contextlib.suppress(*UNREADABLE), self._arrays.reading(path) as array:
                    if index < len(array):
                        return array.shape
                continue
            look = Look(self._max_px)
            try:
                tile = self._read_image(NOTHING, row, self._packed(range(row, row + 1))[0], look)
            except UserError:
                continue
            assert tile is not None
            self._first_row, self._first_tile, self._first_several = row, tile, look.several
            return tile.shape[0], tile.shape[1]
        return 0, 0

    def _runs(self, rows: range) -> Iterator[tuple[int, int]]:
        """Rows of image files, and rows that are neighbours in one HDF5 array."""
        paths, indices, start = self._paths, self._indices, rows.start
        for row in range(rows.start + 1, rows.stop + 1):
            if row < rows.stop:
                if indices[row] < 0 and indices[row - 1] < 0:
                    continue
                if 0 <= indices[row - 1] == indices[row] - 1 and paths[row] == paths[row - 1]:
                    continue
            yield start, row
            start = row

    def _packed(self, rows: range) -> list[bytes | None]:
        """The bytes of the image files of these rows in the pack, None for those that are read from their files."""
        if self._pack is None:
            return [None] * len(rows)
        return self._pack.read(range(self._packed_from + rows.start, self._packed_from + rows.stop))

    def _read_image(self, out: np.ndarray, row: int, encoded: bytes | None, look: Look) -> np.ndarray | None:
        if row == self._first_row:
            look.several = self._first_several
            return placed(out, self._first_tile)
        if encoded is not None:
            with contextlib.suppress(*UNREADABLE):  # the file itself has the same error, with its name
                return decode_into(out, encoded, look)
        return read_image_into(out, self._paths[row], look)

    def _read_rows(
        self, out: np.ndarray, rows: range, failed: dict[int, UserError], others: dict[int, np.ndarray]
    ) -> None:
        """Neighbours of one array in one read, and one by one where that fails, so that only the damaged ones fail."""
        path = self._paths[rows.start]
        try:
            with self._arrays.reading(path) as array:
                fits = array.shape == out.shape[1:3]
                tiles = out if fits else np.empty((len(rows), *array.shape, 3), np.uint8)
                try:
                    array.read_into(tiles, self._indices[rows.start])
                except UNREADABLE:
                    self._read_row_by_row(out, rows, array, failed, others)
                else:
                    if not fits:
                        others |= zip(rows, tiles, strict=True)
        except UNREADABLE as error:
            failed |= {row: unreadable(path, self._indices[row], error) for row in rows}

    def _read_row_by_row(
        self,
        out: np.ndarray,
        rows: range,
        array: ImageArray,
        failed: dict[int, UserError],
        others: dict[int, np.ndarray],
    ) -> None:
        for row, place in zip(rows, out, strict=True):
            try:
                other = placed(place, array.row(self._indices[row]))
            except UNREADABLE as error:
                failed[row] = unreadable(self._paths[row], self._indices[row], error)
            else:
                if other is not None:
                    others[row] = other
