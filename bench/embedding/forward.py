"""The device: a model's forward passes, with copies to and from the device beside the computing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from bench.embedding.errors import is_out_of_memory
from registry.errors import UserError

if TYPE_CHECKING:
    import torch

    from registry.extractor import FeatureExtractor


@dataclass
class Computed:
    """Features of a batch, perhaps still on their way from the device.

    Attributes
    ----------
    features : float32 tensor [B, D]
        In the memory of the processor, valid after `wait`.
    launched : float
        Seconds that the calling thread worked.
    started, ended : CUDA events or None
    """

    features: torch.Tensor
    launched: float
    started: torch.cuda.Event | None = None
    ended: torch.cuda.Event | None = None

    def wait(self) -> tuple[Float[np.ndarray, "tile feature"], float]:
        """The features, and the seconds that the device worked on them."""
        if self.started is None or self.ended is None:
            return self.features.numpy(), self.launched
        self.ended.synchronize()
        return self.features.numpy(), self.started.elapsed_time(self.ended) / 1000


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

    Notes
    -----
    Features must not depend on how tiles are batched, so that a resumed run makes the same files: on a CPU only batches
    of one tile take other kernels (measured for convolutional networks), on a GPU every size may. A batch of one tile,
    and on a GPU every batch that is not full, is filled up with copies of its last tile.
    """

    def __init__(
        self, name: str, extractor: FeatureExtractor, batch_size: int, on_halved: Callable[[int], None] | None = None
    ):
        self.name, self.extractor, self.batch_size = name, extractor, batch_size
        self._on_halved = on_halved or (lambda size: None)

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
            features = self._features(tiles, fill)
            if ended is not None:
                there = features
                features = torch.empty(there.shape, dtype=there.dtype, pin_memory=True)
                features.copy_(there, non_blocking=True)
                ended.record()
            else:
                features = features.cpu()
        return Computed(features, time.perf_counter() - began, started, ended)

    def _features(self, tiles: torch.Tensor, fill: bool) -> torch.Tensor:
        import torch

        found: list[torch.Tensor] = []
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
            self.batch_size = max(1, min(self.batch_size, len(part)) // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._on_halved(self.batch_size)
        return found[0] if len(found) == 1 else torch.cat(found)

    def _filled(self, tiles: torch.Tensor, fill: bool) -> torch.Tensor:
        import torch

        n = len(tiles)
        wanted = self.batch_size if fill and self.extractor.device.type == "cuda" else 2
        if n < wanted:
            copies = tiles[-1:].expand(wanted - n, -1, -1, -1)
            tiles = torch.cat([tiles, copies]).contiguous(memory_format=torch.channels_last)
        return self.extractor(tiles)[:n]
