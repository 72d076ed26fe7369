"""A dataset's tiles as batches of decoded pixels, read ahead by threads."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from bench.files import stamp
from bench.tiles.decode import decode_tile
from registry.errors import UserError

if TYPE_CHECKING:
    import torch

READ_AHEAD = 3  # batches decoded before they are asked for
LINES = 10_000  # tiles that enter the digest at once


@dataclass(frozen=True)
class Batch:
    """Tiles of one size.

    Attributes
    ----------
    rows : int64 [B]
        Positions of the tiles in their source.
    tiles : uint8 tensor [B, 3, H, W]
        Channels last in memory, pinned if asked for.
    """

    rows: Int[np.ndarray, " tile"]
    tiles: torch.Tensor


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
        whole = hashlib.sha256()
        for start in range(0, len(self), LINES):
            part = slice(start, start + LINES)
            lines = zip(self.ids[part], self.indices[part], self.paths[part], strict=True)
            whole.update("".join([f"{tile}\0{index}\0{stamps[path]}\n" for tile, index, path in lines]).encode())
        return whole.hexdigest()[:16]

    def batches(
        self,
        batch_size: int,
        *,
        workers: int,
        pin: bool = False,
        skipped: list[int] | None = None,
    ) -> Iterator[Batch]:
        """Decode the tiles in order, `batch_size` at a time.

        Parameters
        ----------
        workers : int
            Decoding threads.
        pin : bool
            Whether the batch lies in page-locked memory, for asynchronous copies to a GPU.
        skipped : list of int or None
            Positions of tiles that cannot be read are appended to it; None makes them an error.

        Yields
        ------
        Batch
            Of one tile size each: a dataset of mixed sizes gives more, smaller batches.
        """
        with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
            ahead: deque[tuple[range, list[Future[np.ndarray]]]] = deque()
            try:
                for first in range(0, len(self), batch_size):
                    rows = range(first, min(first + batch_size, len(self)))
                    ahead.append((rows, [pool.submit(decode_tile, self.paths[i], self.indices[i]) for i in rows]))
                    if len(ahead) > READ_AHEAD:
                        yield from _collect(*ahead.popleft(), pin, skipped)
                while ahead:
                    yield from _collect(*ahead.popleft(), pin, skipped)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _collect(rows: range, decoding: list[Future[np.ndarray]], pin: bool, skipped: list[int] | None) -> Iterator[Batch]:
    import torch

    by_shape: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = {}
    for row, future in zip(rows, decoding, strict=True):
        try:
            tile = future.result()
        except UserError:
            if skipped is None:
                raise
            skipped.append(row)
            continue
        by_shape.setdefault(tile.shape, []).append((row, tile))
    for shape, members in by_shape.items():
        tiles = torch.empty((len(members), *shape), dtype=torch.uint8, pin_memory=pin)
        np.stack([tile for _, tile in members], out=tiles.numpy())
        yield Batch(np.array([row for row, _ in members]), tiles.permute(0, 3, 1, 2))
