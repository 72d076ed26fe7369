"""The seed of a tile: the same on every machine, in every batch and after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from jaxtyping import Int64


def seeds_of(names: Sequence[str]) -> Int64[np.ndarray, " tile"]:
    """A seed from 0 to 2^63 - 1 for each tile, from the name that identifies it."""
    digests = b"".join(blake2b(name.encode(), digest_size=8).digest() for name in names)
    return (np.frombuffer(digests, "<u8") >> np.uint64(1)).astype(np.int64)


def mixed(seed: int, name: str) -> int:
    """The seed of a tile for one front-end, from 0 to 2^63 - 1, so that two front-ends draw different numbers."""
    return int(seeds_of([f"{seed} {name}"])[0])
