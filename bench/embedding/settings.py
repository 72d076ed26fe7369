"""How tiles are embedded; nothing here changes a feature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def silent(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class EmbeddingSettings:
    """How tiles are embedded; nothing here changes a feature.

    Attributes
    ----------
    batch_size : int
        Tiles a forward pass.
    find_batch_size : bool
        Whether each model's own size is found on a GPU, from `batch_size` on, and remembered.
    workers : int
        Decoding threads.
    on_corrupt : {"error", "skip"}
        What an unreadable tile does.
    memory_bytes : int or None
        What the networks of one pass may take together; None is unlimited.
    progress : bool
        Whether a progress bar is shown.
    say : callable
        Takes a line on where the time went, and one where a batch did not fit the device.
    """

    batch_size: int
    workers: int
    on_corrupt: str = "error"
    memory_bytes: int | None = None
    find_batch_size: bool = False
    progress: bool = True
    say: Callable[[str], None] = silent
