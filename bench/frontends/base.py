"""What a front-end is: a function of tiles that stands between their decoding and the encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from jaxtyping import Int64, UInt8

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Images = UInt8[Tensor, "tile 3 height width"]
    Seeds = Int64[Tensor, " tile"]
    Apply = Callable[[Images, Seeds], Images]


class FrontEnd(Protocol):
    """A corruption at one severity, or a restorer.

    Attributes
    ----------
    name : str
        As users write it, and as tables show it: ``jpeg_3``, ``median``, ``lpfm``.
    restores : bool
        Whether it is a restorer.
    """

    @property
    def name(self) -> str: ...

    @property
    def restores(self) -> bool: ...

    @property
    def identity(self) -> str:
        """All that can change its output beside its name: parameters, version of its code, sha256 of its weights.

        Raises
        ------
        UserError
            If its weights are not there, or a package that it needs is not installed.
        """

    @property
    def memory_bytes(self) -> int:
        """About what its weights take on the device."""

    def check(self, height: int, width: int) -> None:
        """Raise UserError, in one sentence, if it cannot take tiles of this size (px)."""

    def load(self, device: torch.device) -> Apply:
        """The function itself, on a device.

        It maps uint8 tiles [B, 3, H, W] and an int64 seed for each of them to uint8 tiles of the same shape, on the
        same device. What becomes of a tile depends on the tile, its seed and the front-end only, never on the batch:
        bit for bit on one kind of device.
        """


@dataclass(frozen=True)
class WeightSources:
    """Where restorers look for their weights, as models do.

    Attributes
    ----------
    checkpoints : mapping of str to str
        File of a restorer by its name.
    weights_dir : str or None
        A folder of weight files.
    offline : bool
        Whether the hub is never asked.
    """

    checkpoints: Mapping[str, str] = field(default_factory=dict)
    weights_dir: str | None = None
    offline: bool = False
