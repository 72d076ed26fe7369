"""The jobs of the embedding stage, each of one `FeatureKey`, over shards of tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import length_hint
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import Int

from bench.embedding.feature_key import FeatureKey
from bench.embedding.store import is_cached
from bench.embedding.token_store import tokens_path
from bench.files import digest
from bench.frontends import Chain, seeds_of
from bench.tiles import Tiles, TileSource

Network = TypeVar("Network", covariant=True)


@dataclass(frozen=True, eq=False)
class Shard:
    """What becomes one feature file: a part of a tile dataset, or a slide.

    Attributes
    ----------
    name : str
        Of the file, without suffix.
    tiles : Tiles
    attributes : mapping
        What identifies this shard's tiles, beside the key of the job; a cached file is valid if it has the same ones.
    coords : int64 [N, 2] or None
        Level-0 position of each tile of a slide, px.
    coords_attributes : mapping
        Written to the dataset `coords`: what its numbers mean.
    ids : sequence of str
        Of the tiles of a dataset.
    """

    name: str
    tiles: Tiles
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    coords: Int[np.ndarray, "tile 2"] | None = None
    coords_attributes: Mapping[str, Any] = field(default_factory=dict)
    ids: Sequence[str] = ()

    @cached_property
    def ids_digest(self) -> str:
        """Digest of the ids in their order; "" where there are none: the tiles of a slide are known by their grid."""
        return digest(list(self.ids)) if self.ids else ""

    def seeds(self) -> Int[np.ndarray, " tile"]:
        """A seed a tile for front-ends that draw: from its id or, on a slide, from the slide's name and its place."""
        if self.coords is not None:
            return seeds_of([f"{self.name} {x} {y}" for x, y in self.coords.tolist()])
        return seeds_of(self.ids or [f"{self.name} {row}" for row in range(len(self.tiles))])


class Shards:
    """Shards that are made while they are iterated over, each once.

    Parameters
    ----------
    shards : iterable of Shard

    Attributes
    ----------
    complete : bool
        Whether the last one is known.
    number : int
        How many there are at most, 0 if that is not known.
    """

    def __init__(self, shards: Iterable[Shard]):
        self.complete = isinstance(shards, Sequence)
        self.number = length_hint(shards)
        self._known: list[Shard] = list(shards) if self.complete else []
        self._rest = iter(()) if self.complete else iter(shards)

    def __iter__(self) -> Iterator[Shard]:
        position = 0
        while True:
            while position < len(self._known):
                yield self._known[position]
                position += 1
            try:
                self._known.append(next(self._rest))
            except StopIteration:
                self.complete = True
                return

    def close(self) -> None:
        """Make no more."""
        if (close := getattr(self._rest, "close", None)) is not None:
            close()


def shards_of(source: TileSource, tiles: int) -> list[Shard]:
    """A tile dataset as shards of at most `tiles` tiles."""
    ends = [(start, min(start + tiles, len(source))) for start in range(0, len(source), tiles)]
    return [
        Shard(f"{start:09d}-{stop:09d}", source.part(start, stop), ids=source.ids[start:stop]) for start, stop in ends
    ]


@dataclass(frozen=True, eq=False)
class EmbeddingJob(Generic[Network]):
    """One model's features of all shards.

    Attributes
    ----------
    key : FeatureKey
    cache : Path
        Root of the store.
    load : callable
        Gives the network, on its device. Called only if a shard is missing.
    memory_bytes : int
        About what the network takes on its device.
    described : mapping
        Written to the files too: what can change without changing the features.
    tokens : bool
        Whether patch tokens are stored beside the vectors, of the same forward pass. The key is the same with and
        without them, as the vectors are.
    frontend : Chain
        What tiles go through before the network.
    """

    key: FeatureKey
    cache: Path
    load: Callable[[], Network]
    memory_bytes: int = 0
    described: Mapping[str, str | int | float] = field(default_factory=dict)
    tokens: bool = False
    frontend: Chain = field(default_factory=Chain)

    @property
    def network(self) -> tuple[FeatureKey, bool]:
        """What jobs have in common that differ in their front-end alone, and so run one network."""
        return replace(self.key, frontend=""), self.tokens

    @property
    def folder(self) -> Path:
        """Where its feature files lie."""
        return self.key.folder(self.cache)

    def path(self, shard: str) -> Path:
        """The feature file of a shard."""
        return self.folder / f"{shard}.h5"

    def tokens_path(self, shard: str) -> Path:
        """The file of a shard's patch tokens, beside its feature file."""
        return tokens_path(self.path(shard))

    def attributes_of(self, shard: Shard) -> dict[str, str | int | float]:
        """The attributes that identify a file as the features of this shard: of what, and of which rows of it."""
        return {**self.key.attributes, "shard": shard.name, "ids": shard.ids_digest, **shard.attributes}

    def is_cached(self, shard: Shard) -> bool:
        """Whether all that the job makes of a shard is in the store; vectors without tokens that are wanted are not."""
        paths = [self.path(shard.name), *([self.tokens_path(shard.name)] if self.tokens else [])]
        return all(is_cached(path, self.attributes_of(shard)) for path in paths)
