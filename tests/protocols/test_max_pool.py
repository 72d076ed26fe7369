"""The maximum of a bag's tiles: what it says it looked at, and what it holds for that."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.protocols.networks.pooling import Pooling


class Largest(TorchDispatchMode):
    """Remembers the bytes of the largest tensor that is made."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.bytes = max(self.bytes, tensor.numel() * tensor.element_size())
        return out


def test_attention_is_the_share_of_features_that_a_tile_wins_and_holds_no_more_than_the_tiles() -> None:
    torch.manual_seed(0)
    network = Pooling(6, 2, pool="max", dim=16, relu=False).eval()
    tiles, bag = torch.randn(300, 6), torch.tensor([0] * 100 + [1] * 200)
    with Largest() as largest, torch.no_grad():
        out = network(tiles, bag, 2)
    embedded = network.embed(tiles).detach().numpy()
    for side in (slice(0, 100), slice(100, 300)):
        winners = embedded[side].argmax(axis=0)
        expected = np.bincount(winners, minlength=len(embedded[side])) / 16
        np.testing.assert_allclose(out.attention[side], expected, atol=1e-7)
    assert largest.bytes <= embedded.nbytes
