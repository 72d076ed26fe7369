"""Front-ends one after another, and what the tiles of a batch become behind several chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bench.files import digest
from bench.frontends.base import FrontEnd, WeightSources
from bench.frontends.catalogue import NONE, find
from registry.errors import UserError

if TYPE_CHECKING:
    import torch

    from bench.frontends.base import Apply, Images, Seeds

JOINT = "+"
ANOTHER = 0x1E3779B97F4A7C15  # bits that a seed is changed by


@dataclass(frozen=True)
class Chain:
    """Front-ends that tiles go through from left to right; none of them leaves tiles as they are.

    Attributes
    ----------
    parts : tuple of FrontEnd
    """

    parts: tuple[FrontEnd, ...] = ()

    @property
    def name(self) -> str:
        """As tables show it: ``jpeg_3+lpfm``; "" for no front-end."""
        return JOINT.join(part.name for part in self.parts)

    @cached_property
    def identity(self) -> str:
        """For `FeatureKey.frontend`: the name and a digest of all that can change what it gives; "" for no front-end.

        Raises
        ------
        UserError
            If the weights of a restorer are not there.
        """
        return f"{self.name} {digest([part.identity for part in self.parts])}" if self.parts else ""

    @property
    def restores_first(self) -> bool:
        """Whether a restorer stands before a corruption, so that the encoder sees corrupted tiles."""
        order = [part.restores for part in self.parts]
        return any(order) and not all(order) and order != sorted(order)

    @property
    def memory_bytes(self) -> int:
        return sum(part.memory_bytes for part in self.parts)

    def check(self, height: int, width: int) -> None:
        """Raise UserError if a part cannot take tiles of this size (px)."""
        for part in self.parts:
            part.check(height, width)


def chain_of(
    wanted: str | Sequence[str] | None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    weights: WeightSources | None = None,
) -> Chain:
    """The chain that ``frontend=`` names: ``none``, ``jpeg_3``, ``[jpeg_3,lpfm]`` or ``jpeg_3+lpfm``.

    Parameters
    ----------
    settings : mapping of str to mapping
        Settings of the restorers by their names.

    Raises
    ------
    UserError
        If a name is unknown, or settings are of a front-end that is not in the chain.
    """
    names = [wanted] if isinstance(wanted, str) else wanted or []
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise UserError(f"frontend={wanted} must be a name or a list of names, such as frontend=[jpeg_3,median].")
    names = [part for name in names for part in name.split(JOINT) if part not in (NONE, "")]
    return Chain(tuple(find(name, (settings or {}).get(name), weights) for name in names))


class Loaded:
    """The front-ends of some chains on a device, each loaded once.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device):
        self._device = device
        self._loaded: dict[str, Apply] = {}

    def load(self, chain: Chain) -> None:
        """Load the parts that are not loaded yet.

        Raises
        ------
        UserError
            If weights are missing or are not those of the restorer.
        """
        for part in chain.parts:
            if part.name not in self._loaded:
                self._loaded[part.name] = part.load(self._device)

    def on(self, tiles: Images, seeds: Seeds) -> Behind:
        """A batch, of which each chain is computed once."""
        return Behind(self._loaded, tiles, seeds)


class Behind:
    """The tiles of a batch behind chains; what two chains have in common at their start is computed once."""

    def __init__(self, loaded: Mapping[str, Apply], tiles: Images, seeds: Seeds):
        self._loaded, self._seeds = loaded, seeds
        self._known: dict[tuple[str, ...], Images] = {(): tiles}

    def __call__(self, chain: Chain) -> Images:
        """uint8 [B, 3, H, W]; channels last in memory behind any front-end, as last bits of features depend on it."""
        import torch

        names = tuple(part.name for part in chain.parts)
        for n in range(len(names)):
            done = names[: n + 1]
            if done not in self._known:
                again = names[:n].count(names[n])  # a corruption that comes twice draws other numbers
                seeds = self._seeds ^ (again * ANOTHER) if again else self._seeds
                found = self._loaded[names[n]](self._known[names[:n]], seeds)
                self._known[done] = found.contiguous(memory_format=torch.channels_last)
        return self._known[names]
