"""A task on tiles: what is read in one pass, and which features are whose samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.embed import Embedding, Unit, shards
from bench.models import Model
from bench.protocols import Samples
from bench.tasks import Manifest
from bench.tiles import TileSource


@dataclass(frozen=True, eq=False)
class Pass:
    """One reading of the pixels, for all models that want the same tiles.

    Attributes
    ----------
    models : list of Model
    key : dict
        All of what is read that can change a feature.
    units : callable
        Gives what is embedded; called only if something is to be done.
    """

    models: list[Model]
    key: dict[str, str]
    units: Callable[[], list[Unit]]


Sides = tuple[Samples, Samples | None, Samples]


class TileData:
    """The tiles of a manifest, of which every sample is one."""

    noun = "tiles"

    def __init__(self, manifest: Manifest, shard_tiles: int):
        frame = manifest.frame
        self.manifest = manifest
        self.notes: list[str] = []
        self.source = TileSource(frame["id"].tolist(), frame["path"].tolist(), frame["index"].tolist())
        self.content = self.source.digest()
        self._shard_tiles = shard_tiles

    def passes(self, models: list[Model]) -> list[Pass]:
        """All models see the same tiles, as they are stored."""
        return [Pass(models, {"source": self.content}, lambda: shards(self.source, self._shard_tiles))]

    def samples(self, embedding: Embedding) -> Sides:
        """Train, validation (None where there is none) and test."""
        return sides(self.manifest, embedding.rows, embedding.features())


def sides(manifest: Manifest, rows: np.ndarray, features: np.ndarray) -> Sides:
    """The samples at `rows` of the manifest, whose features are given in the same order, by side of the split."""
    frame = manifest.frame.iloc[rows]
    code = {name: i for i, name in enumerate(manifest.classes)}
    labels = frame["label"].map(code).to_numpy(np.int64)
    ids, groups, split = (frame[c].to_numpy(str) for c in ("id", "group", "split"))

    def side(name: str) -> Samples:
        at = split == name
        return Samples(ids[at], groups[at], features[at], labels[at], tuple(manifest.classes))

    return side("train"), side("val") if (split == "val").any() else None, side("test")
