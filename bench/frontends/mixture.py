"""One of several front-ends for each tile, as corrupted training tiles are made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.files import digest
from bench.frontends.base import FrontEnd
from bench.frontends.seeds import mixed

if TYPE_CHECKING:
    import torch

    from bench.frontends.base import Apply, Images, Seeds


@dataclass(frozen=True)
class Mixture:
    """Each tile goes through one of the parts, drawn by its seed, all of them alike likely.

    Attributes
    ----------
    parts : tuple of FrontEnd
    name : str
    """

    parts: tuple[FrontEnd, ...]
    name: str = "mixed"
    restores: bool = False

    @cached_property
    def identity(self) -> str:
        return digest([[part.name, part.identity] for part in self.parts])

    @property
    def memory_bytes(self) -> int:
        return sum(part.memory_bytes for part in self.parts)

    def check(self, height: int, width: int) -> None:
        for part in self.parts:
            part.check(height, width)

    def load(self, device: torch.device) -> Apply:
        loaded = [part.load(device) for part in self.parts]

        def apply(tiles: Images, seeds: Seeds) -> Images:
            import torch

            drawn = torch.tensor([mixed(seed, self.name) % len(loaded) for seed in seeds.tolist()])
            out = tiles.clone()
            for number in drawn.unique().tolist():
                own = (drawn == number).to(tiles.device)
                out[own] = loaded[number](tiles[own], seeds[own])
            return out

        return apply
