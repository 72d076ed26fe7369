"""A task on tiles: what is read in one pass, and which features are whose samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from bench.embed import Embedding, Job, Unit, shards
from bench.models import Model
from bench.protocols import Bags, Samples
from bench.tasks import Manifest
from bench.tiles import TileSource

Labelled = TypeVar("Labelled", Samples, Bags)


@dataclass(frozen=True, eq=False)
class Pass:
    """One reading of the pixels, for all models that want the same tiles; or features that are given.

    Attributes
    ----------
    models : list of Model
    key : dict
        All of what is read that can change a feature, but for what the files of the store say themselves.
    content : str
        Digest of the files of features that are given, "" otherwise.
    side : int
        Of the tiles, px.
    units : callable or None
        Gives what is embedded, and notes on what is left out; called only if something is to be done.
    given : callable or None
        Gives the features of a job that needs no embedding.
    pictures : Path or None
        Folder of the slides' previews.
    """

    models: list[Model]
    key: dict[str, str]
    content: str = ""
    side: int = 0
    units: Callable[[], tuple[list[Unit], list[str]]] | None = None
    given: Callable[[Job[Any]], Embedding] | None = None
    pictures: Path | None = None


class TileData:
    """The tiles of a manifest, of which every sample is one."""

    noun = "tiles"

    def __init__(self, manifest: Manifest, shard_tiles: int):
        frame = manifest.frame
        self.manifest = manifest
        self.source = TileSource(frame["id"].tolist(), frame["path"].tolist(), frame["index"].tolist())
        self.content = self.source.digest()
        self._shard_tiles = shard_tiles

    def passes(self, models: list[Model]) -> list[Pass]:
        """All models see the same tiles, as they are stored."""
        side = max(self.manifest.task.tile_size or 0, *(model.card.preprocessing.tile_size for model in models))
        key = {"source": self.content}
        return [Pass(models, key, side=side, units=lambda: (shards(self.source, self._shard_tiles), []))]

    def samples(self, embedding: Embedding) -> Samples:
        """All tiles that could be read."""
        return gathered(self.manifest, embedding.rows, embedding.features(), Samples)

    def notes(self, embedding: Embedding) -> list[str]:
        """What a reader of the rows must know of tiles that were left out, beyond their number."""
        return list(embedding.notes)


def gathered(
    manifest: Manifest, rows: np.ndarray, features: Sequence[Any] | np.ndarray, of: Callable[..., Labelled]
) -> Labelled:
    """The samples at `rows` of the manifest, whose features are given in the same order."""
    ids, groups = (manifest.frame[c].to_numpy(str)[rows] for c in ("id", "group"))
    return of(ids, groups, features, manifest.labels[rows], manifest.classes, manifest.target.head_kind)


def divided(
    manifest: Manifest, samples: Samples | Bags, fold: int
) -> tuple[Samples | Bags, Samples | Bags | None, Samples | Bags]:
    """Train, validation (None where there is none) and test samples when a fold is tested."""
    rows = pd.Index(manifest.frame["id"]).get_indexer(samples.ids)
    side_of = manifest.split_labels_of(fold)[rows]
    val = samples.take(side_of == "val") if (side_of == "val").any() else None
    return samples.take(side_of == "train"), val, samples.take(side_of == "test")
