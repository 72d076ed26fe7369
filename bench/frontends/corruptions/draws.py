"""Random numbers of a tile, from its seed and the name of a front-end only."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from bench.frontends.seeds import mixed

_LOW = 2**32 - 1
_TABLE_BITS = 16


def uniforms(seeds: Int64[Tensor, " tile"], name: str, count: int) -> Float[np.ndarray, "tile count"]:
    """A few numbers from [0, 1) for each tile."""
    each = [np.random.Generator(np.random.Philox(mixed(seed, name))).random(count) for seed in seeds.tolist()]
    return np.array(each).reshape(len(each), count)


def words(seeds: Int64[Tensor, " tile"], name: str, count: int, device: torch.device) -> Int64[Tensor, "tile count"]:
    """A field of 32 random bits a place for each tile, as numbers from 0 to 2^32 - 1.

    A place's number is a hash of the tile's seed and the index of the place: nothing is drawn one after another, so a
    whole batch is drawn at once and every device gives the same.
    """
    keys = torch.tensor([mixed(seed, name) for seed in seeds.tolist()], dtype=torch.int64, device=device)[:, None]
    index = torch.arange(count, dtype=torch.int64, device=device)
    return _hashed(_hashed(index ^ _hashed(keys & _LOW)) ^ (keys >> 32))


def normals(seeds: Int64[Tensor, " tile"], name: str, count: int, device: torch.device) -> Float[Tensor, "tile count"]:
    """A field of standard normal numbers for each tile, float64, by the method of Box and Muller.

    Logarithm and cosine are read from tables of 2^16 entries, since a processor's own may differ in the last bit with a
    number's place in a batch. The largest absolute value is 4.9.
    """
    bits = words(seeds, name, count, device)
    radii, cosines = _box_muller(device)
    return radii[bits >> _TABLE_BITS] * cosines[bits & (2**_TABLE_BITS - 1)]


@lru_cache(maxsize=8)
def _box_muller(device: torch.device) -> tuple[Float[Tensor, " entry"], Float[Tensor, " entry"]]:
    """The radius and the cosine by 16 random bits, in multiples of 2^-24."""
    middles = (np.arange(2**_TABLE_BITS) + 0.5) / 2**_TABLE_BITS
    radii, cosines = (
        torch.from_numpy(np.rint(table * 2**24) / 2**24).to(device)
        for table in (np.sqrt(-2 * np.log(middles)), np.cos(2 * np.pi * middles))
    )
    return radii, cosines


def _hashed(x: Int64[Tensor, ...]) -> Int64[Tensor, ...]:
    """A bijection of 32 bits in which every bit of the input changes every bit of the output about half the time.

    Both factors are below 2^31, so that no product leaves the range of int64 (constants by the hash-prospector project,
    public domain).
    """
    x = x ^ (x >> 16)
    x = (x * 0x21F0AAAD) & _LOW
    x = x ^ (x >> 15)
    x = (x * 0x735A2D97) & _LOW
    return x ^ (x >> 15)
