"""Batches of decoded tiles, read ahead by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from jaxtyping import Int, UInt8

from registry.errors import UserError

if TYPE_CHECKING:
    import torch

READ_AHEAD = 3  # batches decoded before they are wanted

Pending = TypeVar("Pending")


@dataclass(frozen=True)
class Batch:
    """Tiles of one size, and those of the same stretch of the source that cannot be read.

    Attributes
    ----------
    rows : int64 [B]
        Positions of the tiles in their source.
    tiles : uint8 tensor [B, 3, H, W]
        Channels last in memory, pinned if that was requested. B may be 0 where nothing can be read.
    unreadable : mapping of int to UserError
        By position, why a tile cannot be read.
    """

    rows: Int[np.ndarray, " tile"]
    tiles: torch.Tensor
    unreadable: Mapping[int, UserError] = field(default_factory=dict)


@dataclass(frozen=True)
class Exceptions:
    """Rows of a read that did not fill their place in the batch.

    Attributes
    ----------
    unreadable : mapping of int to UserError
        By row of the source, why a tile cannot be read.
    other_size : mapping of int to uint8 [height, width, 3]
        By row of the source, the tiles of another size than the batch's.
    """

    unreadable: Mapping[int, UserError]
    other_size: Mapping[int, UInt8[np.ndarray, "height width 3"]]


class OpenTiles(Protocol):
    """What one source gives while it is open; called from several threads at once.

    Attributes
    ----------
    shape : (int, int)
        Height and width that a batch is allocated with: of the first tile that can be read, (0, 0) where none can.
    """

    shape: tuple[int, int]

    def read_into(self, out: UInt8[np.ndarray, "tile height width 3"], rows: range) -> Exceptions:
        """Fill ``out[i]`` with row ``rows[i]`` of the source; `rows` is a run of neighbouring rows."""


def read_ahead(
    n_tiles: int,
    batch_size: int,
    submit: Callable[[ThreadPoolExecutor, range], Pending],
    *,
    workers: int,
    name: str,
) -> Iterator[Pending]:
    """What `submit` gives for each `batch_size` rows, in order, `READ_AHEAD` batches submitted ahead of the consumer.

    Parameters
    ----------
    n_tiles : int
        Rows of the source.
    submit : callable
        Starts the reading of a range of rows on the pool.
    workers : int
        Threads of the pool.
    name : str
        Of the threads, for a debugger.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix=name) as pool:
        ahead: deque[Pending] = deque()
        try:
            for first in range(0, n_tiles, batch_size):
                ahead.append(submit(pool, range(first, min(first + batch_size, n_tiles))))
                if len(ahead) > READ_AHEAD:
                    yield ahead.popleft()
            while ahead:
                yield ahead.popleft()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
