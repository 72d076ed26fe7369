"""Features of several files one after another: the tiles of the slides of a bag, or of the shards of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Stacked:
    """Features or tokens of several files one after another, left on disk until they are indexed.

    Parameters
    ----------
    parts : sequence of [N_i, ...]
        The files in their order; what `bench.embedding.read_features` and `read_tokens` give.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])
        self.shape = (int(self.ends[-1]), *map(int, parts[0].shape[1:]))
        self.dtype = np.result_type(*(part.dtype for part in parts))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        where = np.arange(len(self))[rows]
        if where.ndim == 0:
            return self[where[None]][0]
        part_of = np.searchsorted(self.ends, where, side="right")
        out = np.empty((len(where), *self.shape[1:]), self.dtype)
        for number in np.unique(part_of):
            own = part_of == number
            start = self.ends[number - 1] if number else 0
            out[own] = self.parts[number][where[own] - start]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.concatenate([np.asarray(part) for part in self.parts]).astype(dtype or self.dtype)
