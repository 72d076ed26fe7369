"""The tiles of a dataset, from image files and HDF5 arrays."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench.files import stamp
from bench.tiles.batch import Batch, OpenTiles, read_ahead
from bench.tiles.decode import decode_tile
from bench.tiles.pack import Pack
from bench.tiles.reading import OpenFiles
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

        self._pack: Pack | None = None
        self._packed_from = 0  # row of the pack that is our first

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int) -> TileSource:
        """The tiles `start` to `stop`."""
        part = TileSource(self.ids[start:stop], self.paths[start:stop], self.indices[start:stop])
        part._pack, part._packed_from = self._pack, self._packed_from + start
        return part

    def packed(self, folder: Path, digest: str, *, progress: bool = False) -> TileSource:
        """The same tiles, of which the image files are read from one file in `folder`, made when they are first opened.

        Parameters
        ----------
        digest : str
            That of this source.
        progress : bool
            Whether a progress bar is shown while the file is made.
        """
        packed = TileSource(self.ids, self.paths, self.indices)
        if any(index < 0 for index in self.indices):
            tiles = (packed.ids, packed.paths, packed.indices)
            packed._pack = Pack(folder, *tiles, digest, packed._digest_of, progress=progress)
        return packed

    def digest(self) -> str:
        """Digest of what the tiles are: id, row, and size and modification time of the file, of each in order.

        Reading all bytes would cost as much as embedding; where a dataset lies does not matter.
        """
        return self._digest_of({path: stamp(path) for path in dict.fromkeys(self.paths)})

    def _digest_of(self, stamps: Mapping[str, str]) -> str:
        hashed = hashlib.sha256()
        for start in range(0, len(self), LINES):
            part = slice(start, start + LINES)
            lines = zip(self.ids[part], self.indices[part], self.paths[part], strict=True)
            hashed.update("".join([f"{tile}\0{index}\0{stamps[path]}\n" for tile, index, path in lines]).encode())
        return hashed.hexdigest()[:16]

    @contextlib.contextmanager
    def open(self) -> Iterator[OpenTiles]:
        """The tiles for reading by runs of rows, from several threads; closes what it opened.

        Raises
        ------
        UserError
            If the tiles are to be packed and cannot be.
        """
        with contextlib.ExitStack() as opened:
            pack = opened.enter_context(self._pack.open()) if self._pack else None
            yield opened.enter_context(contextlib.closing(OpenFiles(self.paths, self.indices, pack, self._packed_from)))

    def batches(self, batch_size: int, *, workers: int, pin: bool = False) -> Iterator[Batch]:
        """Decode the tiles in order, `batch_size` at a time.

        Parameters
        ----------
        workers : int
            Decoding threads.
        pin : bool
            Whether the batch lies in page-locked memory, for asynchronous copies to a GPU.

        Yields
        ------
        Batch
            Of one tile size each: a dataset of mixed sizes gives more, smaller batches.
        """

        def submit(pool: ThreadPoolExecutor, rows: range) -> tuple[range, list[Future[np.ndarray]]]:
            return rows, [pool.submit(decode_tile, self.paths[i], self.indices[i]) for i in rows]

        for rows, decoding in read_ahead(len(self), batch_size, submit, workers=workers, name="decode"):
            yield from _collect(rows, decoding, pin)


def _collect(rows: range, decoding: list[Future[np.ndarray]], pin: bool) -> Iterator[Batch]:
    import torch

    by_shape: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    unreadable: dict[int, UserError] = {}
    for row, future in zip(rows, decoding, strict=True):
        try:
            tile = future.result()
        except UserError as error:
            unreadable[row] = error
            continue
        by_shape.setdefault(tile.shape, []).append((row, tile))
    if unreadable:
        yield Batch(np.zeros(0, np.int64), torch.empty((0, 3, 0, 0), dtype=torch.uint8), unreadable)
    for shape, members in by_shape.items():
        tiles = torch.empty((len(members), *shape), dtype=torch.uint8, pin_memory=pin)
        np.stack([tile for _, tile in members], out=tiles.numpy())
        yield Batch(np.array([row for row, _ in members]), tiles.permute(0, 3, 1, 2))
