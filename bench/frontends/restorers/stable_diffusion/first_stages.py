"""The networks that come before the sampling: Restormer for restoration, SwinIR for virtual staining."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import registry
from registry.checkpoint import differences, read
from registry.errors import UserError

from . import ldm_layout
from .swinir import COMPUTED, SwinIR


class _Restored(nn.Module):
    """Restormer as a function of images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network.restored(image)  # type: ignore[operator]


def restormer(path: Path) -> nn.Module:
    """The first stage of LPFM's restoration: the model ``lpfm`` of the registry."""
    return _Restored(registry.load("lpfm", checkpoint=path).network)


def swinir(path: Path, **sizes: Any) -> nn.Module:
    """The first stage of LPFM's virtual staining.

    Parameters
    ----------
    path : path
    **sizes
        Of `SwinIR`, where they are not the released ones.

    Raises
    ------
    UserError
        If the file is damaged or another network's.
    """
    state = ldm_layout.flat(read(path))
    state = {name: value for name, value in state.items() if not name.endswith(COMPUTED)}
    with torch.device("meta"):
        expected = SwinIR(**sizes)
    wrong = differences(expected, state)
    if wrong:
        raise UserError(
            f"{path} is not the first stage of LPFM's virtual staining: it {'; it '.join(wrong)}; take the published "
            "file."
        )
    network = SwinIR(**sizes)
    network.load_state_dict(state)
    return network.requires_grad_(False).eval()


FIRST_STAGES: Mapping[str, Callable[[Path], nn.Module]] = {"lpfm2": restormer, "virtual_stain": swinir}
