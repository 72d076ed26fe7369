"""The device: a model's forward passes, with copies to and from the device beside the computing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bench.embedding.errors import is_out_of_memory
from bench.embedding.store import FLOAT16_MAX
from registry.errors import UserError

if TYPE_CHECKING:
    import torch

    from registry.extractor import FeatureExtractor

    Output = tuple[torch.Tensor, torch.Tensor | None, tuple[int, int]]  # features, tokens, grid of patches


LEAST_ON_CPU = 16  # tiles of a batch


@dataclass
class Computed:
    """Features of a batch, perhaps still on their way from the device.

    Attributes
    ----------
    features : float32 tensor [B, D]
        In the memory of the processor, valid after `wait`; `tokens` likewise.
    tokens : float tensor [B, T, C] or None
        Patch tokens, float16 on a GPU where they fit it.
    grid : (int, int)
        Rows and columns of patches.
    launched : float
        Seconds that the calling thread worked.
    started, ended : CUDA events or None
    halved : int
        Tiles a forward pass after memory ran out and the batch was halved; 0 where it was not.
    """

    features: torch.Tensor
    tokens: torch.Tensor | None
    grid: tuple[int, int]
    launched: float
    started: torch.cuda.Event | None = None
    ended: torch.cuda.Event | None = None
    halved: int = 0

    def wait(self) -> tuple[Float[np.ndarray, "tile feature"], Float[np.ndarray, "tile token channel"] | None, float]:
        """The features, the tokens, and the seconds that the device worked on them."""
        seconds = self.launched
        if self.started is not None and self.ended is not None:
            self.ended.synchronize()
            seconds = self.started.elapsed_time(self.ended) / 1000
        return self.features.numpy(), None if self.tokens is None else self.tokens.numpy(), seconds


class Copier:
    """Batches to a device. On a GPU they are copied beside the computing, in a stream of their own.

    Parameters
    ----------
    device : torch.device
    """

    def __init__(self, device: torch.device):
        import torch

        self.device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def put(self, tiles: torch.Tensor) -> torch.Tensor:
        """The tiles on the device; pinned ones are copied asynchronously."""
        import torch

        if self._stream is None:
            return tiles
        with torch.cuda.stream(self._stream):
            there = tiles.to(self.device, non_blocking=True)
        computing = torch.cuda.current_stream(self.device)
        computing.wait_stream(self._stream)
        there.record_stream(computing)
        return there


class Forward:
    """The forward passes of one model.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    extractor : FeatureExtractor
    batch_size : int
        Tiles a forward pass at most. Where memory runs out it is halved, and stays so.
    on_halved : callable
        Is told the smaller size.
    tokens : bool
        Whether patch tokens are wanted too.

    Notes
    -----
    Features must not depend on how tiles are batched, so that a resumed run makes the same files. On a CPU only batches
    of few tiles take other kernels (measured for convolutional networks: up to 8 tiles), on a GPU every size may. A
    batch of fewer than `LEAST_ON_CPU` tiles, and on a GPU every batch that is not full, is filled up with copies of its
    last tile.
    """

    def __init__(
        self,
        name: str,
        extractor: FeatureExtractor,
        batch_size: int,
        on_halved: Callable[[int], None] | None = None,
        *,
        tokens: bool = False,
    ):
        self.name, self.extractor, self.batch_size, self._tokens = name, extractor, batch_size, tokens
        self._on_halved = on_halved or (lambda size: None)
        self._halved = False

    def __call__(self, tiles: torch.Tensor, *, fill: bool = True) -> Computed:
        """Features of a batch that is on the device.

        Parameters
        ----------
        tiles : uint8 tensor [B, 3, H, W]
        fill : bool
            Whether a batch that is not full may be filled up on a GPU.

        Raises
        ------
        UserError
            If a GPU has no memory for one tile.
        """
        import torch

        began, started, ended = time.perf_counter(), None, None
        if self.extractor.device.type == "cuda":
            started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            started.record()
        with torch.inference_mode():
            features, tokens, grid = self._features(tiles, fill)
            if ended is not None:
                features, tokens = _pinned(features), None if tokens is None else _pinned(_halved(tokens))
                ended.record()
        halved = self.batch_size if self._halved else 0
        return Computed(features.cpu(), tokens, grid, time.perf_counter() - began, started, ended, halved)

    def _features(self, tiles: torch.Tensor, fill: bool) -> Output:
        import torch

        found: list[Output] = []
        done = 0
        while done < len(tiles):
            part = tiles[done : done + self.batch_size]
            try:
                found.append(self._filled(part, fill))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch_size == 1:
                    raise UserError(
                        f"{self.name} runs out of GPU memory with a single tile: use a GPU with more memory, or "
                        "device=cpu."
                    ) from error
            else:
                done += len(part)
                continue
            self.batch_size, self._halved = max(1, min(self.batch_size, len(part)) // 2), True
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._on_halved(self.batch_size)
        if len(found) == 1:
            return found[0]
        tokens = [own for _, own, _ in found if own is not None]
        return torch.cat([features for features, _, _ in found]), torch.cat(tokens) if tokens else None, found[0][2]

    def _filled(self, tiles: torch.Tensor, fill: bool) -> Output:
        import torch

        n = len(tiles)
        wanted = self.batch_size if fill and self.extractor.device.type == "cuda" else LEAST_ON_CPU
        wanted = min(wanted, self.batch_size)
        if n < wanted:
            copies = tiles[-1:].expand(wanted - n, -1, -1, -1)
            tiles = torch.cat([tiles, copies]).contiguous(memory_format=torch.channels_last)
        if not self._tokens:
            return self.extractor(tiles)[:n], None, (0, 0)
        found = self.extractor.tokens(tiles)
        return found.vectors[:n], found.patches[:n], found.grid


def _pinned(there: torch.Tensor) -> torch.Tensor:
    """A copy in page-locked memory, which is complete when the device has come so far."""
    import torch

    return torch.empty(there.shape, dtype=there.dtype, pin_memory=True).copy_(there, non_blocking=True)


def _halved(tokens: torch.Tensor) -> torch.Tensor:
    """Rounded to float16 on the device, unless a number is beyond its range."""
    return tokens.half() if float(tokens.abs().amax()) <= FLOAT16_MAX else tokens
