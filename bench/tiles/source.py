"""The tiles of a dataset, from image files and HDF5 arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8

from bench.files import stamp
from bench.tiles.batch import Exceptions
from bench.tiles.decode import decode_tile
from registry.errors import UserError

LINES = 10_000  # tiles that enter the digest at once


class TileSource:
    """The tiles of a dataset in a fixed order.

    Parameters
    ----------
    ids : sequence of str
        Identity of each tile.
    paths, indices : sequences
        Image file of each tile and -1, or an HDF5 file and the row in it.
    """

    def __init__(self, ids: Sequence[str], paths: Sequence[str], indices: Sequence[int]):
        self.ids, self.paths, self.indices = list(ids), list(paths), [int(i) for i in indices]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int) -> TileSource:
        """The tiles `start` to `stop`."""
        return TileSource(self.ids[start:stop], self.paths[start:stop], self.indices[start:stop])

    def digest(self) -> str:
        """Digest of what the tiles are: id, row, and size and modification time of the file, of each in order.

        Reading all bytes would cost as much as embedding; where a dataset lies does not matter.
        """
        stamps = {path: stamp(path) for path in dict.fromkeys(self.paths)}
        hashed = hashlib.sha256()
        for start in range(0, len(self), LINES):
            part = slice(start, start + LINES)
            lines = zip(self.ids[part], self.indices[part], self.paths[part], strict=True)
            hashed.update("".join([f"{tile}\0{index}\0{stamps[path]}\n" for tile, index, path in lines]).encode())
        return hashed.hexdigest()[:16]

    @contextmanager
    def open(self) -> Iterator[_OpenFiles]:
        """The tiles, decoded from their files; a file is open only while it is decoded."""
        yield _OpenFiles(self)


class _OpenFiles:
    def __init__(self, source: TileSource):
        self._source = source
        self.shape = self._first_shape()

    def _first_shape(self) -> tuple[int, int]:
        for path, index in zip(self._source.paths, self._source.indices, strict=True):
            try:
                return decode_tile(path, index).shape[:2]
            except UserError:
                continue
        return 1, 1

    def read_into(self, out: UInt8[np.ndarray, "tile height width 3"], rows: range) -> Exceptions:
        unreadable, other_size = {}, {}
        for place, row in enumerate(rows):
            try:
                tile = decode_tile(self._source.paths[row], self._source.indices[row])
            except UserError as error:
                unreadable[row] = error
                continue
            if tile.shape == out.shape[1:]:
                out[place] = tile
            else:
                other_size[row] = tile
        return Exceptions(unreadable, other_size)
