"""How many tiles a GPU takes at once: found by trying, and remembered beside the features."""

from __future__ import annotations

import contextlib
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.files import atomic_write
from registry.errors import UserError

if TYPE_CHECKING:
    from registry.extractor import FeatureExtractor

LEAST_GAIN = 1.05  # of the rate, for which a batch is doubled
CHECKSUM = "crc32"  # beside the sizes in their file, of all of them
ROUNDS = 2  # timed forward passes a size, after one that is not timed


@dataclass(frozen=True)
class BatchKey:
    """All that decides how many tiles fit, and how fast they are.

    Attributes
    ----------
    model : str
    card : str
        Digest of the model's card.
    device : str
        Name and memory of the GPU.
    precision : str
        Number format of the network's products.
    height, width : int
        Of the tiles as they arrive, px: the resize takes memory too.
    """

    model: str
    card: str
    device: str
    precision: str
    height: int
    width: int

    @classmethod
    def of(cls, model: FeatureExtractor, height: int, width: int) -> BatchKey:
        """The key of a loaded model on CUDA and of tiles of this size."""
        import torch

        gib = torch.cuda.get_device_properties(model.device).total_memory / 2**30
        device = f"{torch.cuda.get_device_name(model.device)} {gib:.0f} GiB"
        precision = model.precision_on(model.device)
        return cls(model.card.name, model.card.digest(), device, precision, height, width)

    def __str__(self) -> str:
        return " | ".join(map(str, astuple(self)))


class BatchSizes:
    """Batch sizes that were found, in ``cache/batch_sizes.json``; a file that is damaged counts as empty.

    What is lost costs a search and changes no feature: of two processes that write at the same moment, one may lose its
    entry, and a folder that cannot be written remembers nothing.
    """

    def __init__(self, cache: Path) -> None:
        self.path = cache / "batch_sizes.json"

    def get(self, key: BatchKey) -> int | None:
        """The size that is remembered, or None."""
        return self._read().get(str(key))

    def put(self, key: BatchKey, size: int) -> None:
        """Remember a size, in place of what was remembered before: a size that was found, or that had to be halved."""
        merged: dict[str, int | str] = dict(sorted({**self._read(), str(key): size}.items()))
        merged[CHECKSUM] = _checksum(merged)
        with contextlib.suppress(OSError), atomic_write(self.path) as temporary:
            temporary.write_text(json.dumps(merged, indent=1) + "\n", "utf-8")

    def _read(self) -> dict[str, int]:
        try:
            found = json.loads(self.path.read_text("utf-8"))
            if found.pop(CHECKSUM, None) != _checksum(found):
                return {}
            return {str(key): size for key, size in found.items() if type(size) is int and size > 0}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}


def _checksum(sizes: Mapping[str, int | str]) -> str:
    return f"{zlib.crc32(json.dumps(sizes, sort_keys=True).encode()):08x}"


def find_batch_size(model: FeatureExtractor, height: int, width: int, sizes: BatchSizes, start: int, limit: int) -> int:
    """The batch size of a loaded model on CUDA: the one that is remembered, or one found now and remembered.

    Parameters
    ----------
    height, width : int
        Of the tiles as they arrive, px.
    start, limit : int
        As for `largest_batch`.

    Raises
    ------
    UserError
        If not even one tile fits.
    """
    import torch

    key = BatchKey.of(model, height, width)
    found = sizes.get(key)
    if found is None:

        def forward(n: int) -> None:
            tiles = torch.zeros((n, height, width, 3), dtype=torch.uint8, device=model.device).permute(0, 3, 1, 2)
            with torch.inference_mode():
                model(tiles)
            torch.cuda.synchronize(model.device)

        found = largest_batch(forward, start, limit, f"{model.card.name} on {key.device}")
        sizes.put(key, found)
    return min(found, limit)


def largest_batch(
    forward: Callable[[int], None],
    start: int,
    limit: int,
    what: str,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """The largest batch that fits the memory and is worth its size.

    From `start` the batch is doubled as long as it fits and the rate rises by 5 % or more; if `start` does not fit, it
    is halved until it does.

    Parameters
    ----------
    forward : callable
        Runs a batch of so many tiles and returns when the device is done. Raises ``torch.OutOfMemoryError`` where it
        does not fit.
    start, limit : int
        First size, and the size that is not exceeded, 1 or more.
    what : str
        Name of the model and of its device, for the error.
    clock : callable
        Seconds.

    Returns
    -------
    int
        Between 1 and `limit`.

    Raises
    ------
    UserError
        If not even one tile fits.
    """
    size = min(start, limit)
    rate = _rate(forward, size, clock)
    while rate is None:
        if size == 1:
            raise UserError(
                f"{what} does not fit the memory even with one tile at a time: embed fewer models at once (memory_gib "
                "lower), free the device of other programs, or set device=cpu."
            )
        size //= 2
        rate = _rate(forward, size, clock)
        if rate is not None:
            return size  # the double did not fit
    while size * 2 <= limit:
        doubled = _rate(forward, size * 2, clock)
        if doubled is None or doubled < LEAST_GAIN * rate:
            break
        size, rate = size * 2, doubled
    return size


def _rate(forward: Callable[[int], None], size: int, clock: Callable[[], float]) -> float | None:
    """Tiles a second, the best of `ROUNDS`; None if a batch of this size runs out of memory."""
    import torch

    try:
        forward(size)  # the first one reserves the memory
        seconds = []
        for _ in range(ROUNDS):
            began = clock()
            forward(size)
            seconds.append(clock() - began)
    except torch.OutOfMemoryError:
        fits = False
    else:
        fits = True
    if not fits:  # outside of the handler, whose frames hold the tensors of the batch
        torch.cuda.empty_cache()
        return None
    return size / max(min(seconds), 1e-9)
