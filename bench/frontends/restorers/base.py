"""What restorers share: a name with settings, and a function that sees batches of one size only."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from bench.frontends.restorers.settings import in_words
from registry.errors import UserError

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds

_ON_GPU = 16  # tiles in a batch


@dataclass(frozen=True)
class NoSettings:
    """The settings of a restorer that has none."""


@dataclass(frozen=True)
class Restorer(abc.ABC):
    """A restorer without weights; those of this package derive from it and define `function`.

    Attributes
    ----------
    name : str
    settings : frozen dataclass
    version : int
        Counts the changes of the code that change an output, so that features of the one before are not taken.
    smallest : int
        Side of the smallest tile, px.
    """

    name: str
    settings: Any

    version: ClassVar[int] = 1
    smallest: ClassVar[int] = 8

    @property
    def restores(self) -> bool:
        return True

    @property
    def identity(self) -> str:
        """Version of the code and all settings."""
        return f"version={self.version} {in_words(self.settings)}".strip()

    @property
    def memory_bytes(self) -> int:
        return 0

    def check(self, height: int, width: int) -> None:
        """Refuse tiles with a side below `smallest`."""
        if min(height, width) < self.smallest:
            raise UserError(
                f"The restorer {self.name} takes tiles of {self.smallest} px or more, and these are "
                f"{height} x {width} px: leave it out, or choose larger tiles."
            )

    def batch_on(self, device: torch.device) -> int:
        """Number of tiles that `function` is called with, always."""
        return _ON_GPU if device.type == "cuda" else 1

    @abc.abstractmethod
    def function(self, device: torch.device) -> Apply:
        """The function of contiguous batches of `batch_on` tiles."""

    def load(self, device: torch.device) -> Apply:
        function, size = self.function(device), self.batch_on(device)

        def apply(tiles: Images, seeds: Seeds) -> Images:
            self.check(*tiles.shape[-2:])
            return in_batches_of(size, function, tiles, seeds)

        return apply


def in_batches_of(size: int, function: Callable[[Images, Seeds], Images], tiles: Images, seeds: Seeds) -> Images:
    """Call a function with exactly `size` tiles each time, the last batch filled up with copies of its last tile.

    What becomes of a tile then depends on nothing beside it: the kernels of a processor are chosen by the size of a
    batch and by the layout and alignment of its memory, and these are always the same here.

    Returns
    -------
    uint8 tensor of the shape of `tiles`
        Contiguous.
    """
    out = torch.empty(tiles.shape, dtype=torch.uint8, device=tiles.device)
    for start in range(0, len(tiles), size):
        part = tiles[start : start + size]
        batch = torch.empty((size, *tiles.shape[1:]), dtype=torch.uint8, device=tiles.device)
        batch[: len(part)] = part
        batch[len(part) :] = part[-1]
        own = seeds[start : start + size]
        out[start : start + size] = function(batch, torch.cat([own, own[-1:].expand(size - len(own))]))[: len(part)]
    return out
