"""What is read of a source of tiles, and the batches that are made of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt8

from registry.errors import UserError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Exceptions:
    """Rows of a read that did not fill their place in the batch.

    Attributes
    ----------
    unreadable : mapping of int to UserError
        By row of the source, why a tile cannot be read.
    other_size : mapping of int to uint8 [H, W, 3]
        By row of the source, tiles of another size than the batch's.
    several : set of int
        Rows of the source whose file holds further pictures beside the first, which is read.
    """

    unreadable: Mapping[int, UserError] = field(default_factory=dict)
    other_size: Mapping[int, UInt8[np.ndarray, "height width 3"]] = field(default_factory=dict)
    several: frozenset[int] = frozenset()


class OpenTiles(Protocol):
    """An open source; several threads read it at once.

    Attributes
    ----------
    shape : (int, int)
        Height and width that a batch is allocated with: those of the first tile.
    """

    @property
    def shape(self) -> tuple[int, int]: ...

    def read_into(self, out: UInt8[np.ndarray, "tile height width 3"], rows: range) -> Exceptions:
        """Fill ``out[i]`` with the tile ``rows[i]``."""


class Tiles(Protocol):
    """Tiles in a fixed order."""

    def __len__(self) -> int: ...

    def prepare(self) -> None:
        """Do what is done once for all tiles of a dataset and may take long; the calling thread can be interrupted."""

    def open(self) -> AbstractContextManager[OpenTiles]:
        """Open the files that the tiles are read from."""


@runtime_checkable
class DistantTiles(Tiles, Protocol):
    """Tiles of which a copy is made nearby before they are opened."""

    def fetch(self, stopped: threading.Event) -> None:
        """Make the copy; waits for room, and ends early when `stopped` is set."""

    def drop(self) -> None:
        """Remove the copy."""


@dataclass(frozen=True)
class Batch:
    """Tiles of one size from one source or from several that follow one another.

    Attributes
    ----------
    sources : int64 [B]
        Position in the stream of the source of each tile.
    rows : int64 [B]
        Position of each tile in its source.
    tiles : uint8 tensor [B, 3, H, W]
        Channels last in memory, pinned if that was requested. B may be 0 where nothing can be read.
    unreadable : mapping of (source, row) to UserError
        Why a tile of this stretch of the stream cannot be read.
    other_size : bool
        Whether these tiles are of another size than the first tile of their source.
    several : mapping of int to int
        By source, how many tiles of this stretch of the stream are the first of several pictures of their file.
    """

    sources: Int[np.ndarray, " tile"]
    rows: Int[np.ndarray, " tile"]
    tiles: torch.Tensor
    unreadable: Mapping[tuple[int, int], UserError] = field(default_factory=dict)
    other_size: bool = False
    several: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)
