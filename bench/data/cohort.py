"""What a run knows of its data: samples with labels, and how their features are made or read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd

from bench.embedding import Embedding, EmbeddingJob, EmbeddingSettings, FeatureKey, Shard, embed
from bench.metrics import METRIC_SETS
from bench.protocols import Bags, Samples
from bench.tasks import Manifest
from registry.card import ModelCard

Labelled = TypeVar("Labelled", Samples, Bags)
Item = TypeVar("Item")

Part = tuple[tuple[int, int], ...]  # k and n of the k-th, from 1 on, of n parts; of a part of this part; and so on
ALL: Part = ()


def in_part(items: Sequence[Item], part: Part, weight: Callable[[Item], int] = lambda item: 1) -> Sequence[Item]:
    """The items of a part in their order, parts as alike in weight as they can be made one item after the other.

    The heaviest item goes first, each to the part that is lightest so far (Graham 1969, longest processing time first);
    items of one weight are dealt out in turn, so that neighbours in a table, often alike, go to several parts.
    """
    for k, n in part:
        loads = [0] * n
        own = []
        for position in sorted(range(len(items)), key=lambda i: (-weight(items[i]), i)):
            lightest = min(range(n), key=loads.__getitem__)
            loads[lightest] += weight(items[position])
            if lightest == k - 1:
                own.append(position)
        items = [items[position] for position in sorted(own)]
    return items


class Encoder(Protocol):
    """What a cohort reads of a model before it is loaded."""

    @property
    def name(self) -> str: ...

    @property
    def card(self) -> ModelCard: ...

    @property
    def tile_card(self) -> ModelCard:
        """Of the network that sees the tiles: the tile encoder's card where the model is a slide encoder."""

    @property
    def sees_pixels(self) -> bool:
        """False where the features are precomputed."""


Model = TypeVar("Model", bound=Encoder)


@dataclass(frozen=True)
class Known:
    """The shards of an embedding plan that are known before anything is computed.

    Attributes
    ----------
    shards : sequence of Shard
        Those whose tiles are known.
    unknown : int
        Number of slides that have no grid of tiles yet.
    """

    shards: Sequence[Shard] = ()
    unknown: int = 0


class EmbeddingPlan(Protocol):
    """How the features of some models are made: one pass over the pixels, or files of precomputed features."""

    @property
    def models(self) -> Sequence[Any]:
        """The models that want these tiles."""

    @property
    def source(self) -> str:
        """For `FeatureKey.source`: all of what is read that can change a feature."""

    @property
    def content(self) -> str:
        """Digest of the files of precomputed features, "" otherwise."""

    @property
    def tile_size(self) -> int:
        """Side of the tiles in px, 0 for precomputed features."""

    @property
    def pictures(self) -> Path | None:
        """Folder of the slides' previews."""

    def known(self) -> Known:
        """The shards that are known already; writes nothing."""

    def run(
        self, jobs: Sequence[EmbeddingJob[Any]], how: EmbeddingSettings, *, label: str, part: Part = ALL
    ) -> dict[FeatureKey, Embedding]:
        """Make what is missing, or only what is missing in the k-th of n parts of the shards."""


class Cohort(Protocol):
    """The samples of a task."""

    manifest: Manifest
    noun: str
    content: str

    def plans(self, models: Sequence[Model]) -> Sequence[EmbeddingPlan]:
        """One for all models that want the same tiles."""

    def samples(self, embedding: Embedding) -> Samples:
        """A vector for each sample of which something could be read."""

    def bags(self, embedding: Embedding) -> Bags:
        """The tiles of each sample of which something could be read."""

    def tokens(self, embedding: Embedding) -> Any:
        """Patch tokens of the samples in the order of `samples`, left on disk: of a tile [T, C], of tiles [N, T, C]."""

    def notes(self, embedding: Embedding) -> list[str]:
        """Notes for the rows on samples, slides and tiles that were left out."""

    def slide_names(self) -> Mapping[str, Sequence[str]]:
        """The slides of each sample, for the predictions; empty where a sample is its own tile or slide."""

    def slides_of(self, embedding: Embedding, sample: str) -> Mapping[str, Path]:
        """Feature files of the slides of a sample by the slides' ids, in the order of its bag; empty for tiles."""

    def feature_files(self, embedding: Embedding) -> Mapping[str, Path]:
        """Feature file of each slide that could be read, by its id; empty for tiles."""


@dataclass(frozen=True, eq=False)
class PixelPlan:
    """Tiles that are read once for all models that want them.

    Attributes
    ----------
    make : callable
        Gives the shards of the k-th of n parts, and notes on what is left out, which are complete when the shards have
        been iterated over; called only if features are needed.
    look : callable
        Gives what is known without computing anything.
    """

    models: Sequence[Any]
    source: str
    tile_size: int
    make: Callable[[Part], tuple[Iterable[Shard], list[str]]]
    look: Callable[[], Known]
    pictures: Path | None = None
    content: str = field(default="", init=False)

    def known(self) -> Known:
        return self.look()

    def run(
        self, jobs: Sequence[EmbeddingJob[Any]], how: EmbeddingSettings, *, label: str, part: Part = ALL
    ) -> dict[FeatureKey, Embedding]:
        shards, notes = self.make(part)
        found = embed(shards, jobs, how, label=label)
        for embedding in found.values():
            embedding.notes += notes
        return found


def gathered(
    manifest: Manifest, rows: np.ndarray, features: Sequence[Any] | np.ndarray, of: Callable[..., Labelled]
) -> Labelled:
    """The samples at `rows` of the manifest, whose features come in the same order."""
    ids, groups = (manifest.frame[c].to_numpy(str)[rows] for c in ("id", "group"))
    kind = manifest.target.head_kind
    metric = manifest.task.metric if manifest.task.metric in METRIC_SETS[kind].metrics else ""
    acquisition = {name: manifest.frame[name].to_numpy(str)[rows] for name in manifest.acquisition}
    return of(ids, groups, features, manifest.labels[rows], manifest.classes, kind, metric, acquisition)


def table_of(manifest: Manifest) -> Samples:
    """The samples of a manifest without features."""
    rows = np.arange(len(manifest))
    return gathered(manifest, rows, np.empty((len(rows), 0), np.float32), Samples)


def split_samples(
    manifest: Manifest, samples: Samples | Bags, fold: int
) -> tuple[Samples | Bags, Samples | Bags | None, Samples | Bags]:
    """Train, validation (None where there is none) and test samples when a fold is tested."""
    rows = pd.Index(manifest.frame["id"]).get_indexer(samples.ids)
    split_label = manifest.split_labels_of(fold)[rows]
    val = samples.take(split_label == "val") if (split_label == "val").any() else None
    return samples.take(split_label == "train"), val, samples.take(split_label == "test")
