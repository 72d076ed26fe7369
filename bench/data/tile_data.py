"""A cohort of tiles, of which every sample is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.data.cohort import Known, Model, Part, PixelPlan, gathered, in_part
from bench.data.stacked import Stacked
from bench.embedding import Embedding, Shard, read_tokens, shards_of, tokens_path
from bench.protocols import Bags, Samples
from bench.tasks import Manifest
from bench.tiles import TileSource


class TileCohort:
    """The tiles of a manifest.

    Parameters
    ----------
    manifest : Manifest
    shard_tiles : int
        Tiles a feature file.
    packed : Path or None
        Folder of the files that image files are packed in, just before they are embedded; None reads them themselves.
    gpu : str or None
        CUDA device that decodes JPEG files; None has the processor do it.
    progress : bool
        Whether a progress bar is shown while they are packed.
    """

    noun = "tiles"

    def __init__(
        self,
        manifest: Manifest,
        shard_tiles: int,
        packed: Path | None = None,
        gpu: str | None = None,
        progress: bool = True,
    ):
        frame = manifest.frame
        self.manifest = manifest
        self.source = TileSource(frame["id"].tolist(), frame["path"].tolist(), frame["index"].tolist())
        self.content = self.source.digest()
        if packed is not None:
            self.source = self.source.packed(packed, self.content, progress=progress)
        self._pixels = self.content
        if gpu is not None:
            self.source = self.source.decoded_on(gpu)
            self._pixels += " nvjpeg"
        self._shard_tiles = shard_tiles

    def plans(self, models: Sequence[Model]) -> list[PixelPlan]:
        """All models see the same tiles, as they are stored."""
        side = max(self.manifest.task.tile_size or 0, *(model.card.preprocessing.tile_size for model in models))
        shards = shards_of(self.source, self._shard_tiles)

        def make(part: Part) -> tuple[list[Shard], list[str]]:
            return [*in_part(shards, part, lambda shard: len(shard.tiles))], []

        return [PixelPlan(models, self._pixels, side, make, lambda: Known(shards))]

    def samples(self, embedding: Embedding) -> Samples:
        """All tiles that could be read."""
        return gathered(self.manifest, embedding.rows, embedding.features(), Samples)

    def bags(self, embedding: Embedding) -> Bags:
        """Every tile as a bag of one; heads for bags are not offered on tiles."""
        samples = self.samples(embedding)
        return gathered(self.manifest, embedding.rows, [vector[None] for vector in samples.features], Bags)

    def tokens(self, embedding: Embedding) -> Stacked:
        """The tiles one after another, [N, T, C], of which one is indexed at a time or several."""
        parts = [read_tokens(tokens_path(file))[0] for file in embedding.files]
        return Stacked([part for part in parts if len(part)])

    def notes(self, embedding: Embedding) -> list[str]:
        """What a reader of the rows must know of tiles that were left out, beyond their number."""
        return list(embedding.notes)

    def slide_names(self) -> Mapping[str, Sequence[str]]:
        """None: a tile is no slide."""
        return {}

    def feature_files(self, embedding: Embedding) -> Mapping[str, Path]:
        """None: a tile is no slide."""
        return {}

    def slides_of(self, embedding: Embedding, sample: str) -> Mapping[str, Path]:
        """None: a tile is no slide."""
        return {}
