"""What a forward pass of a network costs, counted without its numbers."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from .build import build
from .card import ModelCard

_counted: dict[str, float | None] = {}


def gmacs(card: ModelCard) -> float | None:
    """Multiply-accumulate operations of one forward pass on one tile, in units of 1e9.

    The tile, or the region, has the side of the network's input (``card.preprocessing.size``). Counted are matrix
    products, convolutions and attention, two floating-point operations each being one multiply-accumulate; sums,
    normalisation, activations and preprocessing are not. The network is built on the meta device, so no weights are
    read and little memory is used. A card is counted once in a process.

    Returns
    -------
    float or None
        0 of a card without such operations (``colour``). None of slide encoders, whose cost depends on the number of
        tiles, and of networks that cannot be built or run on the meta device.
    """
    if card.unit == "slide":
        return None
    key = card.digest()
    if key not in _counted:
        _counted[key] = _count(card)
    return _counted[key]


def _count(card: ModelCard) -> float | None:
    side = card.preprocessing.size
    try:
        with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
            build(card.architecture)(torch.empty(1, 3, side, side))
    except Exception:  # a plugin's network may do anything; its cost is then not known
        return None
    return counter.get_total_flops() / 2e9
